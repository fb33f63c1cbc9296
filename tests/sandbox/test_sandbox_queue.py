"""Nobody fills before what stood ahead has traded or gone, and icebergs hide what they hide."""

from decimal import Decimal

import numpy as np
import pytest

from sandbox.amendment import Change, amend
from sandbox.book import shown
from sandbox.errors import Refused
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.liquidity import offers_in_order
from sandbox.market import Prints, Stretch
from sandbox.orders import OrderRequest, Reported
from sandbox.passage import _hit, advance
from sandbox.synthetic import HOUR_NS, Synthetic

XRP = BY_SYMBOL["XRP/USD"]
START = 492_000 * HOUR_NS + HOUR_NS // 3
SECOND = 1_000_000_000
LOT = 10**8


def opened(now=START):
    exchange = Exchange(Synthetic(7, 0.015), 8)
    exchange.time = now
    for account in ("ann", "bob"):
        for asset, amount in (("ZUSD", "100000"), ("XXRP", "50000")):
            exchange.deposit(account, asset, Decimal(amount), now)
    return exchange


def limit(side, quantity, price, **more):
    more.setdefault("ordertype", "limit")
    return OrderRequest(symbol="XRP/USD", side=side, quantity=quantity * LOT, limit=price, **more)


def iceberg(side, quantity, price, display):
    return limit(side, quantity, price, ordertype="iceberg", display=display * LOT)


def kinds(exchange, order):
    return [
        event.kind
        for event in exchange.events
        if isinstance(event, Reported) and event.order.txid == order.txid
    ]


def fills(exchange, order):
    return [exchange.trades[name] for name in order.trades]


def sell(exchange, *trades):
    """Let the market sell quantities at prices, within the moment at which the test began."""
    none = np.empty(0, np.int64)
    price, lots = (np.array(column, np.int64) for column in zip(*trades, strict=True))
    flags = np.zeros(len(price), bool)
    time = START + np.arange(len(price))
    prints = Prints(time, price, lots, flags, flags, time)
    for row in range(len(price)):
        _hit(exchange, XRP, int(time[row]), Stretch(none, none, none, prints), row)


def test_a_fill_waits_for_the_quantity_that_stood_ahead():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, START)
    first = exchange.place("ann", limit("buy", 10, bid), START)
    second = exchange.place("bob", limit("buy", 10, bid), START)
    ahead = first.ahead
    sell(exchange, (bid, ahead - LOT), (bid + 1, 50 * LOT))
    assert (first.filled, first.ahead) == (0, LOT)
    sell(exchange, (bid, 4 * LOT))
    assert (first.filled, second.filled) == (3 * LOT, 0)
    sell(exchange, (bid, 12 * LOT))
    assert (first.filled, second.filled) == (10 * LOT, 5 * LOT)


def test_a_trade_beyond_the_price_has_taken_everything_before():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, START)
    order = exchange.place("ann", limit("buy", 10, bid), START)
    sell(exchange, (bid - 1, 4 * LOT))

    assert order.filled == 4 * LOT


def test_an_iceberg_at_the_price_of_a_trade_gives_only_what_it_shows():
    exchange = opened()
    bid, ask = exchange.market.touch(XRP, START)
    inside = (bid + ask) // 2
    order = exchange.place("ann", iceberg("buy", 100, inside, 10), START)
    sell(exchange, (inside, 25 * LOT))
    assert order.filled == 10 * LOT
    sell(exchange, (bid, 25 * LOT))
    assert order.filled == 35 * LOT


def test_what_stood_ahead_is_gone_once_the_market_has_left_the_price():
    freed = 0
    for minute in range(0, 360, 20):
        begin = START + minute * 60 * SECOND
        exchange = opened(begin)
        bid, _ = exchange.market.touch(XRP, begin)
        order = exchange.place("ann", limit("buy", 20000, bid), begin)
        end = begin + 60 * SECOND
        advance(exchange, end)
        left = (exchange.market.stretch(XRP, begin, end).bid < bid).any()
        if left and order.status == "open":
            assert order.ahead == 0
            freed += 1
    assert freed


def test_two_orders_at_a_price_do_not_wait_for_the_same_quantity_twice():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, START)
    first = exchange.place("ann", limit("buy", 10, bid), START)
    second = exchange.place("bob", limit("buy", 10, bid), START)
    assert first.ahead == second.ahead
    offers = [(o.lots, o.maker and o.maker.txid) for o in reached(exchange, bid)]

    assert offers[:3] == [(first.ahead, None), (10 * LOT, first.txid), (10 * LOT, second.txid)]


def reached(exchange, price):
    levels = exchange.liquidity["XRP/USD"].side(START, 5, asks=False)
    resting = exchange.resting("XRP/USD", buys=True)
    return [offer for offer in offers_in_order(levels, resting) if offer.price == price]


def test_an_iceberg_shows_only_its_part_and_refills_behind_the_others():
    exchange = opened()
    bid, ask = exchange.market.touch(XRP, START)
    inside = (bid + ask) // 2
    hidden = exchange.place("ann", iceberg("sell", 100, inside, 20), START)
    plain = exchange.place("ann", limit("sell", 30, inside), START + 1)
    assert shown(exchange, XRP, START + 1, 10)[1][0] == (inside, 50 * LOT)
    taker = exchange.place("bob", limit("buy", 60, inside, tif="IOC"), START + 2)

    assert [fill.quantity // LOT for fill in fills(exchange, taker)] == [20, 30, 10]
    assert plain.status == "closed"
    assert (hidden.filled, hidden.visible) == (30 * LOT, 10 * LOT)
    assert kinds(exchange, hidden) == ["pending_new", "new", "trade", "iceberg_refill", "trade"]
    exchange.place("bob", limit("buy", 500, inside, tif="IOC"), START + 3)
    assert hidden.status == "closed"
    assert kinds(exchange, hidden).count("iceberg_refill") == 4


def test_the_market_fills_an_iceberg_part_by_part():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, START)
    order = exchange.place("ann", iceberg("buy", 3000, bid - 200, 200), START)
    advance(exchange, START + 24 * HOUR_NS)

    assert order.status == "closed"
    assert kinds(exchange, order).count("iceberg_refill") >= 5
    assert sum(fill.quantity for fill in fills(exchange, order)) == 3000 * LOT
    assert all(fill.maker and fill.price == bid - 200 for fill in fills(exchange, order))


@pytest.mark.parametrize(
    ("kind", "display", "allowed"),
    [("iceberg", 100, True), ("iceberg", 7, True), ("iceberg", 6, False), ("iceberg", 101, False),
     ("iceberg", 0, False), ("limit", 50, False)],
)  # fmt: skip
def test_an_iceberg_shows_a_fifteenth_of_itself_at_least(kind, display, allowed):
    exchange = opened()
    request = limit("buy", 100, 100_000, ordertype=kind, display=display * LOT)
    if allowed:
        assert exchange.place("ann", request, START).status == "open"
    else:
        with pytest.raises(Refused, match="EGeneral:Invalid arguments:displayvol"):
            exchange.place("ann", request, START)


def test_an_amendment_may_show_less_and_stay_or_more_and_go_to_the_back():
    exchange = opened()
    order = exchange.place("ann", iceberg("buy", 100, 100_000, 20), START)
    rank = order.rank
    amend(exchange, order, Change(display=10 * LOT), START + 1)
    assert (order.rank, order.visible) == (rank, 10 * LOT)
    amend(exchange, order, Change(display=40 * LOT), START + 2)
    assert order.rank > rank
    assert order.visible == 40 * LOT
    with pytest.raises(Refused, match="EGeneral:Invalid arguments:displayvol"):
        amend(exchange, order, Change(display=LOT), START + 3)


def test_an_order_loses_its_place_for_a_price_or_for_more_but_not_for_less():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, START)
    order = exchange.place("ann", limit("buy", 100, bid), START)
    rank, ahead = order.rank, order.ahead
    amend(exchange, order, Change(quantity=50 * LOT), START + 1)
    assert (order.rank, order.ahead) == (rank, ahead)
    for change in (Change(quantity=60 * LOT), Change(limit=bid - 10), Change(limit=bid)):
        before = order.rank
        amend(exchange, order, change, START + 2)
        assert order.rank > before


def test_an_order_amended_to_less_than_it_filled_ends_with_what_it_has():
    exchange = opened()
    bid, ask = exchange.market.touch(XRP, START)
    inside = (bid + ask) // 2
    order = exchange.place("ann", limit("sell", 100, inside), START)
    exchange.place("bob", limit("buy", 40, inside), START + 1)
    assert order.filled == 40 * LOT
    amend(exchange, order, Change(quantity=30 * LOT), START + 2)

    assert (order.status, order.filled, order.reserve) == ("canceled", 40 * LOT, 0)
    assert exchange.accounts.held["ann", "XXRP"] == 0


def test_an_amendment_that_would_trade_is_refused_if_it_must_not():
    exchange = opened()
    _, ask = exchange.market.touch(XRP, START)
    order = exchange.place("ann", limit("buy", 100, 100_000), START)
    with pytest.raises(Refused, match="EOrder:Post only order"):
        amend(exchange, order, Change(limit=ask + 100, post_only=True), START + 1)
    amend(exchange, order, Change(limit=ask + 100), START + 2)

    assert order.status == "closed"


def test_the_oldest_both_or_the_newest_end_where_a_client_meets_itself():
    outcomes = {}
    for rule in ("cancel-newest", "cancel-oldest", "cancel-both"):
        exchange = opened()
        bid, ask = exchange.market.touch(XRP, START)
        inside = (bid + ask) // 2
        old = exchange.place("ann", iceberg("sell", 40, inside, 10), START)
        new = exchange.place("ann", limit("buy", 40, inside, stp=rule), START + 1)
        outcomes[rule] = (old.status, new.status)
        assert not exchange.trades

    assert outcomes == {
        "cancel-newest": ("open", "canceled"),
        "cancel-oldest": ("canceled", "open"),
        "cancel-both": ("canceled", "canceled"),
    }


def test_the_book_of_prices_never_shows_what_is_hidden():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, START)
    before = dict(shown(exchange, XRP, START, 10)[0])
    exchange.place("ann", iceberg("buy", 1500, bid, 100), START)
    after = dict(shown(exchange, XRP, START, 10)[0])

    assert after[bid] - before[bid] == 100 * LOT
    assert np.sum(list(after.values())) - np.sum(list(before.values())) == 100 * LOT
