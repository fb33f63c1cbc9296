"""How good probabilities are, how they become better, and what the labels are worth.

Nothing here reads a clock or draws a random number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# One bin of a reliability table needs enough rows for its share to mean something.
BINS = 10
CLOSEST_TO_CERTAIN = 1e-6
CLASSES = 2
# Newton's steps double the digits; a longer one than this has left where its parabola holds.
MOST_STEPS, LONGEST_STEP, CLOSE_ENOUGH = 50, 2.0, 1e-10
# Less is rounding.
NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Platt's sigmoid: from a raw margin to a probability."""

    slope: float
    intercept: float

    def apply(self, margins: NDArray[np.floating]) -> Floats:
        """Return probabilities, never quite 0 or 1."""
        z = self.slope * margins.astype(np.float64) + self.intercept
        return np.clip(1 / (1 + np.exp(-z)), CLOSEST_TO_CERTAIN, 1 - CLOSEST_TO_CERTAIN)


UNCALIBRATED = Calibration(slope=1.0, intercept=0.0)


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


def fit_calibration(
    margins: NDArray[np.floating], y: NDArray[np.integer], weight: Floats | None = None
) -> Calibration:
    """Fit Platt's sigmoid on predictions of rows the model was not taught; both labels are there.

    Newton's steps on two numbers take 6 ms for 30,000 rows where scikit-learn's solvers take 25
    and more, four times a trial. Margins that are all the same have a slope of zero, labels that
    a margin parts have a steep one.
    """
    x = margins.astype(np.float64)
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    rate, centre = _total(share * y), _total(share * x)
    spread = sqrt(_total(share * (x - centre) ** 2))
    if spread <= NO_SPREAD * max(1.0, abs(centre)):
        return Calibration(slope=0.0, intercept=log(rate / (1 - rate)))
    z, slope, level = (x - centre) / spread, 0.0, log(rate / (1 - rate))
    for _ in range(MOST_STEPS):
        said = expit(slope * z + level)
        missed, curve = share * (y - said), share * said * (1 - said)
        first, second, third = _total(curve), _total(curve * z), _total(curve * z**2)
        flat, steep = _total(missed), _total(missed * z)
        determinant = first * third - second**2
        if determinant < NO_SPREAD**2:
            break
        rise = (first * steep - second * flat) / determinant
        lift = (third * flat - second * steep) / determinant
        shorter = min(1.0, LONGEST_STEP / max(abs(rise), abs(lift), NO_SPREAD))
        slope, level = slope + shorter * rise, level + shorter * lift
        if max(abs(rise), abs(lift)) < CLOSE_ENOUGH:
            break
    return Calibration(slope=slope / spread, intercept=level - slope * centre / spread)


def calibration_slope(
    probability: Floats, y: NDArray[np.integer], weight: Floats | None = None
) -> float:
    """Return the slope of the outcome on the log odds: 1 is right, below 1 overconfident.

    Source: Cox (1958), Two further applications of a model for binary regression.
    """
    return fit_calibration(np.log(probability / (1 - probability)), y, weight).slope


def log_losses(probability: Floats, y: NDArray[np.integer]) -> Floats:
    """Return each row's log loss."""
    return -np.log(np.where(y == 1, probability, 1 - probability))


def log_loss(probability: Floats, y: NDArray[np.integer], weight: Floats | None = None) -> float:
    """Return the mean log loss, of rows that count by their weight if they differ."""
    return float(np.average(log_losses(probability, y), weights=weight))


def score(
    probability: Floats,
    y: NDArray[np.integer],
    *,
    base_rate: float,
    weight: Floats | None = None,
) -> Scores:
    """Score probabilities; the base rate is that of the rows which taught the model.

    Rows that share their outcome with others count by their weight, if one is given.
    """
    base = np.full(len(y), min(max(base_rate, CLOSEST_TO_CERTAIN), 1 - CLOSEST_TO_CERTAIN))
    return Scores(
        rows=len(y),
        log_loss=log_loss(probability, y, weight),
        base_log_loss=log_loss(base, y, weight),
        brier=float(np.average((probability - y) ** 2, weights=weight)),
        roc_auc=_roc_auc(probability, y, weight),
    )


def payoff(table: pd.DataFrame) -> Payoff:
    """Return what the labels of these rows were worth; both classes must be there.

    Rows count by their `weight`, where there is one.
    """
    worth = {
        label: float(np.average(rows["forward_return"], weights=rows.get("weight")))
        for label, rows in table.groupby("y")
    }
    return Payoff(gain=worth[1], loss=-worth[0])


def reliability(probability: Floats, y: NDArray[np.integer]) -> list[tuple[float, float, int]]:
    """Return (mean probability, share of ones, rows) for bins with equal numbers of rows."""
    order = np.argsort(probability, kind="stable")
    return [
        (float(probability[rows].mean()), float(y[rows].mean()), len(rows))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def _total(values: Floats) -> float:
    # A dot product would go to BLAS, whose threads wait for each other on a busy machine.
    return float(np.add.reduce(values))


def _roc_auc(probability: Floats, y: NDArray[np.integer], weight: Floats | None) -> float:
    if len(np.unique(y)) < CLASSES:
        return 0.5
    return float(roc_auc_score(y, probability, sample_weight=weight))
