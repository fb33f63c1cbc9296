"""Orders that wait for a price wait exactly until it is traded, and closing orders follow fills."""

from decimal import Decimal

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import Refused
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.orders import Close, OrderRequest, Reported
from sandbox.passage import advance
from sandbox.synthetic import HOUR_NS, Synthetic
from sandbox.triggers import fire

XRP = BY_SYMBOL["XRP/USD"]
START = 492_000 * HOUR_NS + HOUR_NS // 3
SECOND = 1_000_000_000


@pytest.fixture
def exchange():
    """Give an exchange with one client who holds both currencies."""
    made = Exchange(Synthetic(7, 0.015), 8)
    made.time = START
    for asset, amount in (("ZUSD", "10000"), ("XXRP", "5000")):
        made.deposit("ann", asset, Decimal(amount), START)
    return made


def wanted(ordertype, price, side="sell", price2="", **more):
    more.setdefault("quantity", 100 * 10**8)
    return OrderRequest(
        symbol="XRP/USD", side=side, ordertype=ordertype, terms=(price, price2), **more
    )


def last(exchange):
    return exchange.last_price(XRP, exchange.time)


def prints(exchange, until):
    return exchange.tapes["XRP/USD"].between(START, until)


@pytest.mark.parametrize(
    ("kind", "side", "rising"),
    [
        ("stop-loss", "sell", False),
        ("stop-loss", "buy", True),
        ("take-profit", "sell", True),
        ("take-profit", "buy", False),
    ],
)
def test_an_order_goes_off_at_the_first_trade_at_its_price(exchange, kind, side, rising):
    trigger = last(exchange) + (200 if rising else -200)
    order = exchange.place("ann", wanted(kind, XRP.price_text(trigger), side), START)
    assert order.waiting
    assert order not in exchange.resting("XRP/USD", buys=side == "buy")
    market = prints(exchange, START + 24 * HOUR_NS)
    reached = market.price >= trigger if rising else market.price <= trigger
    moment = int(market.time[reached.argmax()])
    advance(exchange, START + 24 * HOUR_NS)

    assert order.status == "closed"
    assert order.stop.fired == moment
    first = exchange.trades[order.trades[0]]
    assert abs(first.time - moment) < SECOND
    assert not first.maker
    kinds = [e.kind for e in exchange.events if isinstance(e, Reported)]
    assert kinds[:3] == ["pending_new", "new", "status"]


def test_a_limit_variant_rests_on_the_book_once_it_went_off(exchange):
    trigger = last(exchange) - 200
    far = XRP.price_text(trigger + 5000)
    order = exchange.place(
        "ann", wanted("stop-loss-limit", XRP.price_text(trigger), "sell", far), START
    )
    while order.waiting:
        advance(exchange, exchange.time + 10 * SECOND)

    assert order.status == "open"
    assert order in exchange.resting("XRP/USD", buys=False)
    assert exchange.accounts.held["ann", "XXRP"] == 100


def test_a_trailing_stop_follows_the_price_and_never_goes_back(exchange):
    order = exchange.place("ann", wanted("trailing-stop", "+1%"), START)
    placed = last(exchange)
    assert (order.stop.peak, order.stop.trigger) == (placed, placed - placed // 100)
    now = START
    while order.waiting:
        before, now = order.stop.trigger, now + 600 * SECOND
        advance(exchange, now)
        assert order.stop.trigger >= before
    peak = max(int(prints(exchange, order.stop.fired).price.max()), placed)

    assert (order.stop.peak, order.stop.trigger) == (peak, peak - peak // 100)
    assert order.stop.at <= order.stop.trigger


@pytest.mark.parametrize(("side", "sign"), [("sell", 1), ("buy", -1)])
@pytest.mark.parametrize(
    ("text", "distance"), [("+2%", lambda p: p // 50), ("+0.04", lambda _: 4000)]
)
def test_a_percentage_trails_by_so_much_of_the_best_price(exchange, side, sign, text, distance):
    order = exchange.place("ann", wanted("trailing-stop", text, side), START)
    best = last(exchange) + sign * 30_000
    fire(exchange, XRP, best, START)

    assert (order.stop.peak, order.stop.trigger) == (best, best - sign * distance(best))
    fire(exchange, XRP, best - sign * 100, START)
    assert (order.stop.peak, order.stop.offset) == (best, distance(best))


def test_an_order_whose_price_is_there_already_goes_off_at_once(exchange):
    order = exchange.place("ann", wanted("stop-loss", XRP.price_text(last(exchange) + 10)), START)

    assert order.status == "closed"


def test_a_buy_that_has_become_too_dear_is_cancelled(exchange):
    trigger = last(exchange) + 100
    order = exchange.place("ann", wanted("stop-loss", XRP.price_text(trigger), "buy"), START)
    exchange.place("ann", wanted("market", "", "buy", quantity=0, cash=Decimal(9600)), START)
    advance(exchange, START + 24 * HOUR_NS)

    assert order.status in {"closed", "canceled"}
    assert exchange.accounts.free("ann", "ZUSD") >= 0


def test_a_relative_price_counts_from_the_last_trade(exchange):
    price = last(exchange)
    below = exchange.place("ann", wanted("stop-loss", "-2%"), START)
    same = exchange.place("ann", wanted("stop-loss", "#0.05000"), START)

    assert below.stop.trigger == price - int(price * Decimal("0.02"))
    assert same.stop.trigger == price - 5000


@pytest.mark.parametrize("price", ["", "0", "-200%", "nonsense", "1e5", "1.000001"])
def test_a_price_that_is_none_is_refused(exchange, price):
    with pytest.raises(Refused):
        exchange.place("ann", wanted("stop-loss", price), START)

    assert not exchange.orders


def test_a_waiting_order_can_be_amended(sandbox):
    client = sandbox.new_client("amends a stop")
    client.create_order("XRP/USD", "market", "buy", 50)
    placed = client.create_order("XRP/USD", "market", "sell", 50, None, {"stopLossPrice": 1.0})
    client.privatePostAmendOrder({"txid": placed["id"], "trigger_price": "1.10000"})
    with pytest.raises(ccxt.ExchangeError, match="EOrder:Invalid limit price"):
        client.privatePostAmendOrder({"txid": placed["id"], "limit_price": "1.2"})

    order = client.fetch_order(placed["id"])["info"]
    assert (order["descr"]["price"], order["stopprice"]) == ("1.10000", "0.00000000")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("market", "sell", 50, None, {"stopLossPrice": 1.0}), "stop loss 1.00000"),
        (
            ("limit", "sell", 50, 0.99, {"stopLossPrice": 1.0}),
            "stop loss 1.00000 -> limit 0.99000",
        ),
        (("market", "sell", 50, None, {"takeProfitPrice": 9.0}), "take profit 9.00000"),
        (
            ("limit", "sell", 50, 9.1, {"takeProfitPrice": 9.0}),
            "take profit 9.00000 -> limit 9.10000",
        ),
        (("market", "sell", 50, None, {"trailingPercent": 20}), "trailing stop +20.0000%"),
        (("market", "sell", 50, None, {"trailingAmount": 1.0}), "trailing stop +1.00000"),
    ],
)
def test_ccxt_places_conditional_orders(sandbox, arguments, text):
    client = sandbox.new_client(f"conditional {text}")
    client.create_order("XRP/USD", "market", "buy", 50)
    placed = client.create_order("XRP/USD", *arguments)

    assert placed["info"]["descr"]["order"].startswith(f"sell 50.00000000 XRPUSD @ {text}")
    (waiting,) = client.fetch_open_orders("XRP/USD")
    assert waiting["id"] == placed["id"]
    assert client.fetch_balance()["XRP"]["used"] == 50
    with pytest.raises(ccxt.ExchangeError, match="EGeneral:Invalid arguments:price"):
        client.create_order("XRP/USD", "stop-loss", "sell", 5, 1.0)


def test_what_is_bought_with_closing_terms_is_offered_again(sandbox):
    client = sandbox.new_client("closing")
    client.create_order(
        "XRP/USD",
        "market",
        "buy",
        40,
        None,
        {"close": {"ordertype": "stop-loss-limit", "price": "1.0", "price2": "0.9"}},
    )
    opened = client.fetch_open_orders("XRP/USD")
    (trade, *_) = client.fetch_my_trades("XRP/USD")
    told = client.fetch_order(trade["order"])["info"]["descr"]["close"]
    assert told == "close position @ stop loss 1.00000 -> limit 0.90000"
    form = {"pair": "XRPUSD", "type": "buy", "ordertype": "market", "volume": "40"}
    wrong = {"close[ordertype]": "stop-loss-limit", "close[price]": "1", "close[price2]": "soon"}
    with pytest.raises(ccxt.ExchangeError, match=r"EGeneral:Invalid arguments:close\[price2\]"):
        client.privatePostAddOrder(form | wrong)

    assert sum(order["amount"] for order in opened) == 40
    assert {order["side"] for order in opened} == {"sell"}
    assert {order["info"]["refid"] for order in opened} == {trade["order"]}
    assert opened[0]["info"]["descr"]["ordertype"] == "stop-loss-limit"


def test_the_websocket_places_conditional_orders_and_tells_when_they_go_off(sandbox):
    client = sandbox.new_client("waits on the wire")
    client.create_order("XRP/USD", "market", "buy", 50)
    stream = sandbox.private(client)
    stream.subscribe("executions")
    price = float(client.fetch_ticker("XRP/USD")["last"])
    stream.send(
        "add_order",
        symbol="XRP/USD",
        side="sell",
        order_type="stop-loss",
        order_qty=50,
        triggers={"reference": "last", "price": round(price * 0.999, 5)},
    )
    first = stream.wait('"pending_new"')["data"][0]
    assert first["triggers"]["status"] == "untriggered"
    for _ in range(48):
        sandbox.advance(1800)
        if client.fetch_open_orders() == []:
            break
    fired = stream.wait('"status"', '"triggers"', '"triggered"')["data"][0]
    assert (fired["exec_type"], fired["order_status"]) == ("status", "triggered")
    assert stream.wait('"filled"', '"sequence"')["data"][0]["cum_qty"] == 50
    stream.close()


kinds = st.sampled_from(
    [
        ("stop-loss", "#1%", ""),
        ("take-profit", "#0.5%", ""),
        ("stop-loss-limit", "#0.7%", "#0.1%"),
        ("trailing-stop", "+0.6%", ""),
        ("trailing-stop-limit", "+0.6%", "-0.2%"),
        ("market", "", ""),
    ]
)


@given(st.lists(st.tuples(kinds, st.sampled_from(["buy", "sell"]), st.integers(2, 3000))))
@settings(max_examples=25, deadline=None)
def test_no_money_appears_whatever_waits(history):
    exchange = Exchange(Synthetic(7, 0.015), 8)
    exchange.time = START
    for asset, amount in (("ZUSD", "10000"), ("XXRP", "5000")):
        exchange.deposit("ann", asset, Decimal(amount), START)
    now = START
    for (kind, price, price2), side, quantity in history:
        now += 1800 * SECOND
        advance(exchange, now)
        close = Close(ordertype="take-profit", price="#1%") if quantity % 2 else None
        try:
            exchange.place(
                "ann",
                wanted(kind, price, side, price2, quantity=quantity * 10**8, close=close),
                now,
            )
        except Refused:
            continue
        finally:
            assert set(exchange.accounts.sums().values()) <= {0}
            for (account, asset), amount in exchange.accounts.balances.items():
                if account == "ann":
                    assert amount >= exchange.accounts.held[account, asset] >= 0
