"""Every way in which ccxt places an order arrives as it was meant, and as it was sent."""

import json
import re
from urllib.parse import parse_qsl

import ccxt
import pytest

SYMBOL = "XRP/USD"
NAMED = {"clientOrderId": "x1"}
GOOD_TILL = {"timeInForce": "GTD", "expiretm": "+60", "validate": True}


@pytest.fixture
def prices(client):
    """Give prices around the market, each spelled as the exchange does."""
    client.load_markets()
    bid = client.fetch_ticker(SYMBOL)["bid"]
    shares = {"lower": 0.7, "low": 0.8, "high": 1.2, "higher": 1.3}
    return {name: f"{bid * share:.5f}" for name, share in shares.items()}


def filled(value, prices):
    """Put prices where their names stand."""
    if isinstance(value, dict):
        return {name: filled(inner, prices) for name, inner in value.items()}
    return float(prices[value]) if isinstance(value, str) and value in prices else value


# The method, its arguments after the symbol, its params; the form that ccxt sends beyond pair,
# type and nonce; what the exchange says it understood.
PLACED = [
    (
        *("create_limit_order", ("buy", 10, "low"), NAMED),
        "ordertype=limit volume=10 cl_ord_id=x1 price={low}",
        "buy 10.00000000 XRPUSD @ limit {low}",
    ),
    (
        *("create_market_order", ("sell", 10), {}),
        "ordertype=market volume=10",
        "sell 10.00000000 XRPUSD @ market",
    ),
    (
        *("create_market_order_with_cost", ("buy", 25), {}),
        "ordertype=market volume=25 oflags=viqc",
        "buy 25.00000000 XRPUSD @ market",
    ),
    (
        *("create_order", ("limit", "buy", 10, "low"), {"postOnly": True}),
        "ordertype=limit volume=10 price={low} oflags=post",
        "buy 10.00000000 XRPUSD @ limit {low}",
    ),
    (
        *("create_order", ("limit", "buy", 10, "low"), {"timeInForce": "IOC", "userref": 5}),
        "ordertype=limit volume=10 price={low} timeinforce=IOC userref=5",
        "buy 10.00000000 XRPUSD @ limit {low}",
    ),
    (
        *("create_order", ("limit", "buy", 10, "low"), GOOD_TILL),
        "ordertype=limit volume=10 price={low} timeinforce=GTD expiretm=+60 validate=True",
        "buy 10.00000000 XRPUSD @ limit {low}",
    ),
    (
        *("create_order", ("market", "sell", 10, None), {"stopLossPrice": "low"}),
        "ordertype=stop-loss volume=10 price={low}",
        "sell 10.00000000 XRPUSD @ stop loss {low}",
    ),
    (
        *("create_order", ("limit", "sell", 10, "lower"), {"stopLossPrice": "low"}),
        "ordertype=stop-loss-limit volume=10 price={low} price2={lower}",
        "sell 10.00000000 XRPUSD @ stop loss {low} -> limit {lower}",
    ),
    (
        *("create_order", ("market", "sell", 10, None), {"takeProfitPrice": "high"}),
        "ordertype=take-profit volume=10 price={high}",
        "sell 10.00000000 XRPUSD @ take profit {high}",
    ),
    (
        *("create_order", ("limit", "sell", 10, "higher"), {"takeProfitPrice": "high"}),
        "ordertype=take-profit-limit volume=10 price={high} price2={higher}",
        "sell 10.00000000 XRPUSD @ take profit {high} -> limit {higher}",
    ),
    (
        *("create_trailing_amount_order", ("market", "sell", 10, None, 0.1), {}),
        "ordertype=trailing-stop volume=10 price=+0.1 trigger=last",
        "sell 10.00000000 XRPUSD @ trailing stop +0.10000",
    ),
    (
        *("create_trailing_percent_order", ("market", "sell", 10, None, 5), {}),
        "ordertype=trailing-stop volume=10 price=+5% trigger=last",
        "sell 10.00000000 XRPUSD @ trailing stop +5.0000%",
    ),
    (
        *("create_order", ("limit", "buy", 10, "low")),
        {"close": {"ordertype": "limit", "price": "high"}},
        "ordertype=limit volume=10 price={low} close[ordertype]=limit close[price]={high}",
        "buy 10.00000000 XRPUSD @ limit {low}; close position @ limit {high}",
    ),
    # ccxt sends these triggers under a name Kraken does not know, and the order waits for nothing.
    (
        *("create_stop_order", ("limit", "sell", 10, "high", "low"), {}),
        "ordertype=limit volume=10 price={high} stopPrice={low}",
        "sell 10.00000000 XRPUSD @ limit {high}",
    ),
    (
        *("create_stop_limit_order", ("sell", 10, "high", "low"), {}),
        "ordertype=limit volume=10 price={high} stopPrice={low}",
        "sell 10.00000000 XRPUSD @ limit {high}",
    ),
    (
        *("create_stop_market_order", ("sell", 10, "low"), {}),
        "ordertype=market volume=10 stopPrice={low}",
        "sell 10.00000000 XRPUSD @ market",
    ),
]


def sent(client):
    """Give what the last request said, less what every order says.

    The body is JSON if a price is a percentage, and urlencoded otherwise.
    """
    body = client.last_request_body
    form = json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
    for name in ("nonce", "pair", "type"):
        del form[name]
    return form


def alike(form, spelled):
    """Tell whether a form says what it should; prices may lack their last zeros."""
    wanted = dict(part.split("=", 1) for part in spelled.split())
    return form.keys() == wanted.keys() and all(
        re.sub(r"(\.\d*?)0+$", r"\1", wanted[name]).rstrip(".") == value.removesuffix(".0")
        for name, value in form.items()
    )


@pytest.mark.parametrize("row", PLACED, ids=lambda row: f"{row[0]} {row[2]}")
def test_an_order_is_sent_as_documented_and_understood(client, prices, row):
    method, arguments, params, spelled, understood = row
    given = [filled(argument, prices) for argument in arguments]
    placed = getattr(client, method)(SYMBOL, *given, params=filled(params, prices))

    form = sent(client)
    assert alike(form, spelled.format(**prices)), form
    descr = placed["info"]["descr"]
    told = "; ".join(descr[name] for name in ("order", "close") if name in descr)
    assert told == understood.format(**prices)
    if "validate" in params:
        assert placed["id"] is None
        return
    order = client.fetch_order(placed["id"])
    assert order["info"]["descr"]["order"] == descr["order"]
    assert order["info"]["descr"]["type"] == order["side"] == placed["side"]
    assert order["info"]["descr"]["ordertype"] == form["ordertype"]


def test_flags_and_names_are_kept(client, prices):
    low = float(prices["low"])
    posted = client.create_order(SYMBOL, "limit", "buy", 10, low, {"postOnly": True})
    order = client.fetch_order(posted["id"])
    assert order["postOnly"]
    assert order["info"]["oflags"] == "post,fciq"
    named = client.create_order(SYMBOL, "limit", "buy", 10, low, {"clientOrderId": "kept"})
    assert client.fetch_order(named["id"])["clientOrderId"] == "kept"
    late = {"timeInForce": "GTD", "expiretm": "+60"}
    order = client.fetch_order(client.create_order(SYMBOL, "limit", "buy", 10, low, late)["id"])
    assert 59 <= order["info"]["expiretm"] - float(order["info"]["opentm"]) <= 61


def test_amounts_are_cut_and_prices_rounded_to_the_market(client):
    client.load_markets()
    arguments = ("DOGE/USD", "limit", "buy", 123.456789123, 0.07095061)
    placed = client.create_order(*arguments, {"validate": True})

    form = sent(client)
    assert (form["volume"], form["price"]) == ("123.45678912", "0.0709506")
    assert placed["info"]["descr"]["order"] == "buy 123.45678912 XDGUSD @ limit 0.0709506"


REFUSED = [
    (
        ("limit", "buy", 10, "low"),
        {"timeInForce": "PO"},
        (ccxt.ExchangeError, "EGeneral:Invalid arguments:timeinforce"),
    ),
    (
        ("limit", "sell", 10, "lower"),
        {"stopLossPrice": "low", "reduceOnly": True},
        (ccxt.ExchangeError, "EOrder:Reduce only:"),
    ),
    (
        ("stop-loss", "sell", 10, "low"),
        {},
        (ccxt.InvalidOrder, "EGeneral:Invalid arguments:price"),
    ),
    (
        ("limit", "buy", 10, "low"),
        {"cl_ord_id": "both", "userref": 5},
        (ccxt.ExchangeError, "EGeneral:Invalid arguments:"),
    ),
    (
        ("limit", "buy", 10, "low"),
        {"cl_ord_id": "this name is longer than any"},
        (ccxt.ExchangeError, "EGeneral:Invalid arguments:cl_ord_id"),
    ),
    (
        ("limit", "buy", 10, "low"),
        {"deadline": "2020-01-01T00:00:00Z"},
        (ccxt.ExchangeError, "EService:Deadline elapsed"),
    ),
    (
        ("limit", "buy", 1, "low"),
        {},
        (ccxt.InvalidOrder, "EGeneral:Invalid arguments:volume minimum not met"),
    ),
    (("market", "sell", 900, None), {}, (ccxt.InsufficientFunds, "EOrder:Insufficient funds")),
    (
        ("limit", "buy", 10, "high"),
        {"postOnly": True},
        (ccxt.ExchangeError, "EOrder:Post only order"),
    ),
]


@pytest.mark.parametrize(("arguments", "params", "expected"), REFUSED)
def test_an_order_is_refused_in_krakens_words(client, prices, arguments, params, expected):
    kind, words = expected
    given = [filled(argument, prices) for argument in arguments]
    with pytest.raises(kind) as raised:
        client.create_order(SYMBOL, *given, filled(params, prices))

    assert type(raised.value) is kind
    assert words in str(raised.value)
    assert client.fetch_open_orders() == []


def test_an_order_is_cancelled_by_any_of_its_names(client, prices):
    low = float(prices["low"])

    def place(**params):
        return client.create_order(SYMBOL, "limit", "buy", 10, low, params)["id"]

    gone = [place(), place(clientOrderId="by-name"), place(userref=31)]
    client.cancel_order(gone[0])
    client.cancel_order(None, SYMBOL, {"clientOrderId": "by-name"})
    client.cancel_order(None, SYMBOL, {"userref": 31})
    assert client.fetch_open_orders() == []
    assert {client.fetch_order(name)["status"] for name in gone} == {"canceled"}
    for name in gone:
        with pytest.raises(ccxt.OrderNotFound, match="EOrder:Unknown order"):
            client.cancel_order(name)


def test_an_order_is_changed_under_either_name(client, prices):
    low, lower = float(prices["low"]), float(prices["lower"])
    placed = client.create_order(SYMBOL, "limit", "buy", 10, low, {"clientOrderId": "changing"})
    told = client.edit_order(placed["id"], SYMBOL, "limit", "buy", 12, lower)
    assert told["id"] == told["info"]["amend_id"] != placed["id"]
    client.edit_order(None, SYMBOL, "limit", "buy", 14, low, {"clientOrderId": "changing"})
    order = client.fetch_order(placed["id"])
    assert (order["amount"], order["price"], order["clientOrderId"]) == (14, low, "changing")
    assert order["info"]["misc"] == "amended"


def test_closed_orders_and_fills_are_found_in_their_time(client):
    fills = client.fetch_my_trades(SYMBOL)
    at = fills[0]["timestamp"] // 1000
    window = {"start": at - 1, "end": at + 1}
    (order,) = client.fetch_closed_orders(SYMBOL, None, None, window)
    assert {fill["order"] for fill in fills} == {order["id"]}
    early = {"start": at - 20, "end": at - 10}
    assert client.fetch_closed_orders(SYMBOL, None, None, early) == []
    until = {"until": (at + 1) * 1000}
    assert client.fetch_my_trades(SYMBOL, (at - 1) * 1000, None, until) == fills
    until = {"until": (at - 10) * 1000}
    assert client.fetch_my_trades(SYMBOL, (at - 20) * 1000, None, until) == []
    entries = [e for e in client.fetch_ledger("XRP", (at - 1) * 1000) if e["amount"]]
    assert {e["referenceId"]: e["amount"] for e in entries} == {
        fill["id"]: fill["amount"] for fill in fills
    }


def test_what_moves_money_out_is_not_permitted(client):
    client.load_markets()
    for call in (
        lambda: client.fetch_deposit_address("XRP"),
        lambda: client.create_deposit_address("XRP"),
        lambda: client.withdraw("XRP", 10, "rAddress", {"key": "mine", "tag": "7"}),
        lambda: client.transfer("XRP", 10, "spot", "swap"),
    ):
        with pytest.raises(ccxt.PermissionDenied, match="EGeneral:Permission denied"):
            call()


def test_the_market_is_read_in_the_rarer_ways_too(client):
    listed = {market["symbol"] for market in client.fetch_markets()}
    assert listed == client.load_markets().keys()
    book = client.fetch_l2_order_book("XRP/USD", 10)
    prices = [price for price, _ in book["bids"]]
    assert prices == sorted(set(prices), reverse=True)
