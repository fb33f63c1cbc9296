"""A market's past as arrays, for whoever plays it again bar by bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY = timedelta(days=1)
CENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """The bars, oldest first, with the spread at each one's close as a fraction.

    `starts` carry a zone; the arrays have one number a bar, finite, prices above zero.
    """

    starts: Sequence[datetime]
    interval: timedelta
    open: Floats
    close: Floats
    volume: Floats
    spread: Floats

    def __post_init__(self) -> None:
        count = len(self.starts)
        arrays = (self.open, self.close, self.volume, self.spread)
        if any(len(array) != count or not np.isfinite(array).all() for array in arrays):
            raise ValueError(f"expected {count} finite numbers of each kind, one a bar")
        if any((array <= 0).any() for array in (self.open, self.close, self.spread)):
            raise ValueError("prices and spreads must be positive")

    def __len__(self) -> int:
        return len(self.starts)

    def day_turnover(self) -> Floats:
        """Return what traded within 24 hours of every bar's end, in money, to the cent."""
        sums = np.concatenate([[0.0], np.cumsum(self.volume * self.close)])
        times = np.array([start.timestamp() for start in self.starts])
        oldest = times + (self.interval - DAY).total_seconds()
        inside: Floats = sums[1:] - sums[np.searchsorted(times, oldest)]
        return np.round(inside, CENTS)
