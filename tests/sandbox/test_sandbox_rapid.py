"""A fast market's book messages are, byte for byte, those that are made one at a time."""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from sandbox.bookfeed import BookFeed
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL, PAIRS
from sandbox.orders import OrderRequest
from sandbox.passage import advance
from sandbox.synthetic import HOUR_NS, Synthetic

NOON = 492_000 * HOUR_NS + HOUR_NS // 3
XRP = BY_SYMBOL["XRP/USD"]


def told(exchange, pair, depth, strikes, steps=4):
    feed, found = BookFeed(exchange, pair, depth, NOON), []
    for step in range(1, steps + 1):
        found.extend(feed.unroll(NOON + step * HOUR_NS // 8, strikes))
    return [*found, feed.snapshot(NOON + HOUR_NS)]


def one_at_a_time(_now):
    return False


def order(side, quantity, **more):
    kind = "limit" if "limit" in more else "market"
    lots = quantity * 10**8
    return OrderRequest(symbol="XRP/USD", side=side, ordertype=kind, quantity=lots, **more)


def opened():
    exchange = Exchange(Synthetic(7, 0.015), 8)
    exchange.time = NOON
    for asset, amount in (("ZUSD", 10**6), ("XXRP", 10**6)):
        exchange.deposit("ann", asset, Decimal(amount), NOON)
    return exchange


@pytest.mark.parametrize("depth", [10, 25])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.altname)
def test_many_changes_at_once_are_the_same_messages(pair, depth):
    exchange = opened()
    slow = told(exchange, pair, depth, one_at_a_time)

    assert len(slow) > 500
    assert told(exchange, pair, depth, None) == slow


def test_what_clients_took_is_missing_in_both():
    exchange = opened()
    before = told(exchange, XRP, 10, None)
    exchange.place("ann", order("buy", 20_000), NOON)
    slow = told(exchange, XRP, 10, one_at_a_time)

    assert slow != before
    assert told(exchange, XRP, 10, None) == slow


@pytest.mark.parametrize("distance", [1, 200, 100_000])
def test_clients_orders_show_in_both(distance):
    exchange = opened()
    bid, ask = exchange.market.touch(XRP, NOON)
    exchange.place("ann", order("buy", 50, limit=bid - distance), NOON)
    exchange.place("ann", order("sell", 50, limit=ask + distance), NOON)

    assert told(exchange, XRP, 10, None) == told(exchange, XRP, 10, one_at_a_time)


def test_a_book_is_told_as_it_stood_before_an_order_in_it_was_filled():
    exchange = opened()
    bid, _ = exchange.market.touch(XRP, NOON)
    placed = exchange.place("ann", order("buy", 50, limit=bid + 1), NOON)
    feed, found = BookFeed(exchange, XRP, 10, NOON), []

    def witness(pair, until):
        if pair is XRP:
            found.extend((until, bool(placed.filled)) for _ in feed.unroll(until, None))

    exchange.witness = witness
    while not placed.filled:
        advance(exchange, exchange.time + HOUR_NS)
    fill = exchange.trades[placed.trades[0]].time

    assert any(not filled for _, filled in found)
    assert all(not filled for until, filled in found if until < fill)


def test_a_market_that_runs_fast_skips_no_moment_of_its_book(start):
    fast = start("--speed", "3000", "--start", "2026-03-01T00:00:00Z")
    stream = fast.public()
    stream.subscribe("book", symbol=["XRP/USD"])
    told = [stream.wait('"book"', '"update"')["data"][0]["timestamp"] for _ in range(400)]
    stream.close()
    times = [datetime.fromisoformat(text).timestamp() for text in told]
    steps = [round((later - earlier) * 2048 / 3600) for earlier, later in pairwise(times)]

    assert min(steps) >= 1
    assert max(steps) <= 3
    assert steps.count(1) > 350
