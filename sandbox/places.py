"""Where a resting order stands in the queue at its price.

What the market showed at the price when the order came is before it. Every trade at the
price shortens that, so does the market when it shows less there, and all of it is gone once
the market's best price has moved behind the order's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.market import Stretch
    from sandbox.orders import Order


def line_up(exchange: Exchange, order: Order, now: int) -> None:
    """Put an order at the end of the queue at its price."""
    assert order.limit is not None
    order.ahead = exchange.liquidity[order.symbol].at(now, order.limit, asks=not order.buys)
    order.queued = now
    if order.display:
        order.shown = min(order.display, order.remaining)


def refill(exchange: Exchange, order: Order, now: int) -> None:
    """Show the next part of an iceberg, behind everything that is at its price by now."""
    if not order.display or order.shown > 0 or order.txid not in exchange.open:
        return
    exchange.mint("R")
    order.rank = exchange.minted
    line_up(exchange, order, now)
    exchange.report("iceberg_refill", order, now)


def left_behind(order: Order, stretch: Stretch, until: int) -> bool:
    """Tell whether the market's best price has been behind the order's by a moment."""
    assert order.limit is not None
    first, last = np.searchsorted(stretch.time, [order.queued, until], side="right")
    if order.buys:
        return bool((stretch.bid[first:last] < order.limit).any())
    return bool((stretch.ask[first:last] > order.limit).any())


def move_up(exchange: Exchange, order: Order, stretch: Stretch, time: int) -> None:
    """Take off what the market no longer has before an order at its price."""
    if not order.ahead:
        return
    assert order.limit is not None
    shown = exchange.liquidity[order.symbol].at(time, order.limit, asks=not order.buys)
    order.ahead = 0 if left_behind(order, stretch, time) else min(order.ahead, shown)
    exchange.journal.orders[order.txid] = order


def move_all_up(exchange: Exchange, symbol: str, stretch: Stretch, until: int) -> None:
    """Take off what the market has withdrawn from before its orders in a whole interval."""
    if not len(stretch.time):
        return
    low, high = int(stretch.bid.min()), int(stretch.ask.max())
    for order in exchange.open.values():
        if not order.ahead or order.symbol != symbol or order.limit is None or order.waiting:
            continue
        retreats = low < order.limit if order.buys else high > order.limit
        if retreats and left_behind(order, stretch, until):
            order.ahead = 0
            exchange.journal.orders[order.txid] = order
