"""One pair's market as it was told: its book, its trades and its statistics so far."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

import numpy as np

from sandbox.heardbook import HeardBook, Row
from sandbox.market import HOUR_NS, Given, Ints, Levels, Prints, Quote, Stretch
from sandbox.tidings import BookTold, CandleTold, DayTold, Told, TradeTold

if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTES = 200
KEPT_HOURS = 24 * 8
KEPT_CANDLES = 800
State = tuple[int, list[Row], list[Row]]
_WIDTHS = (np.int64, np.int64, np.int64, bool, bool, np.int64)


class Chronicle:
    """What is known of one pair.

    Everything told arrives at a moment of this exchange, later than all before. States of the
    book are kept from one `settle` to the next, and with them the trades that arrived.
    """

    def __init__(self) -> None:
        self.book = HeardBook()
        self.given = Given()
        self.latest = 0
        self.last: TradeTold | None = None
        self._states: list[State] = []
        self._arrived: list[tuple[int, TradeTold]] = []
        self._hours: dict[int, list[TradeTold]] = {}
        self._made: dict[int, Prints] = {}
        self._quotes: deque[Quote] = deque(maxlen=QUOTES)

    def hear(self, told: Told, at: int) -> bool:
        """Take note of something told, and tell whether it fits what was told before."""
        match told:
            case BookTold():
                return self._hear_book(told, at)
            case TradeTold():
                return self._hear_trade(told, at)
            case DayTold(_, candle):
                self.given.day = candle
            case CandleTold(_, interval, candle):
                self._hear_candle(interval, candle.begin, told)
            case _:
                assert_never(told)
        return True

    def _hear_book(self, told: BookTold, at: int) -> bool:
        self.latest = at = max(at, self.latest + 1)
        if not self.book.hear(told, at):
            return False
        self._states.append((at, self.book.bids, self.book.asks))
        self._quotes.append((at, self.book.bids[0][0], self.book.asks[0][0]))
        return True

    def _hear_trade(self, told: TradeTold, at: int) -> bool:
        if self.last is not None:
            if told.identity <= self.last.identity:
                return False
            if told.time <= self.last.time:  # many trades may carry one time
                told = replace(told, time=self.last.time + 1)
        self.latest = at = max(at, self.latest + 1)
        self.last = told
        hour = told.time // HOUR_NS
        self._hours.setdefault(hour, []).append(told)
        self._made.pop(hour, None)
        self._arrived.append((at, told))
        for old in [old for old in self._hours if old < hour - KEPT_HOURS]:
            del self._hours[old]
            self._made.pop(old, None)
        return True

    def _hear_candle(self, interval: int, begin: int, told: CandleTold) -> None:
        rows = self.given.candles.setdefault(interval, {})
        rows[begin] = told.candle
        if len(rows) > 2 * KEPT_CANDLES:
            for old in sorted(rows)[:-KEPT_CANDLES]:
                del rows[old]

    def settle(self, now: int) -> None:
        """Forget how things came to be as they were at a moment that is over and told of."""
        over = bisect_right(self._states, now, key=_first) - 1
        if over > 0:
            del self._states[:over]
        arrived = bisect_right(self._arrived, now, key=_first)
        if arrived > 0:
            del self._arrived[:arrived]

    @property
    def listed(self) -> int:
        """The time of the first trade that is kept, or of the book if there is none."""
        return min((told[0].time for told in self._hours.values()), default=self.latest)

    @property
    def settled(self) -> int:
        """The time of the last trade told, before which no other will be."""
        return 0 if self.last is None else self.last.time

    def prints(self, hour: int) -> Prints:
        """Give the trades of one hour."""
        if hour not in self._made:
            self._made[hour] = prints_of(self._hours.get(hour, []))
        return self._made[hour]

    def stretch(self, after: int, until: int) -> Stretch:
        """Give what arrived later than one moment and not later than another."""
        states = self._between(after, until)
        low, high = (bisect_right(self._arrived, time, key=_first) for time in (after, until))
        arrived = self._arrived[low:high]
        prints = prints_of([told for _, told in arrived])
        return Stretch(
            np.array([at for at, _, _ in states], np.int64),
            np.array([bids[0][0] for _, bids, _ in states], np.int64),
            np.array([asks[0][0] for _, _, asks in states], np.int64),
            Prints(
                np.array([at for at, _ in arrived], np.int64),
                prints.price,
                prints.quantity,
                prints.bought,
                prints.market,
                prints.identity,
            ),
        )

    def moments(self, after: int, until: int) -> Ints:
        """Give the moments at which the book changed."""
        return np.array([at for at, _, _ in self._between(after, until)], np.int64)

    def _between(self, after: int, until: int) -> list[State]:
        low, high = (bisect_right(self._states, time, key=_first) for time in (after, until))
        return self._states[low:high]

    def _state(self, time: int) -> State:
        if not self._states:
            return 0, [], []
        return self._states[max(bisect_right(self._states, time, key=_first) - 1, 0)]

    def touch(self, time: int) -> tuple[int, int]:
        """Give the best bid and ask at a moment, or nothing twice if there is no book."""
        _, bids, asks = self._state(time)
        return (bids[0][0], asks[0][0]) if bids else (0, 0)

    def side(self, time: int, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at a moment, best first."""
        made = self.sides([time], depth, asks=asks)
        return Levels(made.price[0], made.quantity[0], made.stamp[0])

    def sides(self, times: Sequence[int], depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at many moments, filled up with 0 lots."""
        states = [self._state(time) for time in times]
        rows = [(above if asks else below)[:depth] for _, below, above in states]
        made = np.zeros((len(rows), max(map(len, rows), default=0), 3), np.int64)
        for place, row in enumerate(rows):
            if row:
                made[place, : len(row)] = row
        return Levels(made[:, :, 0], made[:, :, 1], made[:, :, 2])

    def quotes(self, until: int, count: int) -> list[Quote]:
        """Give the last quotes up to a moment, oldest first."""
        return [quote for quote in self._quotes if quote[0] <= until][-count:]


def _first(item: tuple[int, object] | State) -> int:
    return item[0]


def prints_of(trades: list[TradeTold]) -> Prints:
    """Put trades into columns."""
    rows = [(t.time, t.price, t.lots, t.bought, t.market, t.identity) for t in trades]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_WIDTHS)
    time, price, lots, bought, market, identity = (
        np.array(column, kind) for column, kind in zip(columns, _WIDTHS, strict=True)
    )
    return Prints(time, price, lots, bought, market, identity)
