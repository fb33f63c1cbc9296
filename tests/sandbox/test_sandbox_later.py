"""Orders begin at their time, and triggers by index follow a price no single trade moves."""

from decimal import Decimal

import numpy as np
import pytest

from sandbox.amendment import Change, amend
from sandbox.errors import Refused
from sandbox.exchange import Exchange
from sandbox.index import WINDOW_NS, index_price, index_series
from sandbox.instruments import BY_SYMBOL
from sandbox.limits import Limits
from sandbox.opening import Settings, open_venue
from sandbox.orders import OrderRequest, Reported
from sandbox.passage import QUOTE, _happen, advance
from sandbox.synthetic import HOUR_NS, Synthetic

XRP = BY_SYMBOL["XRP/USD"]
START = 492_000 * HOUR_NS + HOUR_NS // 3
SECOND = 1_000_000_000
LOT = 10**8


@pytest.fixture
def exchange():
    made = Exchange(Synthetic(7, 0.015), 8)
    made.time = START
    for asset, amount in (("ZUSD", "10000"), ("XXRP", "5000")):
        made.deposit("ann", asset, Decimal(amount), START)
    return made


def wanted(ordertype, side, quantity=100, **more):
    return OrderRequest(
        symbol="XRP/USD", side=side, ordertype=ordertype, quantity=quantity * LOT, **more
    )


def stop(side, price, **more):
    return wanted("stop-loss", side, terms=(XRP.price_text(price), ""), **more)


def kinds(exchange):
    return [event.kind for event in exchange.events if isinstance(event, Reported)]


def test_a_scheduled_order_is_pending_until_its_time_and_pays_then(exchange):
    starts = START + 60 * SECOND
    order = exchange.place("ann", wanted("market", "buy", starts=starts), START)
    assert (order.status, order.trades) == ("pending", [])
    assert exchange.accounts.held["ann", "ZUSD"] > 0
    assert kinds(exchange) == ["pending_new"]
    advance(exchange, starts - 1)
    assert order.status == "pending"
    advance(exchange, starts + HOUR_NS)

    assert order.status == "closed"
    first = exchange.trades[order.trades[0]]
    assert starts <= first.time < starts + SECOND
    assert kinds(exchange)[:2] == ["pending_new", "new"]
    assert exchange.accounts.held["ann", "ZUSD"] == 0


def test_a_scheduled_limit_order_is_not_on_the_book_before(exchange):
    bid, _ = exchange.market.touch(XRP, START)
    starts = START + 600 * SECOND
    order = exchange.place("ann", wanted("limit", "buy", limit=bid - 9000, starts=starts), START)
    assert order not in exchange.resting("XRP/USD", buys=True)
    advance(exchange, starts + SECOND)
    assert order in exchange.resting("XRP/USD", buys=True)


def test_a_scheduled_order_can_be_cancelled_and_waits_for_a_price_if_it_must(exchange):
    last = exchange.last_price(XRP, START)
    starts = START + 600 * SECOND
    order = exchange.place("ann", stop("sell", last + 20_000, starts=starts), START)
    assert order.waiting
    other = exchange.place("ann", wanted("market", "sell", starts=starts), START)
    exchange.cancel(other, START + SECOND)
    advance(exchange, starts + SECOND)

    assert (order.status, other.status) == ("closed", "canceled")
    assert order.stop.fired == starts


def test_a_scheduled_order_that_cannot_be_paid_any_more_ends(exchange):
    starts = START + 60 * SECOND
    order = exchange.place("ann", wanted("market", "buy", 1000, starts=starts), START)
    exchange.accounts.hold("ann", "ZUSD", exchange.accounts.free("ann", "ZUSD"))
    exchange.accounts.hold("ann", "ZUSD", Decimal(1000))
    advance(exchange, starts + SECOND)

    assert (order.status, order.reason) == ("canceled", "Insufficient funds")


def test_what_is_scheduled_hidden_or_queued_survives_a_restart(tmp_path):
    def reopen():
        return open_venue(
            Settings(
                seed=7,
                market="synthetic",
                edge=150,
                clock="simulated",
                speed=1,
                start="2026-03-01T10:30:00Z",
                state=str(tmp_path / "state"),
                fees=1,
                balance=("USD=10000", "XRP=5000"),
                key="key",
                secret="c2VjcmV0" * 8,
            )
        )

    venue = reopen()
    now = venue.sync()
    bid, _ = venue.exchange.market.touch(XRP, now)
    starts = now + 60 * SECOND
    later = venue.exchange.place("main", wanted("market", "buy", 1500, starts=starts), now)
    hidden = venue.exchange.place(
        "main", wanted("iceberg", "sell", 100, limit=bid + 900, display=20 * LOT), now
    )
    venue.commit(now)
    venue.store.close()
    again = reopen()
    kept = {order.txid: order for order in again.exchange.open.values()}
    assert (kept[later.txid].status, kept[later.txid].starts) == ("pending", starts)
    assert kept[hidden.txid] == hidden
    assert again.exchange.accounts.held == venue.exchange.accounts.held
    again.clock.advance(120 * SECOND)
    after = again.sync()
    again.commit(after)
    assert again.order(later.txid).status == "closed"
    again.store.close()

    third = reopen().exchange
    assert third.volumes.of("main", after) == again.exchange.volumes.of("main", after) > 2500
    assert third.volumes.tier("main", after) == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"starts": START + 400 * 86400 * SECOND}, "starttm"),
        ({"starts": START + 60 * SECOND, "expires": START + 62 * SECOND}, "expiretm"),
        ({"expires": START + 4 * SECOND}, "expiretm"),
        ({"tif": "GTD"}, "expiretm"),
    ],
)
def test_times_that_make_no_sense_are_refused(exchange, more, words):
    with pytest.raises(Refused, match=f"EGeneral:Invalid arguments:{words}"):
        exchange.place("ann", wanted("limit", "buy", limit=100_000, **more), START)


def test_the_index_is_the_average_middle_of_the_last_minute(exchange):
    market = exchange.market
    now = int(market.stretch(XRP, START - WINDOW_NS, START).time[-1])
    quotes = market.stretch(XRP, now - WINDOW_NS, now)
    middle = (quotes.bid + quotes.ask) / 2

    assert index_price(market, XRP, START) == int(np.floor(middle.mean() + 0.5))
    times, prices = index_series(market, XRP, START, START + HOUR_NS)
    for time, price in list(zip(times.tolist(), prices.tolist(), strict=True))[::200]:
        assert index_price(market, XRP, time) == price


def test_the_index_moves_less_than_the_last_price(exchange):
    _, prices = index_series(exchange.market, XRP, START, START + 4 * HOUR_NS)
    traded = exchange.tapes["XRP/USD"].between(START, START + 4 * HOUR_NS).price

    assert np.abs(np.diff(prices)).mean() < np.abs(np.diff(traded)).mean() / 4
    assert np.abs(prices.mean() / traded.mean() - 1) < 0.001


def test_an_index_trigger_waits_for_the_index_and_not_for_a_trade(exchange):
    index = index_price(exchange.market, XRP, START)
    trigger = index - 150
    order = exchange.place("ann", stop("sell", trigger, reference="index"), START)
    _, prices = index_series(exchange.market, XRP, START, START + 24 * HOUR_NS)
    times, _ = index_series(exchange.market, XRP, START, START + 24 * HOUR_NS)
    moment = int(times[(prices <= trigger).argmax()])
    advance(exchange, START + 24 * HOUR_NS)

    assert (order.status, order.stop.fired) == ("closed", moment)
    assert order.stop.at <= trigger


def test_a_stop_by_index_survives_a_trade_that_sets_off_a_stop_by_last(exchange):
    _, ask = exchange.market.touch(XRP, START)
    far = ask + 400
    by_last = exchange.place("ann", stop("buy", far, quantity=10), START)
    by_index = exchange.place("ann", stop("buy", far, quantity=10, reference="index"), START)
    exchange.deposit("bob", "ZUSD", Decimal(10**9), START)
    exchange.place("bob", wanted("limit", "buy", 10**6, limit=far + 100, tif="IOC"), START + 1)

    assert by_last.status == "closed"
    assert by_index.waiting


def test_an_amendment_without_a_trade_does_not_repeat_an_old_price(exchange):
    for asset in ("XXRP", "ZUSD"):
        exchange.deposit("bob", asset, Decimal(1000), START)
    bid, ask = exchange.market.touch(XRP, START)
    inside = (bid + ask) // 2
    partly = exchange.place("ann", wanted("limit", "buy", limit=inside), START)
    exchange.place("bob", wanted("limit", "sell", 40, limit=inside), START + 1)
    exchange.place("bob", wanted("market", "buy", 10), START + 2)
    watching = exchange.place("bob", stop("sell", inside, quantity=10), START + 3)
    assert (partly.filled, watching.waiting) == (40 * LOT, True)
    amend(exchange, partly, Change(quantity=200 * LOT), START + 4)

    assert watching.waiting


def test_a_trailing_stop_by_index_trails_the_index(exchange):
    order = exchange.place(
        "ann", wanted("trailing-stop", "sell", terms=("+1%", ""), reference="index"), START
    )
    index = index_price(exchange.market, XRP, START)
    assert (order.stop.peak, order.stop.trigger) == (index, index - index // 100)
    advance(exchange, START + 48 * HOUR_NS)
    assert order.status == "closed"
    _, prices = index_series(exchange.market, XRP, START, order.stop.fired)
    assert order.stop.peak == max(int(prices.max()), index)


def test_a_limit_price_may_count_from_the_last_trade(exchange):
    last = exchange.last_price(XRP, START)
    for text, side, price in (("-2%", "buy", last - int(last * Decimal("0.02"))),
                              ("+0.10000", "sell", last + 10_000),
                              ("#1%", "buy", last - last // 100)):  # fmt: skip
        order = exchange.place("ann", wanted("limit", side, 10, terms=(text, "")), START)
        assert order.limit == price


def test_scheduled_orders_have_a_limit_of_their_own():
    limits = Limits("starter")
    limits.check_scheduled(59)
    with pytest.raises(Refused, match="EOrder:Scheduled orders limit exceeded"):
        limits.check_scheduled(60)


def test_a_fill_by_a_quote_that_crosses_sets_off_who_waits_for_its_price(exchange):
    exchange.deposit("bob", "XXRP", Decimal(1000), START)
    _, ask = exchange.market.touch(XRP, START)
    exchange.deposit("bob", "ZUSD", Decimal(1000), START)
    exchange.place("bob", wanted("market", "buy", 10), START)
    order = exchange.place("ann", wanted("limit", "buy", limit=ask - 100), START)
    watching = exchange.place("bob", stop("sell", ask - 100, quantity=10), START)
    assert watching.waiting
    stretch = exchange.market.stretch(XRP, START, START + 24 * HOUR_NS)
    moment = int(stretch.time[(stretch.ask <= ask - 100).argmax()])

    assert _happen(exchange, XRP, stretch, (moment, QUOTE, 0))
    assert (order.status, watching.stop.fired) == ("closed", moment)
