"""While the exchange is not open for trading nothing trades; what is due happens afterwards."""

from decimal import Decimal

import pytest

from sandbox.calamities import let_strike, relieve, resume
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.orders import OrderRequest
from sandbox.passage import advance
from sandbox.synthetic import Synthetic

SECOND = 10**9
HOUR = 3600 * SECOND
START = 1_772_361_000 * SECOND
XRP = BY_SYMBOL["XRP/USD"]
CLOSED = ["maintenance", "cancel_only", "post_only"]


@pytest.fixture
def exchange():
    """Give an exchange with two clients who hold both currencies."""
    made = Exchange(Synthetic(7, 0.015), 8)
    made.time = START
    for asset, amount in (("ZUSD", "10000"), ("XXRP", "5000")):
        made.deposit("ann", asset, Decimal(amount), START)
        made.deposit("bob", asset, Decimal(amount), START)
    return made


def place(exchange, ordertype, price=None, side="buy", account="ann", **more):
    if ordertype == "limit":
        more["limit"] = price
    elif price:
        more["terms"] = XRP.price_text(price), ""
    request = OrderRequest(symbol="XRP/USD", side=side, ordertype=ordertype, quantity=10**9, **more)
    return exchange.place(account, request, START)


@pytest.mark.parametrize("mode", CLOSED)
def test_nothing_trades_begins_or_goes_off_until_the_exchange_is_open(exchange, mode):
    bid, _ = exchange.market.touch(XRP, START)
    resting = place(exchange, "limit", bid)
    trigger = exchange.last_price(XRP, START) - 100
    stop = place(exchange, "stop-loss", trigger, side="sell", account="bob")
    later = place(exchange, "market", starts=START + 60 * SECOND)
    advance(exchange, START + 12 * HOUR, mode)
    assert [order.filled for order in (resting, stop, later)] == [0, 0, 0]
    assert (stop.waiting, later.status, exchange.time) == (True, "pending", START + 12 * HOUR)

    advance(exchange, START + 24 * HOUR)
    assert [order.status for order in (resting, stop, later)] == ["closed"] * 3
    fills = [exchange.trades[name] for order in (resting, stop, later) for name in order.trades]
    assert min(fill.time for fill in fills) >= START + 12 * HOUR


def test_with_limit_orders_only_trading_goes_on(exchange):
    bid, _ = exchange.market.touch(XRP, START)
    resting = place(exchange, "limit", bid)
    advance(exchange, START + 12 * HOUR, "limit_only")

    assert resting.status == "closed"


@pytest.mark.parametrize("mode", CLOSED)
def test_what_runs_out_in_maintenance_runs_out_when_the_exchange_is_back(exchange, mode):
    brief = place(exchange, "limit", 50000, tif="GTD", expires=START + 60 * SECOND)
    kept = place(exchange, "limit", 50000)
    exchange.arm("ann", 90, START)
    advance(exchange, START + HOUR, mode)
    away = mode == "maintenance"
    wanted = ("open", "open") if away else ("expired", "canceled")
    assert (brief.status, kept.status) == wanted

    advance(exchange, START + 2 * HOUR)
    assert (brief.status, kept.status) == ("expired", "canceled")
    assert exchange.switches == {}


def test_a_mode_is_heard_at_the_door(floor):
    token, caller = floor.token(), floor.enter()
    bid, _ = floor.venue.exchange.market.touch(XRP, floor.venue.sync())
    terms = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "order_qty": 10}
    price = float(XRP.price_text(bid))
    made = caller.ask("add_order", token=token, limit_price=price, **terms)[0]["result"]
    order = floor.venue.order(made["order_id"])
    floor.venue.mode = "post_only"
    floor.advance(12 * 3600)
    floor.pulse(1.0)
    assert order.filled == 0
    floor.venue.mode = "online"
    floor.advance(12 * 3600)
    floor.pulse(2.0)

    assert order.filled == order.quantity


def modes(venue, start, seconds):
    """Let so many seconds pass, and return the mode at the end of each."""
    seen = []
    for second in seconds:
        let_strike(venue, [], start + second * SECOND)
        seen.append(venue.mode)
    return seen


@pytest.mark.parametrize(("first", "lasts"), [(1, 4), (1, 9), (3, 9)])
def test_of_two_maintenances_at_a_time_the_later_is_felt_and_none_stays(floor, first, lasts):
    """As in run 9193 of the campaign, whose exchange stayed in maintenance for ever."""
    venue, now = floor.venue, floor.venue.sync()
    venue.faults.add({"kind": "maintenance", "from": first, "for": lasts}, now)
    venue.faults.add({"kind": "maintenance", "from": 2, "for": 5, "mode": "post_only"}, now)
    spans = [(first, first + lasts, "maintenance"), (2, 7, "post_only")]
    felt = [
        max((s for s in spans if s[0] <= at < s[1]), default=("", "", "online")) for at in range(14)
    ]

    assert modes(venue, now, range(14)) == [mode for _, _, mode in felt]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_maintenances_that_are_taken_back_leave_the_exchange_as_it_was(floor, order):
    venue, now = floor.venue, floor.venue.sync()
    venue.mode = "limit_only"
    names = [venue.faults.add({"kind": "maintenance", "mode": mode}, now).id for mode in CLOSED[:2]]
    assert modes(venue, now, [0]) == ["cancel_only"]
    for place, left in zip(order, (CLOSED[order[1]], "limit_only"), strict=True):
        for fault in venue.faults.remove(names[place]):
            relieve(venue, fault)

        assert venue.mode == left


def test_a_squeeze_that_is_over_leaves_the_one_that_is_not(floor):
    venue, now = floor.venue, floor.venue.sync()
    venue.faults.add({"kind": "rate_limit", "share": 0.5, "for": 5}, now)
    venue.faults.add({"kind": "rate_limit", "share": 0.1, "from": 1, "for": 2}, now)
    felt = []
    for second in range(7):
        let_strike(venue, [], now + second * SECOND)
        felt.append(venue.limits.share)

    assert felt == [0.5, 0.1, 0.1, 0.5, 0.5, None, None]


def test_after_a_restart_the_calamity_that_began_last_is_felt(floor):
    venue, now = floor.venue, floor.venue.sync()
    venue.faults.add({"kind": "maintenance", "from": 3}, now)
    venue.faults.add({"kind": "maintenance", "from": 1, "mode": "post_only"}, now)
    assert modes(venue, now, [2, 4]) == ["post_only", "maintenance"]
    venue.mode = "online"
    resume(venue)

    assert venue.mode == "maintenance"
