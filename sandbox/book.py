"""The book as it is published: the market's levels and the clients' resting orders together.

The checksum and the differences are Kraken's: a client that applies every message holds the
same levels and computes the same number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.instruments import Pair
    from sandbox.market import Ints

Side = list[tuple[int, int]]
CHECKED = 10


def shown(exchange: Exchange, pair: Pair, now: int, depth: int) -> tuple[Side, Side]:
    """Give bids and asks as (ticks, lots), best first."""
    bids, asks = merged(exchange, pair, np.array([now], np.int64), depth)
    return bids[0], asks[0]


def best(exchange: Exchange, pair: Pair, now: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give the best bid and ask as (ticks, lots); 0 lots if clients took the whole side."""
    bids, asks = shown(exchange, pair, now, 1)
    bid, ask = exchange.market.touch(pair, now)
    return bids[0] if bids else (bid, 0), asks[0] if asks else (ask, 0)


def merged(
    exchange: Exchange, pair: Pair, times: Ints, depth: int
) -> tuple[list[Side], list[Side]]:
    """Give bids and asks at many moments in order, clients' orders always as they stand now.

    What the market offers at or beyond a client's order is about to be matched and not shown,
    so that no bid ever stands at an ask.
    """
    liquidity = exchange.liquidity[pair.symbol]
    orders = {buys: resting_levels(exchange, pair, buys=buys) for buys in (True, False)}
    made = []
    for buys, mine in orders.items():
        sides = liquidity.sides(times, depth + 1, asks=not buys)
        if orders[not buys]:
            wall = orders[not buys][0][0]
            sides = [[x for x in side if (x[0] < wall if buys else x[0] > wall)] for side in sides]
        made.append([_merge(side, mine, depth, buys=buys) for side in sides])
    return made[0], made[1]


def resting_levels(exchange: Exchange, pair: Pair, *, buys: bool) -> Side:
    """Give what clients' orders show on one side as (ticks, lots), best and oldest first."""
    return [
        (order.limit, order.visible)
        for order in exchange.resting(pair.symbol, buys=buys)
        if order.limit is not None
    ]


def _merge(side: Side, resting: Side, depth: int, *, buys: bool) -> Side:
    if not resting:
        return side[:depth]
    levels = dict(side)
    for price, lots in resting:
        levels[price] = levels.get(price, 0) + lots
    return sorted(levels.items(), reverse=buys)[:depth]


def crossed(bids: Side, asks: Side) -> tuple[Side, Side]:
    """Put a bid above the best ask, which no exchange would."""
    if not (bids and asks):
        return bids, asks
    return [(asks[0][0] + 1, bids[0][1]), *bids[:-1]], asks


def checksum(bids: Side, asks: Side) -> int:
    """Compute the CRC32 of the ten best levels, as docs.kraken.com/guides/spot-ws-book-v2 says.

    Prices and quantities are written with full precision, then lose the point and leading
    zeros, which leaves the numbers of ticks and lots.
    """
    best = asks[:CHECKED] + bids[:CHECKED]
    return crc32("".join([f"{price}{lots}" for price, lots in best]).encode())


def changes(before: Side, after: Side, depth: int, *, falling: bool) -> Side:
    """List the levels to send: 0 lots deletes; levels pushed out of the depth go unsaid."""
    if before == after:
        return []
    old, new = dict(before), dict(after)
    full = len(after) >= depth
    worst = after[-1][0] if after else 0
    gone = [
        (price, 0)
        for price in old
        if price not in new and not (full and _beyond(price, worst, falling=falling))
    ]
    return gone + [(price, lots) for price, lots in after if old.get(price) != lots]


def _beyond(price: int, worst: int, *, falling: bool) -> bool:
    return price < worst if falling else price > worst


def levels_text(pair: Pair, side: Side) -> str:
    """Write levels with full precision."""
    prices, lots = (np.array([level[part] for level in side], np.int64) for part in (0, 1))
    return ",".join(levels_texts(pair, prices, lots))


def levels_texts(pair: Pair, prices: Ints, lots: Ints) -> list[str]:
    """Write many levels with full precision, all digits of each in one go."""
    form = f'{{"price":%d.%0{pair.price_decimals}d,"qty":%d.%0{pair.lot_decimals}d}}'
    parts = [*np.divmod(prices, 10**pair.price_decimals), *np.divmod(lots, 10**pair.lot_decimals)]
    return [form % row for row in zip(*(part.tolist() for part in parts), strict=True)]
