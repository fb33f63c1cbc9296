"""What a model sees of the bars: computed live and in training by the same code.

Rows depend on the last WARM_UP bars and on nothing else, so a row computed live equals
the row computed from history bit by bit. A hole in the bars starts the warm-up anew.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from trader import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    import pandas as pd
    from numpy.typing import NDArray

    from trader.bars import Bar

    Row = tuple[float, float, float, float, float]

LONG = 60
MIDDLE = 30
SURGE_BARS = 3
SURGE_SCORE = 2.0  # a leg of three bars twice as far as chance would usually go
SURGE_BUSYNESS = 0.9  # ... on about one and a half times the usual volume: log1p(1.46)

# The first bar gives no return, LONG returns give a volatility and so the first mark,
# and MIDDLE marks fill the last window.
WARM_UP = 1 + LONG + MIDDLE - 1

NAMES: tuple[str, ...] = (
    "return_1",
    "return_2",
    "return_3",
    "return_5",
    "return_10",
    "return_15",
    "return_30",
    "volatility_10",
    "volatility_60",
    "volatility_ratio",
    "score_3",
    "score_5",
    "score_10",
    "trend_10_60",
    "strength_14",
    "straightness_10",
    "range_14",
    "position_30",
    "body",
    "position_1",
    "busyness_1",
    "busyness_3",
    "busyness_10",
    "pressure_3",
    "pressure_10",
    "surge_age",
    "surge_direction",
    "surge_return",
)

# Raise the number when a definition here or in kernels changes: models trained on the
# old one must not be served the new one.
DEFINITIONS = 1
HASH = sha256(f"{DEFINITIONS}|{WARM_UP}|{','.join(NAMES)}".encode()).hexdigest()


class Features:
    """One market's feature row, kept up to date bar by bar."""

    def __init__(self) -> None:
        self._next: datetime | None = None
        self._forget()

    def update(self, bar: Bar) -> NDArray[np.float64] | None:
        """Take the next closed bar and return the row that a model scores.

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
        prices = float(bar.open), float(bar.high), float(bar.low), float(bar.close)
        row = self._push((*prices, float(bar.volume)))
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
        self._closes: deque[float] = deque(maxlen=LONG + 1)
        self._returns: deque[float] = deque(maxlen=LONG)
        self._volumes: deque[float] = deque(maxlen=LONG)
        self._ranges: deque[float] = deque(maxlen=14)
        self._surges: deque[float] = deque(maxlen=MIDDLE)

    def _push(self, row: Row) -> list[float] | None:
        _, high, low, close, volume = row
        self._recent.append(row)
        if self._closes:
            self._returns.append(kernels.change((self._closes[-1], close), 1))
            self._ranges.append(kernels.true_range(high, low, self._closes[-1]))
        self._closes.append(close)
        self._volumes.append(volume)
        if len(self._returns) < LONG:
            return None
        closes, returns, volumes = list(self._closes), list(self._returns), list(self._volumes)
        volatility = kernels.deviation(returns)
        busyness = kernels.busyness(volumes, SURGE_BARS)
        score = kernels.score(kernels.change(closes, SURGE_BARS), volatility, SURGE_BARS)
        self._surges.append(_mark(score, busyness))
        if len(self._recent) < WARM_UP:
            return None
        return [
            *_moves(closes, returns, volatility),
            *_shape(closes, returns, list(self._ranges), list(self._recent)),
            *_activity(returns, volumes),
            *_surge(closes, list(self._surges)),
        ]


def compute(bars: pd.DataFrame, interval: timedelta | None = None) -> pd.DataFrame:
    """Compute the rows of many bars, by the code that computes them live.

    Args:
        bars: Float columns open, high, low, close, volume; index the bars' starts,
            ascending, with a zone.
        interval: The bars' length; the smallest step of the index if not given.

    Returns:
        Columns NAMES (float64) on the same index; rows are NaN until warm.

    Raises:
        ValueError: The index does not ascend, or a price is not positive and finite.
    """
    import pandas as pd  # noqa: PLC0415 - the live trader never loads it

    values = _checked(bars)
    starts = pd.DatetimeIndex(bars.index).as_unit("ns").asi8
    steps = np.diff(starts)
    usual = pd.Timedelta(interval).value if interval else (steps.min() if len(steps) else 0)
    holes = {int(n) + 1 for n in np.flatnonzero(steps != usual)}
    table = np.full((len(bars), len(NAMES)), np.nan)
    features = Features()
    for n, row in enumerate(values.tolist()):
        if n in holes:
            features._forget()  # noqa: SLF001 - the two are one thing
        result = features._push(tuple(row))  # noqa: SLF001 - the batch is the same class, folded
        if result is not None:
            table[n] = result
    return pd.DataFrame(table, index=bars.index, columns=list(NAMES))


def _checked(bars: pd.DataFrame) -> NDArray[np.float64]:
    values = bars[["open", "high", "low", "close", "volume"]].to_numpy(dtype=np.float64)
    if not bars.index.is_monotonic_increasing or bars.index.has_duplicates:
        raise ValueError("bars must come in the order of time, each once")
    if not (np.isfinite(values).all() and (values[:, :4] > 0).all() and (values[:, 4] >= 0).all()):
        raise ValueError("prices must be positive and volumes not negative, all of them finite")
    return values


def _mark(score: float, busyness: float) -> float:
    if abs(score) < SURGE_SCORE or busyness < SURGE_BUSYNESS:
        return 0.0
    return 1.0 if score > 0 else -1.0


def _moves(closes: list[float], returns: list[float], volatility: float) -> list[float]:
    moved = {bars: kernels.change(closes, bars) for bars in (1, 2, 3, 5, 10, 15, 30)}
    recent = kernels.deviation(returns[-10:])
    return [
        *moved.values(),
        recent,
        volatility,
        kernels.ratio(recent, volatility, neutral=1.0),
        *(kernels.score(moved[bars], volatility, bars) for bars in (3, 5, 10)),
    ]


def _shape(
    closes: list[float], returns: list[float], ranges: list[float], rows: list[Row]
) -> list[float]:
    opened, high, low, close, _ = rows[-1]
    last = rows[-MIDDLE:]
    return [
        kernels.trend(closes[1:], 10),
        kernels.strength(returns[-14:]),
        kernels.straightness(returns[-10:]),
        fsum(ranges) / len(ranges) / close,
        kernels.position(close, min(row[2] for row in last), max(row[1] for row in last)),
        kernels.ratio(close - opened, high - low, neutral=0.0),
        kernels.position(close, low, high),
    ]


def _activity(returns: list[float], volumes: list[float]) -> list[float]:
    return [
        kernels.busyness(volumes, 1),
        kernels.busyness(volumes, 3),
        kernels.busyness(volumes, 10),
        kernels.pressure(returns[-3:], volumes[-3:]),
        kernels.pressure(returns[-10:], volumes[-10:]),
    ]


def _surge(closes: list[float], marks: list[float]) -> list[float]:
    age, direction = kernels.latest(marks)
    since = kernels.change(closes, int(age)) if direction else 0.0
    return [age, direction, since]
