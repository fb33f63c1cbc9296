"""The passing of time: the market trades through resting orders, and orders run out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox.index import index_series
from sandbox.instruments import PAIRS, Pair
from sandbox.liquidity import DEPTH
from sandbox.market import HOUR_NS, Flags, Ints, Stretch
from sandbox.matching import fill_resting, reaches
from sandbox.orders import EXPIRED, OPEN, PENDING
from sandbox.places import move_all_up, move_up
from sandbox.triggers import fire

if TYPE_CHECKING:
    from sandbox.exchange import Exchange

QUOTE, INDEX = -1, -2
MAINTENANCE = "maintenance"
STANDSTILL = frozenset({MAINTENANCE, "cancel_only", "post_only"})
Moment = tuple[int, int, int]


def advance(exchange: Exchange, now: int, mode: str = "online") -> None:
    """Bring the exchange to a moment, in the order in which things happen until then.

    While only cancelling or posting is allowed nothing trades, begins or goes off, but orders run
    out. In maintenance not even that: what is due then happens when the exchange is back.
    """
    exchange.market.reach(now)
    if mode in STANDSTILL:
        _stand_still(exchange, now, mode)
        return
    while exchange.open and exchange.time < now:
        due = min((o.expires for o in exchange.open.values() if o.expires), default=now)
        starts = min((o.starts for o in exchange.scheduled()), default=now)
        fires = min(exchange.switches.values(), default=now)
        hour = (exchange.time // HOUR_NS + 1) * HOUR_NS
        until = max(min(now, due, starts, fires, hour), exchange.time)
        for pair in PAIRS:
            _trade(exchange, pair, exchange.time, until)
        exchange.time = until
        for pair in PAIRS:
            exchange.witness(pair, until)
        _run_out(exchange, until)
        _start(exchange, until)
    exchange.time = max(exchange.time, now)
    _run_out(exchange, exchange.time)
    _start(exchange, exchange.time)
    for pair in PAIRS:
        exchange.witness(pair, exchange.time)


def _stand_still(exchange: Exchange, now: int, mode: str) -> None:
    exchange.time = max(exchange.time, now)
    if mode != MAINTENANCE:
        _run_out(exchange, exchange.time)
    for pair in PAIRS:
        exchange.witness(pair, exchange.time)


def _run_out(exchange: Exchange, now: int) -> None:
    for account, fires in list(exchange.switches.items()):
        if fires <= now:
            del exchange.switches[account]
            exchange.journal.switches = True
            for order in exchange.open_orders(account):
                if 0 < order.expires < fires:
                    continue
                exchange.cancel(order, fires, "Cancel all orders after timeout")
    for order in list(exchange.open.values()):
        if order.expires and order.expires <= now:
            exchange.finish(order, EXPIRED, order.expires, "Order expired")


def _start(exchange: Exchange, now: int) -> None:
    for order in sorted(exchange.scheduled(), key=lambda o: (o.starts, o.rank)):
        if order.starts <= now and order.status == PENDING:
            exchange.start(order, now)


def _trade(exchange: Exchange, pair: Pair, after: int, until: int) -> None:
    """Let the market's quotes and trades in an interval of one hour reach the orders.

    An order set off may rest at a better price than any before, so the search begins anew.
    """
    while after < until and any(o.symbol == pair.symbol for o in exchange.open.values()):
        after = _trade_on(exchange, pair, after, until)


def _trade_on(exchange: Exchange, pair: Pair, after: int, until: int) -> int:
    buys = exchange.resting(pair.symbol, buys=True)
    sells = exchange.resting(pair.symbol, buys=False)
    bid = buys[0].limit or 0 if buys else 0
    ask = sells[0].limit or 0 if sells else np.iinfo(np.int64).max
    stretch = exchange.market.stretch(pair, after, until)
    near = _near(exchange, pair, stretch, (bid, ask))
    for moment in sorted([*near, *_indexed(exchange, pair, after, until)]):
        exchange.witness(pair, moment[0] - 1)
        fired = _happen(exchange, pair, stretch, moment)
        if exchange.owed or fired:
            until = moment[0]
            exchange.follow_up(until)
            break
    move_all_up(exchange, pair.symbol, stretch, until)
    return until


def _happen(exchange: Exchange, pair: Pair, stretch: Stretch, moment: Moment) -> bool:
    """Let a quote, a trade or a change of the index reach the orders; tell if one went off."""
    time, row, price = moment
    if row == INDEX:
        return fire(exchange, pair, price, time, reference="index")
    if row == QUOTE:
        filled = _cross(exchange, pair, time)
        return filled is not None and fire(exchange, pair, filled, time)
    _hit(exchange, pair, time, stretch, row)
    return fire(exchange, pair, price, time)


def _awaited(exchange: Exchange, pair: Pair, reference: str, prices: Ints) -> Flags:
    """Mark the prices that may set off an order, or move one that trails."""
    marks = np.zeros(len(prices), dtype=bool)
    for order in exchange.waiting(pair.symbol):
        stop = order.stop
        if stop is None or stop.reference != reference:
            continue
        if stop.offset:
            return np.ones_like(marks)
        rising = order.buys != order.ordertype.startswith("take")
        marks |= prices >= stop.trigger if rising else prices <= stop.trigger
    return marks


def _indexed(exchange: Exchange, pair: Pair, after: int, until: int) -> list[Moment]:
    """Find the moments at which the index may set off an order."""
    waiting = exchange.waiting(pair.symbol)
    if not any(o.stop is not None and o.stop.reference == "index" for o in waiting):
        return []
    times, prices = index_series(exchange.market, pair, after, until)
    marks = _awaited(exchange, pair, "index", prices)
    found = zip(times[marks].tolist(), prices[marks].tolist(), strict=True)
    return [(time, INDEX, price) for time, price in found]


def _near(exchange: Exchange, pair: Pair, stretch: Stretch, best: tuple[int, int]) -> list[Moment]:
    """Find the quotes and trades that may reach an order."""
    near = (stretch.ask <= best[0]) | (stretch.bid >= best[1])
    found = [(int(time), QUOTE, 0) for time in stretch.time[near]]
    prints = stretch.prints
    near = np.where(prints.bought, prints.price >= best[1], prints.price <= best[0])
    near |= _awaited(exchange, pair, "last", prints.price)
    rows = np.flatnonzero(near).tolist()
    found.extend((int(prints.time[row]), row, int(prints.price[row])) for row in rows)
    return found


def _cross(exchange: Exchange, pair: Pair, time: int) -> int | None:
    """Let the market's quotes meet the orders they cross, and give the price of the last fill."""
    filled: int | None = None
    liquidity = exchange.liquidity[pair.symbol]
    for buys in (True, False):
        levels = liquidity.side(time, DEPTH, asks=buys)
        left = {offer: offer.lots for offer in levels}
        for order in exchange.resting(pair.symbol, buys=buys):
            for offer, lots in left.items():
                if order.status != OPEN or not reaches(order, offer.price):
                    break
                take = min(lots, order.remaining)
                if take:
                    left[offer] = lots - take
                    liquidity.take(offer, take, asks=buys)
                    fill_resting(exchange, order, take, time)
                    filled = order.limit
    return filled


def _hit(exchange: Exchange, pair: Pair, time: int, stretch: Stretch, row: int) -> None:
    """Let a trade of the market reach the orders it could have traded with instead.

    A trade beyond an order's price has taken everything at that price; one at the price takes
    what stands before the order first, and of an iceberg only what it shows.
    """
    prints = stretch.prints
    price, lots, passed = int(prints.price[row]), int(prints.quantity[row]), 0
    for order in exchange.resting(pair.symbol, buys=not prints.bought[row]):
        if not reaches(order, price):
            return
        reached = order.remaining
        if order.limit == price:
            move_up(exchange, order, stretch, time)
            gone = min(max(order.ahead - passed, 0), lots)
            passed, lots = passed + gone, lots - gone
            order.ahead = max(order.ahead - passed, 0)
            reached = order.visible
        filled = min(lots, reached)
        if filled:
            lots -= filled
            fill_resting(exchange, order, filled, time)
