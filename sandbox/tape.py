"""Every trade of a market in order: the market's own, and those of the exchange's clients.

A client's fill takes the next trade id and moves all later ids up by one. The fills are few
and are kept; the rest is made again whenever it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from sandbox.market import HOUR_NS, Ints, Prints, join, part
from sandbox.ownprints import OwnPrints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.instruments import Pair
    from sandbox.market import Given, Market

MINUTE_NS = 60_000_000_000
MINUTES = 60
REMEMBERED_HOURS = 512
REMEMBERED_MINUTES = 2048


class OwnPrint(msgspec.Struct, frozen=True):
    """A trade in which one of this exchange's clients took part."""

    symbol: str
    time: int
    price: int
    quantity: int
    bought: bool
    market: bool


@dataclass(frozen=True)
class Minutes:
    """Sixty one-minute bars in ticks and lots; a minute without trades has a count of 0."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    notional: npt.NDArray[np.float64]
    count: Ints


class Tape:
    """The trades of one market. Up to `told` they have been published."""

    def __init__(self, market: Market, pair: Pair) -> None:
        self.pair = pair
        self.told = 0
        self._market = market
        self._own = OwnPrints()
        self._latest_own = 0
        self._merged: dict[int, tuple[int, Prints]] = {}
        self._minutes: dict[int, tuple[int, Minutes]] = {}
        self._hours: dict[int, tuple[int, Minutes]] = {}

    @property
    def listed(self) -> int:
        """The moment at which the market begins, in nanoseconds."""
        return self._market.listed

    def add(self, own: OwnPrint) -> int:
        """Print a client's fill, which must be later than any before, and give its trade id.

        In a market that is somebody else's it is not printed, and has the id of the last trade.
        """
        self._latest_own = own.time
        if self._market.foreign(self.pair):
            latest = self.latest(self.settled(own.time), 1).identity
            return int(latest[-1]) if len(latest) else 0
        self._own.add(own)
        return self._identity(own.time)

    def next_time(self, now: int) -> int:
        """Give the time a fill may carry: now, or just after what was told already."""
        return max(now, self.told + 1, self._latest_own + 1)

    def settled(self, now: int) -> int:
        """Give the moment up to which the tape is final: now, or the last fill if later."""
        known = self._market.settled(self.pair, now)
        return max(known, self._own.last_time)

    @property
    def given(self) -> Given | None:
        """The statistics that are told, not computed from the trades."""
        return self._market.given(self.pair)

    def last_price(self, now: int) -> int:
        """Give the price of the last trade, or between bid and ask if there was none."""
        found = self.latest(self.settled(now), 1)
        if len(found.price):
            return int(found.price[0])
        return sum(self._market.touch(self.pair, now)) // 2

    def _identity(self, time: int) -> int:
        prints = self._market.prints(self.pair, time // HOUR_NS)
        before = int(np.searchsorted(prints.time, time, side="right"))
        first = self._market.first_identity(self.pair, time // HOUR_NS)
        return first + before + self._own.until(time) - 1

    def hour(self, hour: int) -> Prints:
        """Give one hour of trades, clients' fills included."""
        first = self._own.until(hour * HOUR_NS - 1)
        last = self._own.until((hour + 1) * HOUR_NS - 1)
        prints = self._market.prints(self.pair, hour)
        if last == 0:
            return prints
        known = self._merged.get(hour)
        if known is None or known[0] != last:
            identity = self._market.first_identity(self.pair, hour) + first
            known = last, _merge(prints, self._own.rows(first, last), identity)
            if len(self._merged) > REMEMBERED_HOURS:
                self._merged.clear()
            self._merged[hour] = known
        return known[1]

    def _version(self, hour: int) -> int:
        """Give a number that changes when a trade is added to an hour."""
        if self._market.foreign(self.pair):
            return len(self._market.prints(self.pair, hour).time)
        last = self._own.until((hour + 1) * HOUR_NS - 1)
        return last - self._own.until(hour * HOUR_NS - 1)

    def minutes(self, hour: int) -> Minutes:
        """Give the sixty one-minute bars of an hour that is over."""
        count = self._version(hour)
        known = self._minutes.get(hour)
        if known is None or known[0] != count:
            known = count, bars(self.hour(hour), hour)
            if len(self._minutes) > REMEMBERED_MINUTES:
                self._minutes.clear()
            self._minutes[hour] = known
        return known[1]

    def whole_hour(self, hour: int) -> Minutes:
        """Give an hour that is over as one bar."""
        count = self._version(hour)
        known = self._hours.get(hour)
        if known is None or known[0] != count:
            known = count, collapse(self.minutes(hour))
            self._hours[hour] = known
        return known[1]

    def minutes_until(self, hour: int, now: int) -> Minutes:
        """Give the bars of an hour as they stand at a moment within or after it."""
        if now >= (hour + 1) * HOUR_NS:
            return self.minutes(hour)
        prints = self.hour(hour)
        return bars(part(prints, 0, int(np.searchsorted(prints.time, now, side="right"))), hour)

    def between(self, after: int, until: int) -> Prints:
        """Give the trades later than one moment and not later than another."""
        hours = range(after // HOUR_NS, until // HOUR_NS + 1)
        return join([self._within(hour, after, until) for hour in hours])

    def _within(self, hour: int, after: int, until: int) -> Prints:
        """Give the part of one hour that lies in an interval, without making the whole hour."""
        after, until = max(after, hour * HOUR_NS - 1), min(until, (hour + 1) * HOUR_NS - 1)
        prints = self._market.prints(self.pair, hour)
        low, high = (int(n) for n in np.searchsorted(prints.time, [after, until], side="right"))
        first, last = self._own.until(after), self._own.until(until)
        inside = part(prints, low, high)
        if last == 0:
            return inside
        identity = self._market.first_identity(self.pair, hour) + low + first
        return _merge(inside, self._own.rows(first, last), identity)

    def since(self, after: int, until: int, count: int) -> Prints:
        """Give the first trades later than a moment, at most `count`."""
        pieces, found = [], 0
        start = max(after, self.listed - 1)
        for hour in range(start // HOUR_NS, until // HOUR_NS + 1):
            prints = self.hour(hour)
            low, high = np.searchsorted(prints.time, [start, until], side="right")
            high = min(int(high), int(low) + count - found)
            pieces.append(part(prints, int(low), high))
            found += high - int(low)
            if found >= count:
                break
        return join(pieces)

    def latest(self, until: int, count: int) -> Prints:
        """Give the last trades not later than a moment, oldest first."""
        pieces: list[Prints] = []
        for hour in self._hours_back(until):
            found = self._end(hour, until, count)
            pieces.append(found)
            count -= len(found.time)
            if count <= 0:
                break
        return join(pieces[::-1])

    def _end(self, hour: int, until: int, count: int) -> Prints:
        """Give the last trades of an hour that are not later than a moment, at most `count`."""
        until = min(until, (hour + 1) * HOUR_NS - 1)
        prints = self._market.prints(self.pair, hour)
        high, last = int(np.searchsorted(prints.time, until, side="right")), self._own.until(until)
        inside = part(prints, max(high - count, 0), high)
        if last == 0:
            return inside
        first = max(self._own.until(hour * HOUR_NS - 1), last - count)
        end = self._market.first_identity(self.pair, hour) + high + last
        merged = _merge(inside, self._own.rows(first, last), end - len(inside.time) - last + first)
        return part(merged, max(len(merged.time) - count, 0), len(merged.time))

    def _hours_back(self, until: int) -> Iterator[int]:
        yield from range(until // HOUR_NS, self.listed // HOUR_NS - 1, -1)


def _merge(prints: Prints, own: Prints, identity: int) -> Prints:
    """Put the market's trades and clients' in the order of time; `identity` is the first id."""
    both = join([prints, own])
    order = np.argsort(both.time, kind="stable")
    return Prints(
        both.time[order],
        both.price[order],
        both.quantity[order],
        both.bought[order],
        both.market[order],
        identity + np.arange(len(order)),
    )


def bars(prints: Prints, hour: int) -> Minutes:
    """Sum an hour's trades into sixty one-minute bars."""
    edges = np.searchsorted(prints.time, hour * HOUR_NS + MINUTE_NS * np.arange(MINUTES + 1))
    count = np.diff(edges)
    full = np.flatnonzero(count)
    starts, ends = edges[full], edges[full + 1] - 1
    made = [np.zeros(MINUTES, np.int64) for _ in range(5)]
    notional = np.zeros(MINUTES)
    if len(full):
        made[0][full], made[3][full] = prints.price[starts], prints.price[ends]
        made[1][full] = np.maximum.reduceat(prints.price, starts)
        made[2][full] = np.minimum.reduceat(prints.price, starts)
        made[4][full] = np.add.reduceat(prints.quantity, starts)
        worth = prints.price.astype(np.float64) * prints.quantity
        notional[full] = np.add.reduceat(worth, starts)
    return Minutes(made[0], made[1], made[2], made[3], made[4], notional, count)


def collapse(minutes: Minutes) -> Minutes:
    """Sum up bars as one bar."""
    full = np.flatnonzero(minutes.count)
    if not len(full):
        nothing = np.zeros(1, np.int64)
        return Minutes(nothing, nothing, nothing, nothing, nothing, np.zeros(1), nothing)
    return Minutes(
        minutes.open[full[:1]],
        minutes.high[full].max(keepdims=True),
        minutes.low[full].min(keepdims=True),
        minutes.close[full[-1:]],
        minutes.volume.sum(keepdims=True),
        minutes.notional.sum(keepdims=True),
        minutes.count.sum(keepdims=True),
    )
