"""A book kept from what somebody else tells of it, and checked against the checksum told."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from sandbox.book import checksum

if TYPE_CHECKING:
    from sandbox.tidings import BookTold, Change

DEPTHS = (10, 25, 100, 500, 1000)
Row = tuple[int, int, int]


class Ladder:
    """One side of a book, best first; `sign` is -1 where the best price is the highest."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._prices: list[int] = []
        self._levels: dict[int, Row] = {}

    def apply(self, changes: tuple[Change, ...], stamp: int) -> None:
        """Change levels one after another, and mark those that change."""
        for price, lots in changes:
            key = self._sign * price
            before = self._levels.get(key)
            if lots == 0:
                if before is not None:
                    del self._levels[key]
                    del self._prices[bisect_left(self._prices, key)]
            elif before is None or before[1] != lots:
                if before is None:
                    insort(self._prices, key)
                self._levels[key] = price, lots, stamp

    def trim(self, depth: int) -> None:
        """Forget what lies beyond the depth that is told of."""
        for key in self._prices[depth:]:
            del self._levels[key]
        del self._prices[depth:]

    def rows(self) -> list[Row]:
        """Give price, lots and stamp of every level, best first."""
        levels = self._levels
        return [levels[key] for key in self._prices]


class HeardBook:
    """A book as somebody tells of it, `depth` levels a side."""

    def __init__(self, depth: int | None = None) -> None:
        self.depth = depth
        self.valid = False
        self.bids: list[Row] = []
        self.asks: list[Row] = []
        self._sides = Ladder(-1), Ladder(1)

    def hear(self, told: BookTold, stamp: int) -> bool:
        """Apply a message, and tell whether the book is right after it.

        A book that went wrong stays so until the next snapshot. Levels that changed get the
        stamp.
        """
        if told.snapshot:
            self._begin(told)
        elif not self.valid:
            return False
        assert self.depth is not None
        for side, changes in zip(self._sides, (told.bids, told.asks), strict=True):
            side.apply(changes, stamp)
            side.trim(self.depth)
        if told.bids:
            self.bids = self._sides[0].rows()
        if told.asks:
            self.asks = self._sides[1].rows()
        self.valid = self._is_right(told.checksum)
        return self.valid

    def _begin(self, told: BookTold) -> None:
        self._sides = Ladder(-1), Ladder(1)
        self.bids, self.asks = [], []
        levels = max(len(told.bids), len(told.asks))
        self.depth = told.depth or self.depth
        if self.depth is None or self.depth < levels:
            self.depth = next((depth for depth in DEPTHS if depth >= levels), levels)

    def _is_right(self, told: int | None) -> bool:
        if not self.bids or not self.asks or self.bids[0][0] >= self.asks[0][0]:
            return False
        plain = [[(price, lots) for price, lots, _ in s[:10]] for s in (self.bids, self.asks)]
        return told is None or told == checksum(plain[0], plain[1])
