"""Every method of ccxt that speaks to Kraken spot works here, blocking and async."""

from decimal import Decimal

import ccxt
import pytest


def price(client, share):
    return client.price_to_precision("XRP/USD", client.fetch_ticker("XRP/USD")["bid"] * share)


def test_the_market_is_read(client):
    markets = client.load_markets()
    assert {"XRP/USD", "DOGE/USD", "BTC/USD"} <= markets.keys()
    assert markets["DOGE/USD"]["precision"] == {"amount": 1e-8, "price": 1e-7}
    assert (markets["XRP/USD"]["taker"], markets["XRP/USD"]["maker"]) == (0.0026, 0.0016)
    assert {"XRP", "DOGE", "BTC", "USD"} <= client.fetch_currencies().keys()

    now = client.fetch_time()
    assert client.fetch_status()["status"] == "ok"
    ticker = client.fetch_ticker("XRP/USD")
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["bid"] < ticker["ask"]
    assert set(client.fetch_tickers(["XRP/USD", "DOGE/USD"])) == {"XRP/USD", "DOGE/USD"}
    assert len(client.fetch_tickers()) == 3
    book = client.fetch_order_book("DOGE/USD", 100)
    assert len(book["bids"]) == len(book["asks"]) == 100
    candles = client.fetch_ohlcv("XRP/USD", "1h", now - 24 * 3_600_000)
    assert 24 <= len(candles) <= 26
    assert candles[-1][0] <= now < candles[-1][0] + 3_600_000
    trades = client.fetch_trades("XRP/USD", now - 600_000, 10)
    assert len(trades) == 10
    assert [int(t["id"]) for t in trades] == list(
        range(int(trades[0]["id"]), int(trades[0]["id"]) + 10)
    )


def test_the_account_is_read(client):
    client.create_order("XRP/USD", "limit", "sell", 100, price(client, 1.1))
    balance = client.fetch_balance()
    assert (balance["XRP"]["total"], balance["XRP"]["used"]) == (500, 100)
    fee = client.fetch_trading_fee("XRP/USD")
    assert (fee["taker"], fee["maker"]) == (0.002, 0.0008)
    (trade,) = client.fetch_my_trades("XRP/USD")
    assert trade["amount"] == 500
    assert client.fetch_my_trades("XRP/USD", trade["timestamp"] + 60_000) == []
    entries = client.fetch_ledger("USD")
    assert sorted(entry["type"] for entry in entries) == ["trade", "transaction"]
    assert client.fetch_ledger_entry(entries[-1]["id"])["id"] == entries[-1]["id"]
    order = client.fetch_order(trade["order"])
    assert (order["status"], order["filled"]) == ("closed", 500)
    (same,) = client.fetch_order_trades(order["id"], None, None, None, {"trades": [trade["id"]]})
    assert (same["id"], same["cost"], same["fee"]) == (trade["id"], trade["cost"], trade["fee"])
    assert client.fetch_orders_by_ids([order["id"]], "XRP/USD")[0]["id"] == order["id"]


def test_orders_are_placed_changed_and_cancelled(client):
    client.load_markets()
    low = price(client, 0.8)
    first = client.create_order("XRP/USD", "limit", "buy", 10, low, {"clientOrderId": "a1"})
    assert (first["symbol"], first["side"], first["amount"]) == ("XRP/USD", "buy", 10)
    numbered = client.create_order("XRP/USD", "limit", "buy", 10, low, {"userref": 77})
    posted = client.create_order("XRP/USD", "limit", "buy", 10, low, {"postOnly": True})
    edited = client.edit_order(posted["id"], "XRP/USD", "limit", "buy", 12, low)
    assert edited["id"] not in {"", None, posted["id"]}

    opened = {order["id"]: order for order in client.fetch_open_orders("XRP/USD")}
    assert opened.keys() == {first["id"], numbered["id"], posted["id"]}
    assert opened[posted["id"]]["amount"] == 12
    (found,) = client.fetch_open_orders("XRP/USD", None, None, {"clientOrderId": "a1"})
    assert found["clientOrderId"] == "a1"
    (found,) = client.fetch_open_orders("XRP/USD", None, None, {"userref": 77})
    assert found["id"] == numbered["id"]
    client.cancel_order(first["id"])
    client.cancel_orders([numbered["id"]])
    client.cancel_all_orders()
    assert client.fetch_open_orders("XRP/USD") == []
    closed = client.fetch_closed_orders("XRP/USD", None, None, {"clientOrderId": "a1"})
    assert [order["status"] for order in closed] == ["canceled"]
    since = closed[0]["timestamp"] + 3_600_000
    assert client.fetch_closed_orders("XRP/USD", since) == []
    armed = client.cancel_all_orders_after(60000)["result"]
    assert armed["triggerTime"] > armed["currentTime"]
    client.cancel_all_orders_after(0)


def test_a_batch_is_placed_and_one_bad_leg_hides_the_good_one(client):
    client.load_markets()
    low = float(price(client, 0.8))
    legs = [
        {"symbol": "XRP/USD", "type": "limit", "side": "buy", "amount": amount, "price": low}
        for amount in (10, 20)
    ]
    assert len({order["id"] for order in client.create_orders(legs)}) == 2
    legs[1]["amount"] = 900_000
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_orders(legs)
    assert len(client.fetch_open_orders("XRP/USD")) == 3


def test_money_is_spent_to_the_cent(client):
    placed = client.create_market_buy_order_with_cost("XRP/USD", 25)
    order = client.fetch_order(placed["id"])

    assert order["status"] == "closed"
    assert 24.99 < float(order["info"]["cost"]) <= 25
    selling = client.create_order("XRP/USD", "market", "sell", 5)
    sold = client.fetch_order(selling["id"])
    assert Decimal(sold["info"]["cost"]) > 0


def test_a_trial_order_gives_no_id(client):
    client.load_markets()
    params = {"validate": "true", "timeInForce": "IOC", "oflags": "fciq"}
    placed = client.create_order("XRP/USD", "limit", "buy", 10, price(client, 0.8), params)

    assert placed["id"] is None
    assert client.fetch_open_orders("XRP/USD") == []


def raised(client, *arguments):
    try:
        client.create_order("XRP/USD", *arguments)
    except ccxt.BaseError as error:
        return type(error), str(error)
    return None, ""


def test_refusals_arrive_as_the_documented_exceptions(client):
    client.load_markets()
    low, high = price(client, 0.8), price(client, 1.2)
    named = {"clientOrderId": "twice"}
    client.create_order("XRP/USD", "limit", "buy", 10, low, named)

    assert raised(client, "limit", "buy", 90_000, low)[0] is ccxt.InsufficientFunds
    assert raised(client, "limit", "buy", 10, low, named)[0] is ccxt.ExchangeError
    kind, text = raised(client, "limit", "buy", 10, high, {"postOnly": True})
    assert (kind, "EOrder:Post only order" in text) == (ccxt.ExchangeError, True)
    kind, text = raised(client, "limit", "buy", 2, 0.1)
    assert (kind, "EOrder:Cost minimum not met" in text) == (ccxt.ExchangeError, True)
    kind, text = raised(client, "limit", "buy", 10, low, {"timeInForce": "GTX"})
    assert (kind, "Invalid arguments:timeinforce" in text) == (ccxt.ExchangeError, True)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("OAAAAA-AAAAA-AAAAAA")
    with pytest.raises(ccxt.InvalidOrder):
        client.cancel_order("OAAAAA-AAAAA-AAAAAA")
    with pytest.raises(ccxt.ExchangeError, match="EQuery:Unknown asset pair"):
        client.publicGetTicker({"pair": "NOPE"})


def test_who_may_not_sign_is_told_so(sandbox):
    stranger = sandbox.client(key="nobody")
    with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
        stranger.fetch_balance()
    forger = sandbox.client(secret="AAAA")
    with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
        forger.fetch_balance()
    late = sandbox.new_client("late")
    late.fetch_balance()
    late.nonce = lambda: 5
    late.incrementing_nonce = lambda: 5
    with pytest.raises(ccxt.InvalidNonce):
        late.fetch_balance()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("maintenance", ccxt.ExchangeNotAvailable),
        ("cancel_only", ccxt.OnMaintenance),
        ("post_only", ccxt.OnMaintenance),
        ("limit_only", ccxt.ExchangeError),
    ],
)
def test_a_mode_of_the_exchange_is_told(sandbox, mode, kind):
    client = sandbox.new_client("modes")
    client.load_markets()
    sandbox.ask("/admin/mode", {"mode": mode})
    try:
        assert raised(client, "market", "buy", 10)[0] is kind
        assert client.fetch_status()["status"] in {"maintenance", mode}
    finally:
        sandbox.ask("/admin/mode", {"mode": "online"})
    assert raised(client, "market", "buy", 10)[0] is None
