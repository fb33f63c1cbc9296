"""Everything a drift check looks at, and the five questions asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drift import findings
from drift.verdict import Finding, Kind

if TYPE_CHECKING:
    from datetime import datetime

OUTCOME = "forward_return"
PROBABILITY = "probability"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A model's recent bars beside the history they are compared with.

    Attributes:
        start: Where the current window begins; the reference ends there.
        end: Where the current window ends.
        interval: The bars' length.
        horizon_bars: Bars from a score to its outcome.
        cost: Return above which an outcome counts as a rise.
        reference: Feature columns and `forward_return` (float64), index bar start (UTC),
            ascending.
        current: The same columns for the bars since `start`.
        scores: Columns `probability` and `forward_return` (NaN while unknown) of every bar
            the model scored in either, index bar start (UTC), ascending.
    """

    start: datetime
    end: datetime
    interval: timedelta
    horizon_bars: int
    cost: float
    reference: pd.DataFrame
    current: pd.DataFrame
    scores: pd.DataFrame

    def drawn(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return reference and current with the model's probabilities beside the columns."""
        told = self.scores[PROBABILITY]
        return self.reference.assign(probability=told), self.current.assign(probability=told)


def examine(window: Window) -> list[Finding]:
    """Ask after performance, calibration, predictions, features and target."""
    apart = _apart(window)
    rose = _rose(apart[OUTCOME], window.cost)
    probability = apart[PROBABILITY].to_numpy(dtype=np.float64)
    known = _rose(window.reference[OUTCOME].dropna(), window.cost)
    told, before = window.scores[PROBABILITY], window.scores.index < pd.Timestamp(window.start)
    names = [str(name) for name in window.reference if name != OUTCOME]
    recent = int((apart.index >= pd.Timestamp(window.start)).sum())
    # A window is looked at once.
    checks = timedelta(days=findings.DAYS_A_QUARTER) / (window.end - window.start)
    return [
        findings.lost_edge(
            probability,
            rose,
            base_rate=float(known.mean()) if len(known) else np.nan,
            recent=recent,
            a_day=86_400 / (window.interval.total_seconds() * window.horizon_bars),
        ),
        findings.lost_calibration(probability, rose, recent=recent, checks=checks),
        findings.moved(
            Kind.PREDICTION,
            PROBABILITY,
            _floats(told[before]),
            _floats(told[~before]),
            rate=min(0.05, findings.MOVED_A_QUARTER / checks),
        ),
        findings.moved_features(
            {name: _floats(window.reference[name]) for name in names},
            {name: _floats(window.current[name]) for name in names},
        ),
        findings.moved(
            Kind.TARGET,
            OUTCOME,
            _floats(window.reference[OUTCOME]),
            _floats(window.current[OUTCOME]),
        ),
    ]


def forward_returns(close: pd.Series[float], interval: timedelta, horizon: int) -> pd.Series[float]:
    """Return close[t + horizon] / close[t] - 1, NaN where that very bar is missing."""
    later = close.reindex(close.index + horizon * interval)
    return pd.Series(later.to_numpy() / close.to_numpy() - 1, index=close.index, name=OUTCOME)


def _apart(window: Window) -> pd.DataFrame:
    settled = window.scores.dropna()
    length = pd.Timedelta(window.interval).value
    bars = pd.DatetimeIndex(settled.index).as_unit("ns").asi8 // length
    return settled.take(np.flatnonzero(bars % window.horizon_bars == 0))


def _rose(returns: pd.Series[float], cost: float) -> findings.Floats:
    return (_floats(returns) > cost).astype(np.float64)


def _floats(column: pd.Series[float]) -> findings.Floats:
    return np.asarray(column, dtype=np.float64)
