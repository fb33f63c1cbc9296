"""Challenger and champion side by side on bars that neither was taught on."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import pandas as pd
from scipy import stats

from registry import evaluation

if TYPE_CHECKING:
    from datetime import datetime

    from registry.evaluation import Floats

# Fewer blocks than this say nothing about which of two is better.
FEWEST_BLOCKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivalry:
    """How much less the challenger lost than the champion, bar by bar.

    `gain` is the champion's log loss less the challenger's on the same rows, `low` and `high`
    its 95 % interval by Student's t over blocks, within which outcomes overlap.
    """

    blocks: int
    rows: int
    gain: float
    low: float
    high: float


def compare(
    table: pd.DataFrame,
    challenger: Floats,
    champion: Floats,
    *,
    since: datetime,
    block: pd.Timedelta,
) -> Rivalry | None:
    """Compare two models' probabilities of the same outcomes; None if there are too few.

    Args:
        table: Labelled rows in order of time, with `decided` and `y`.
        challenger: One probability a row.
        champion: One probability a row, of the same label.
        since: The first decision that the champion was not taught on.
        block: The length of the blocks whose means are taken as independent.
    """
    fresh = (table["decided"] >= since).to_numpy()
    y = table["y"].to_numpy()[fresh]
    gains = evaluation.log_losses(champion[fresh], y) - evaluation.log_losses(challenger[fresh], y)
    decided = pd.DatetimeIndex(table["decided"][fresh])
    means = pd.Series(gains).groupby(decided.floor(block)).mean().to_numpy()
    if len(means) < FEWEST_BLOCKS:
        return None
    mean = float(means.mean())
    error = float(means.std(ddof=1)) / sqrt(len(means))
    reach = float(stats.t.ppf(0.975, len(means) - 1)) * error
    return Rivalry(
        blocks=len(means), rows=int(fresh.sum()), gain=mean, low=mean - reach, high=mean + reach
    )
