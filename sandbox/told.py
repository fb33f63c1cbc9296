"""A market that is told to the exchange: by a log, piece by piece, or by another exchange.

What nobody tells of is left to another market, so that every pair has a price.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.chronicle import Chronicle
    from sandbox.instruments import Pair
    from sandbox.market import Given, Ints, Levels, Market, Prints, Quote, Stretch
    from sandbox.tidings import Told

    Due = tuple[int, Told]


@dataclass
class ToldMarket:
    """The pairs that are told of, by symbol, and what is still to be told, in order of time."""

    rest: Market
    chronicles: dict[str, Chronicle]
    listed: int
    begins: int | None = None
    due: Sequence[Due] = ()
    _done: int = 0
    _reached: int = field(default=0)

    @property
    def seed(self) -> int:
        """What everything that has to be made up is drawn from."""
        return self.rest.seed

    def foreign(self, pair: Pair) -> bool:
        """Tell whether the pair is told of."""
        return pair.symbol in self.chronicles

    def reach(self, now: int) -> None:
        """Hear what is due by now; what was due before has been told to everybody."""
        self.rest.reach(now)
        if now <= self._reached:
            return
        for chronicle in self.chronicles.values():
            chronicle.settle(self._reached)
        self._reached = now
        while self._done < len(self.due) and self.due[self._done][0] <= now:
            at, told = self.due[self._done]
            self.chronicles[told.pair.symbol].hear(told, at)
            self._done += 1

    def first_identity(self, pair: Pair, hour: int) -> int:
        """Give the trade id of the first trade of an hour."""
        if pair.symbol not in self.chronicles:
            return self.rest.first_identity(pair, hour)
        known = self.prints(pair, hour).identity
        return int(known[0]) if len(known) else 0

    def prints(self, pair: Pair, hour: int) -> Prints:
        """Give the trades of one hour, counted from 1970."""
        found = self.chronicles.get(pair.symbol)
        return self.rest.prints(pair, hour) if found is None else found.prints(hour)

    def settled(self, pair: Pair, now: int) -> int:
        """Give the moment up to which no more trades will turn up."""
        found = self.chronicles.get(pair.symbol)
        return self.rest.settled(pair, now) if found is None else found.settled

    def stretch(self, pair: Pair, after: int, until: int) -> Stretch:
        """Give what happened later than one moment and not later than another."""
        found = self.chronicles.get(pair.symbol)
        if found is None:
            return self.rest.stretch(pair, after, until)
        return found.stretch(after, until)

    def moments(self, pair: Pair, after: int, until: int) -> Ints:
        """Give the moments at which the book changes, later than one and up to another."""
        found = self.chronicles.get(pair.symbol)
        if found is None:
            return self.rest.moments(pair, after, until)
        return found.moments(after, until)

    def touch(self, pair: Pair, time: int) -> tuple[int, int]:
        """Give the best bid and ask at a moment."""
        found = self.chronicles.get(pair.symbol)
        return self.rest.touch(pair, time) if found is None else found.touch(time)

    def side(self, pair: Pair, time: int, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at a moment, best first."""
        found = self.chronicles.get(pair.symbol)
        if found is None:
            return self.rest.side(pair, time, depth, asks=asks)
        return found.side(time, depth, asks=asks)

    def sides(self, pair: Pair, times: Ints, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at many moments, a row for each, filled up with 0 lots."""
        found = self.chronicles.get(pair.symbol)
        if found is None:
            return self.rest.sides(pair, times, depth, asks=asks)
        return found.sides(times.tolist(), depth, asks=asks)

    def quotes(self, pair: Pair, until: int, count: int) -> list[Quote]:
        """Give the last times, best bids and best asks, oldest first."""
        found = self.chronicles.get(pair.symbol)
        return self.rest.quotes(pair, until, count) if found is None else found.quotes(until, count)

    def given(self, pair: Pair) -> Given | None:
        """Give the statistics the market was told, if it was."""
        found = self.chronicles.get(pair.symbol)
        return None if found is None else found.given
