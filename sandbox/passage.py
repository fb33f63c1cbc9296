"""The passing of time: the market trades through resting orders, and orders run out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox.instruments import PAIRS, Pair
from sandbox.liquidity import DEPTH
from sandbox.market import HOUR_NS, Flags, Prints, Stretch
from sandbox.matching import fill_resting, reaches
from sandbox.orders import EXPIRED, OPEN
from sandbox.triggers import fire

if TYPE_CHECKING:
    from sandbox.exchange import Exchange

QUOTE = -1


def advance(exchange: Exchange, now: int) -> None:
    """Bring the exchange to a moment, in the order in which things happen until then."""
    exchange.market.reach(now)
    while exchange.open and exchange.time < now:
        due = min((o.expires for o in exchange.open.values() if o.expires), default=now)
        fires = min(exchange.switches.values(), default=now)
        until = max(min(now, due, fires, (exchange.time // HOUR_NS + 1) * HOUR_NS), exchange.time)
        for pair in PAIRS:
            _trade(exchange, pair, exchange.time, until)
        exchange.time = until
        for pair in PAIRS:
            exchange.witness(pair, until)
        _run_out(exchange, until)
    exchange.time = max(exchange.time, now)
    _run_out(exchange, exchange.time)
    for pair in PAIRS:
        exchange.witness(pair, exchange.time)


def _run_out(exchange: Exchange, now: int) -> None:
    for account, fires in list(exchange.switches.items()):
        if fires <= now:
            del exchange.switches[account]
            exchange.journal.switches = True
            for order in exchange.open_orders(account):
                exchange.cancel(order, fires, "Cancel all orders after timeout")
    for order in list(exchange.open.values()):
        if order.expires and order.expires <= now:
            exchange.finish(order, EXPIRED, order.expires, "Order expired")


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
    for time, row in _candidates(exchange, pair, stretch, (bid, ask)):
        exchange.witness(pair, time)
        if row == QUOTE:
            _cross(exchange, pair, time)
        else:
            _hit(exchange, pair, time, stretch.prints, row)
            if fire(exchange, pair, int(stretch.prints.price[row]), time):
                exchange.follow_up(time)
                return time
        if exchange.owed:
            exchange.follow_up(time)
            return time
    return until


def _watched(exchange: Exchange, pair: Pair, prints: Prints) -> Flags:
    """Mark the trades that may set off an order, or move one that trails."""
    marks = np.zeros(len(prints.time), dtype=bool)
    for order in exchange.waiting(pair.symbol):
        assert order.stop is not None
        if order.stop.offset:
            return np.ones_like(marks)
        rising = order.buys != order.ordertype.startswith("take")
        trigger = order.stop.trigger
        marks |= prints.price >= trigger if rising else prints.price <= trigger
    return marks


def _candidates(
    exchange: Exchange, pair: Pair, stretch: Stretch, best: tuple[int, int]
) -> list[tuple[int, int]]:
    """Find the quotes and trades that may reach an order, in the order of time."""
    near = (stretch.ask <= best[0]) | (stretch.bid >= best[1])
    found = [(int(time), QUOTE) for time in stretch.time[near]]
    prints = stretch.prints
    near = np.where(prints.bought, prints.price >= best[1], prints.price <= best[0])
    near |= _watched(exchange, pair, prints)
    found.extend((int(prints.time[row]), int(row)) for row in np.flatnonzero(near))
    return sorted(found)


def _cross(exchange: Exchange, pair: Pair, time: int) -> None:
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


def _hit(exchange: Exchange, pair: Pair, time: int, prints: Prints, row: int) -> None:
    price, lots = int(prints.price[row]), int(prints.quantity[row])
    for order in exchange.resting(pair.symbol, buys=not prints.bought[row]):
        if lots == 0 or not reaches(order, price):
            return
        if order.limit == price:
            passed = min(order.ahead, lots)
            order.ahead -= passed
            exchange.journal.orders[order.txid] = order
            lots -= passed
        take = min(lots, order.remaining)
        if take:
            lots -= take
            fill_resting(exchange, order, take, time)
