"""Two made-up models that score the bars of a market, and how wrong each of them is.

Both see the volatility so far and know what it means for the chance of a rise. Each adds an
error of its own, which drifts as slowly as what real models look at. Two with errors of one
size are equally good, whatever the market does: swapping them changes nothing but the sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.signal import lfilter, lfiltic
from scipy.special import expit, logit, ndtr

from experiments.analysis import Pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SECONDS_A_BAR = 60
HALF_LIFE = 60  # bars over which the volatility is averaged
CLOSEST_TO_CERTAIN = 0.001
# A process that was restarted scores nothing for a while: so many bars, so often.
OUTAGE, BETWEEN_OUTAGES = 20, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How wrong both are, in standard deviations of log odds, and from bar to bar how alike.

    `memory` is the correlation of an error with that of the bar before.
    """

    control: float
    treatment: float
    memory: float


def score(bars: pd.DataFrame, seed: int, errors: Errors, *, horizon: int, cost: float) -> Pairs:
    """Let both score every bar, and say what came of it.

    Args:
        bars: With `close`, indexed by start (UTC), a minute apart.
        seed: Of the errors and the outages, which the market knows nothing of.
        errors: How wrong the two are.
        horizon: Bars from a score to its outcome.
        cost: Return above which an outcome counts as a rise.
    """
    random, close = np.random.default_rng([seed, 1]), bars["close"].to_numpy(dtype=np.float64)
    known = logit(chance(close, horizon=horizon, cost=cost))
    returns = np.full(len(close), np.nan)
    returns[:-horizon] = close[horizon:] / close[:-horizon] - 1
    return Pairs(
        bars=pd.DatetimeIndex(bars.index).as_unit("s").asi8 // SECONDS_A_BAR,
        control=_told(known, errors.control, errors.memory, random),
        treatment=_told(known, errors.treatment, errors.memory, random),
        rose=np.where(np.isnan(returns), np.nan, (returns > cost).astype(np.float64)),
    )


def chance(close: Floats, *, horizon: int, cost: float) -> Floats:
    """Return the chance of a return above the cost, from the volatility until each bar.

    Nothing after a bar has a part in it; the first `horizon` bars know no volatility and are
    given the first one known.
    """
    moved = np.log(close[horizon:] / close[:-horizon]) ** 2
    keep = 0.5 ** (1 / HALF_LIFE)
    began = lfiltic([1 - keep], [1, -keep], [moved[0]])
    variance, _ = lfilter([1 - keep], [1, -keep], moved, zi=began)
    variance = np.concatenate([np.full(horizon, variance[0]), variance])
    above = ndtr(-np.log1p(cost) / np.sqrt(variance))
    return np.asarray(np.clip(above, CLOSEST_TO_CERTAIN, 1 - CLOSEST_TO_CERTAIN))


def error(count: int, memory: float, random: np.random.Generator) -> Floats:
    """Return a first-order autoregression of variance one, stationary from its first value."""
    shocks = random.standard_normal(count) * np.sqrt(1 - memory**2)
    first = lfiltic([1], [1, -memory], [random.standard_normal()])
    values, _ = lfilter([1], [1, -memory], shocks, zi=first)
    return np.asarray(values)


def _told(known: Floats, size: float, memory: float, random: np.random.Generator) -> Floats:
    told = expit(known + size * error(len(known), memory, random))
    told = np.clip(told, CLOSEST_TO_CERTAIN, 1 - CLOSEST_TO_CERTAIN)
    for at in np.flatnonzero(random.random(len(told)) < 1 / BETWEEN_OUTAGES):
        told[at : at + OUTAGE] = np.nan
    return np.asarray(told)
