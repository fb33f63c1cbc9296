"""How good probabilities are, and what trading on them would have earned.

Sharpe ratios are per block of time, never annualised, and kurtosis is raw (normal = 3).
Nothing here reads a clock or draws a random number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EULER = 0.5772156649015329
# One bin of a reliability table needs enough rows for its share to mean something.
BINS = 10
CLOSEST_TO_CERTAIN = 1e-6
# A spread of Sharpe ratios needs two, and so does a deviation.
AT_LEAST_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Platt's sigmoid: from a raw margin to a probability."""

    slope: float
    intercept: float

    def apply(self, margins: NDArray[np.floating]) -> Floats:
        """Return probabilities, never quite 0 or 1."""
        z = self.slope * margins.astype(np.float64) + self.intercept
        return np.clip(1 / (1 + np.exp(-z)), CLOSEST_TO_CERTAIN, 1 - CLOSEST_TO_CERTAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payoff:
    """What a label is worth: mean forward return where it was 1, and minus that where 0."""

    gain: float
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How probabilities did against what happened, beside the base rate on the same rows."""

    rows: int
    log_loss: float
    base_log_loss: float
    brier: float
    roc_auc: float

    @property
    def gain(self) -> float:
        """How much lower the log loss is than that of always saying the base rate."""
        return self.base_log_loss - self.log_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """What trades on the probabilities would have earned after costs.

    `entered` are positions in the scored rows, `net` the return of each trade less the
    round trip, `blocks` the sum of those for every block of time, also where it is zero.
    """

    entered: NDArray[np.intp]
    net: Floats
    blocks: Floats

    @property
    def sharpe(self) -> float:
        """Mean over deviation of the blocks; zero where nothing was traded."""
        spread = float(self.blocks.std(ddof=1)) if len(self.blocks) >= AT_LEAST_TWO else 0.0
        return float(self.blocks.mean()) / spread if spread > 0 else 0.0

    def lower_bound(self, *, confidence: float = 0.95) -> float:
        """Return the one-sided lower bound of the mean net return of a block, by Student's t."""
        n = len(self.blocks)
        if n < AT_LEAST_TWO:
            return -np.inf
        error = float(self.blocks.std(ddof=1)) / sqrt(n)
        return float(self.blocks.mean() - stats.t.ppf(confidence, n - 1) * error)


def fit_calibration(margins: NDArray[np.floating], y: NDArray[np.integer]) -> Calibration:
    """Fit Platt's sigmoid on predictions of rows the model was not taught."""
    fitted = LogisticRegression(C=np.inf).fit(margins.astype(np.float64).reshape(-1, 1), y)
    return Calibration(slope=float(fitted.coef_[0, 0]), intercept=float(fitted.intercept_[0]))


def calibration_slope(probability: Floats, y: NDArray[np.integer]) -> float:
    """Return the slope of the outcome on the log odds: 1 is right, below 1 overconfident.

    Source: Cox (1958), Two further applications of a model for binary regression.
    """
    return fit_calibration(np.log(probability / (1 - probability)), y).slope


def log_losses(probability: Floats, y: NDArray[np.integer]) -> Floats:
    """Return each row's log loss."""
    return -np.log(np.where(y == 1, probability, 1 - probability))


def score(probability: Floats, y: NDArray[np.integer], *, base_rate: float) -> Scores:
    """Score probabilities; the base rate is that of the rows which taught the model."""
    base = np.full(len(y), min(max(base_rate, CLOSEST_TO_CERTAIN), 1 - CLOSEST_TO_CERTAIN))
    return Scores(
        rows=len(y),
        log_loss=float(log_losses(probability, y).mean()),
        base_log_loss=float(log_losses(base, y).mean()),
        brier=float(np.mean((probability - y) ** 2)),
        roc_auc=float(roc_auc_score(y, probability)) if len(np.unique(y)) > 1 else 0.5,
    )


def payoff(table: pd.DataFrame) -> Payoff:
    """Return what the labels of these rows were worth; both classes must be there."""
    means = table.groupby("y")["forward_return"].mean()
    return Payoff(gain=float(means.loc[1]), loss=-float(means.loc[0]))


def trade(
    probability: Floats,
    table: pd.DataFrame,
    worth: Payoff,
    *,
    cost: float,
    margin: float,
    block: pd.Timedelta,
) -> Trading:
    """Trade one unit whenever the expected value exceeds the margin and nothing is held.

    Every position is held to its horizon, so that trades never overlap.

    Args:
        probability: One a row of the table.
        table: Labelled rows in order of time, with `decided`, `ended`, `forward_return`.
        worth: What the labels are worth, from rows that came earlier.
        cost: The round trip, as a fraction.
        margin: The least expected value worth a trade, as a fraction.
        block: The length of the blocks whose sums are taken as independent.
    """
    expected = probability * worth.gain - (1 - probability) * worth.loss - cost
    decided = _nanoseconds(table["decided"])
    ended = _nanoseconds(table["ended"])
    entered = []
    free = decided[0]
    for n in np.flatnonzero(expected > margin):
        if decided[n] >= free:
            entered.append(n)
            free = ended[n]
    chosen = np.array(entered, dtype=np.intp)
    net = table["forward_return"].to_numpy(dtype=np.float64)[chosen] - cost
    number = (decided - decided[0]) // block.value
    blocks = np.zeros(int(number[-1]) + 1)
    np.add.at(blocks, number[chosen], net)
    return Trading(entered=chosen, net=net, blocks=blocks)


def reliability(probability: Floats, y: NDArray[np.integer]) -> list[tuple[float, float, int]]:
    """Return (mean probability, share of ones, rows) for bins with equal numbers of rows."""
    order = np.argsort(probability, kind="stable")
    return [
        (float(probability[rows].mean()), float(y[rows].mean()), len(rows))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def probabilistic_sharpe(
    sharpe: float, benchmark: float, *, periods: int, skewness: float, kurtosis: float
) -> float:
    """Return the probability that the true Sharpe ratio exceeds the benchmark.

    Source: Bailey and Lopez de Prado (2012), The Sharpe ratio efficient frontier.

    Examples:
        >>> round(probabilistic_sharpe(0.458, 0, periods=24, skewness=-2.448, kurtosis=10.164), 3)
        0.913
    """
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return float(stats.norm.cdf((sharpe - benchmark) * sqrt((periods - 1) / variance)))


def expected_best(trials: int) -> float:
    """Return the expected maximum of so many independent standard normal numbers, nearly.

    Examples:
        >>> round(expected_best(10), 4)
        1.5746
    """
    if trials < AT_LEAST_TWO:
        return 0.0
    first, second = stats.norm.ppf([1 - 1 / trials, 1 - 1 / (trials * e)])
    return float((1 - EULER) * first + EULER * second)


def deflated_sharpe(blocks: Floats, *, trials: int, spread: float) -> float:
    """Return the probability that the best of so many trials has any edge at all.

    Source: Bailey and Lopez de Prado (2014), The deflated Sharpe ratio.

    Args:
        blocks: The chosen trial's net return of every block.
        trials: How many were tried, the failed ones too.
        spread: The standard deviation of the trials' Sharpe ratios.
    """
    deviation = float(blocks.std(ddof=1)) if len(blocks) >= AT_LEAST_TWO else 0.0
    if deviation == 0:
        return 0.0
    return probabilistic_sharpe(
        float(blocks.mean()) / deviation,
        spread * expected_best(trials),
        periods=len(blocks),
        skewness=float(stats.skew(blocks)),
        kurtosis=float(stats.kurtosis(blocks, fisher=False)),
    )


def _nanoseconds(times: pd.Series) -> NDArray[np.int64]:
    return pd.DatetimeIndex(times).as_unit("ns").asi8
