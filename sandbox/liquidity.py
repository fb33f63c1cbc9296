"""The market's book as the exchange's clients have left it.

What a client takes is gone until the order that stood there is replaced by another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from sandbox.instruments import Pair
    from sandbox.market import Ints, Levels, Market
    from sandbox.orders import Order


REMEMBERED = 4096
DEPTH = 500
DEEPEST = 2000


@dataclass(frozen=True)
class Offer:
    """Something a taker may take: a part of the market's level, or a client's order."""

    price: int
    lots: int
    stamp: int
    maker: Order | None = None


class Taken(msgspec.Struct, frozen=True):
    """How much is gone of the level with a stamp."""

    symbol: str
    asks: bool
    price: int
    stamp: int
    lots: int


class Liquidity:
    """One market's depth, less what has been taken out of it.

    `changed` is what was taken, or forgotten, since the state was last kept.
    """

    def __init__(self, market: Market, pair: Pair) -> None:
        self.pair = pair
        self._market = market
        self._taken: dict[tuple[bool, int], tuple[int, int]] = {}
        self.changed: dict[tuple[bool, int], Taken | None] = {}
        self._drawn: dict[tuple[bool, int], tuple[int, Levels]] = {}

    def side(self, time: int, depth: int, *, asks: bool) -> list[Offer]:
        """Give what is left of one side of the book at a moment, best first."""
        levels = self._levels(time, depth, asks=asks)
        rows = zip(
            levels.price.tolist(), levels.quantity.tolist(), levels.stamp.tolist(), strict=True
        )
        if not self._taken:
            return [Offer(price, lots, stamp) for price, lots, stamp in rows]
        found = []
        for price, lots, stamp in rows:
            taken = self._taken.get((asks, price))
            left = lots if taken is None or taken[0] != stamp else lots - taken[1]
            if left > 0:
                found.append(Offer(price, left, stamp))
        return found

    def _levels(self, time: int, depth: int, *, asks: bool) -> Levels:
        """Give a side of the market's book, drawn again only when the book has changed."""
        at, known = self._drawn.get((asks, depth), (time + 1, None))
        if known is None or time < at or len(self._market.moments(self.pair, at, time)):
            known = self._market.side(self.pair, time, depth, asks=asks)
            if self._market.foreign(self.pair):
                return known
            self._drawn[asks, depth] = time, known
        return known

    def sides(self, times: Ints, depth: int, *, asks: bool) -> list[list[tuple[int, int]]]:
        """Give what is left of one side as (ticks, lots) at many moments in order."""
        rows = zip(*(part.tolist() for part in self.grid(times, depth, asks=asks)), strict=True)
        return [
            [(price, lots) for price, lots in zip(*row, strict=True) if lots > 0] for row in rows
        ]

    def grid(self, times: Ints, depth: int, *, asks: bool) -> tuple[Ints, Ints]:
        """Give prices and what is left there at many moments, a row for each, 0 lots for none.

        Where levels are gone those behind them are shown, so that none of the depth is missing.
        """
        reach = depth
        price, left, ends = self._reach(times, reach, asks=asks)
        while not ends and reach < DEEPEST and ((left > 0).sum(axis=1) < depth).any():
            reach = min(4 * reach, DEEPEST)
            price, left, ends = self._reach(times, reach, asks=asks)
        if reach > depth:
            kept = np.argsort(left == 0, axis=1, kind="stable")[:, :depth]
            price, left = (np.take_along_axis(part, kept, axis=1) for part in (price, left))
        return price, left

    def _reach(self, times: Ints, depth: int, *, asks: bool) -> tuple[Ints, Ints, bool]:
        """Give prices, what is left there, and whether the market has nothing behind them."""
        levels = self._market.sides(self.pair, times, depth, asks=asks)
        price, left = levels.price, levels.quantity
        ends = not self._taken or not len(price) or not levels.quantity.all()
        if self._taken and len(price):
            low, high = int(price.min()), int(price.max())
            near = [
                (key[1], *gone)
                for key, gone in self._taken.items()
                if key[0] == asks and low <= key[1] <= high
            ]
            left = left.copy() if near else left
            for at, stamp, lots in near:
                left[(price == at) & (levels.stamp == stamp)] -= lots
            left = np.maximum(left, 0)
        return price, left, ends

    def at(self, time: int, price: int, *, asks: bool) -> int:
        """Give what is left at one price on one side."""
        levels = self._levels(time, DEPTH, asks=asks)
        for place in np.flatnonzero(levels.price == price).tolist():
            lots, stamp = int(levels.quantity[place]), int(levels.stamp[place])
            taken = self._taken.get((asks, price))
            return max(lots - taken[1], 0) if taken and taken[0] == stamp else lots
        return 0

    def take(self, offer: Offer, lots: int, *, asks: bool) -> None:
        """Remember that part of a level is gone."""
        key = asks, offer.price
        stamp, before = self._taken.get(key, (offer.stamp, 0))
        self._taken[key] = offer.stamp, lots + (before if stamp == offer.stamp else 0)
        lots = self._taken[key][1]
        self.changed[key] = Taken(self.pair.symbol, asks, offer.price, offer.stamp, lots)
        if len(self._taken) > REMEMBERED:
            oldest = next(iter(self._taken))
            del self._taken[oldest]
            self.changed[oldest] = None

    def restore(self, gone: Taken) -> None:
        """Remember what was taken before the exchange was started again."""
        self._taken[gone.asks, gone.price] = gone.stamp, gone.lots


def offers_in_order(levels: list[Offer], resting: list[Order]) -> list[Offer]:
    """Put the market's levels and clients' orders in the order in which they are taken.

    At one price, the market's volume that was there before a client's order goes first, and
    what icebergs hide goes last, a part of each at a time.

    Args:
        levels: The market's side of the book, best first.
        resting: Clients' orders on the same side, best and oldest first.
    """
    made: list[Offer] = []
    queue = list(resting)
    for level in levels:
        while queue and _better(queue[0], level):
            made.extend(_without_market(queue))
        mine = _cut(queue, level.price)
        passed = 0
        for order in mine:
            ahead = min(level.lots, max(order.ahead, passed)) - passed
            if ahead:
                made.append(Offer(level.price, ahead, level.stamp))
                passed += ahead
            made.append(_offer(order))
        if passed < level.lots:
            made.append(Offer(level.price, level.lots - passed, level.stamp))
        made.extend(_hidden(mine))
    while queue:
        made.extend(_without_market(queue))
    return made


def _cut(queue: list[Order], price: int | None) -> list[Order]:
    """Take the orders at one price off the front of the queue."""
    count = next((n for n, order in enumerate(queue) if order.limit != price), len(queue))
    found, queue[:] = queue[:count], queue[count:]
    return found


def _without_market(queue: list[Order]) -> list[Offer]:
    """Take a price at which there are only clients off the front of the queue."""
    found = _cut(queue, queue[0].limit)
    return [*map(_offer, found), *_hidden(found)]


def _hidden(orders: list[Order]) -> list[Offer]:
    """Give what icebergs hide, in the order in which it comes to light."""
    made: list[Offer] = []
    left = {order.txid: order.remaining - order.visible for order in orders}
    while any(left.values()):
        for order in orders:
            part = min(order.display, left[order.txid])
            if part and order.limit is not None:
                made.append(Offer(order.limit, part, 0, order))
                left[order.txid] -= part
    return made


def _better(order: Order, level: Offer) -> bool:
    assert order.limit is not None
    return order.limit > level.price if order.buys else order.limit < level.price


def _offer(order: Order) -> Offer:
    assert order.limit is not None
    return Offer(order.limit, order.visible, 0, order)
