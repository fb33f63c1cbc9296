"""What a model sees of the bars: computed live and in training by the same code.

Rows depend on the last WARM_UP bars and on nothing else, so a row computed live equals
the row computed from history bit by bit. A hole in the bars starts the warm-up anew.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from market import columns
from market.columns import NAMES, Row
from market.windows import WARM_UP, Trail, fill

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    import pandas as pd
    from numpy.typing import NDArray

    from market.bars import Bar
    from market.instruments import Beside

__all__ = ["HASH", "NAMES", "WARM_UP", "Features", "compute"]

PRICES = ["open", "high", "low", "close", "volume"]
# What a source may leave out; a table of bars without such a column does not know it.
DAY = 24 * 60 * 60  # seconds
SECOND = 1_000_000_000  # ns
OPTIONAL = ["bought", "trades", "peer", "leader"]

# Raise the number when a definition here or in kernels changes: models trained on the
# old one must not be served the new one.
DEFINITIONS = 2
HASH = sha256(f"{DEFINITIONS}|{WARM_UP}|{','.join(NAMES)}".encode()).hexdigest()


class Features:
    """One market's feature row, kept up to date bar by bar."""

    def __init__(self) -> None:
        self._next: datetime | None = None
        self._forget()

    def update(self, bar: Bar, beside: Beside = (None, None)) -> NDArray[np.float64] | None:
        """Take the next closed bar and return the row that a model scores.

        Args:
            bar: The bar.
            beside: The closes of the market's two neighbours (market.neighbours), of the
                bar before this one; None where they are not known.

        Returns:
            Values in the order of NAMES, float64, all finite; None until WARM_UP bars
            have come without a hole.

        Raises:
            ValueError: The bar is one already taken, or older.
        """
        if self._next is not None and bar.start < self._next:
            raise ValueError(f"expected a bar of {self._next} or later, received {bar.start}")
        if self._next is not None and bar.start != self._next:
            self._forget()
        self._next = bar.end
        told = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.bought, bar.trades)
        numbers = [nan if value is None else float(value) for value in (*told, *beside)]
        row = self._push(Row._make([*numbers, _minute(int(bar.end.timestamp()))]))
        return None if row is None else np.array(row, dtype=np.float64)

    def snapshot(self) -> tuple[datetime | None, list[Row]]:
        """Return what it takes to go on from here in another process."""
        return self._next, list(self._recent)

    @classmethod
    def restore(cls, snapshot: tuple[datetime | None, Sequence[Row]]) -> Features:
        """Rebuild from a snapshot; rows from here on equal those of the original."""
        restored = cls()
        restored._next, rows = snapshot
        for row in rows:
            restored._push(row)
        return restored

    def _forget(self) -> None:
        self._recent: deque[Row] = deque(maxlen=WARM_UP)
        self._trail = Trail()

    def _push(self, row: Row) -> list[float] | None:
        self._recent.append(row)
        return columns.values(self._trail) if self._trail.push(row) else None


def compute(bars: pd.DataFrame, interval: timedelta | None = None) -> pd.DataFrame:
    """Compute the rows of many bars, by the code that computes them live, on columns.

    Args:
        bars: Float columns open, high, low, close, volume; index the bars' starts,
            ascending, with a zone. Columns bought, trades, peer and leader (the closes
            of the neighbours' bars before) where they are known, NaN where they are not.
        interval: The bars' length; the smallest step of the index if not given.

    Returns:
        Columns NAMES (float64) on the same index; rows are NaN until warm.

    Raises:
        ValueError: The index does not ascend, or a price is not positive and finite.
    """
    import pandas as pd  # noqa: PLC0415 - the live trader never loads it

    starts = pd.DatetimeIndex(bars.index).as_unit("ns").asi8
    gaps = np.diff(starts)
    usual = pd.Timedelta(interval).value if interval else (gaps.min() if len(gaps) else 0)
    ends = (starts + usual) // SECOND
    table = np.full((len(bars), len(NAMES)), np.nan)
    values, minutes = _checked(bars), ends % DAY / 60
    for first, end in pairwise([0, *(np.flatnonzero(gaps != usual) + 1), len(bars)]):
        here = slice(first, end)
        fill(table[here], Row._make([*np.ascontiguousarray(values[here].T), minutes[here]]))
    return pd.DataFrame(table, index=bars.index, columns=list(NAMES))


def _checked(bars: pd.DataFrame) -> NDArray[np.float64]:
    values = bars.reindex(columns=[*PRICES, *OPTIONAL]).to_numpy(dtype=np.float64)
    known = values[:, : len(PRICES)]
    if not bars.index.is_monotonic_increasing or bars.index.has_duplicates:
        raise ValueError("bars must come in the order of time, each once")
    if not (np.isfinite(known).all() and (known[:, :4] > 0).all() and (known[:, 4] >= 0).all()):
        raise ValueError("prices must be positive and volumes not negative, all of them finite")
    return values


def _minute(seconds: int) -> float:
    return seconds % DAY / 60
