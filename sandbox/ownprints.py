"""The fills of clients in one market, twenty-five bytes each, in the order of time."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from sandbox.market import Prints

if TYPE_CHECKING:
    from sandbox.tape import OwnPrint

BOUGHT, MARKET = 1, 2


class OwnPrints:
    """A list that only grows at its end; rows are given as copies."""

    def __init__(self) -> None:
        self._times = array("q")
        self._prices = array("q")
        self._lots = array("q")
        self._flags = bytearray()

    def __len__(self) -> int:
        """Count the fills."""
        return len(self._times)

    @property
    def last_time(self) -> int:
        """The time of the last fill; 0 if there is none."""
        return self._times[-1] if self._times else 0

    def add(self, own: OwnPrint) -> None:
        """Add a fill, which must be later than any before."""
        self._times.append(own.time)
        self._prices.append(own.price)
        self._lots.append(own.quantity)
        self._flags.append(BOUGHT * own.bought + MARKET * own.market)

    def until(self, time: int) -> int:
        """Count the fills not later than a moment."""
        return bisect_right(self._times, time)

    def rows(self, low: int, high: int) -> Prints:
        """Give a run of fills, all with the trade id 0."""
        flags = np.frombuffer(bytes(self._flags[low:high]), np.uint8)
        times, prices, lots = (
            np.array(column[low:high], np.int64)
            for column in (self._times, self._prices, self._lots)
        )
        bought, market = (flags & BOUGHT) > 0, (flags & MARKET) > 0
        return Prints(times, prices, lots, bought, market, np.zeros_like(times))
