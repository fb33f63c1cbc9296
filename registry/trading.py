"""What rows that were examined would have earned by the live rules, block by block of time.

Which positions are entered and left is for registry/scorer.py to say, in the search as on the
hold-out. Here its round trips meet a model's promise, the bars and the blocks.
Sharpe ratios are per block, never annualised.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from registry import scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from registry.evaluation import Payoff
    from registry.training import Course

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

# A deviation needs two.
AT_LEAST_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one model said of some rows, and what it takes its calls to be worth.

    `rows` are positions in the course's table, in order of time, with one probability each.
    `worth` and `base_rate` come from other rows, and best from earlier ones.
    """

    rows: Places
    probability: Floats
    worth: Payoff
    base_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """What trades on the probabilities would have earned after costs.

    `entered` and `left` are the rows decided on, as positions among all that were told of,
    `net` the return of each trade after costs, `blocks` the sum of those for every block of
    time in which a trade was entered, also where it is zero.
    """

    entered: Places
    left: Places
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


def trade(course: Course, told: Sequence[Told]) -> Trading:
    """Trade one unit by the live rules, each model on its own rows and on none of another's.

    Half of a round trip's cost is paid on either side. What a model still holds when its rows
    end does not count.
    """
    trips, offset = [], 0
    for one in told:
        entered, left, net = _trips(course, one)
        trips.append((entered + offset, left + offset, net))
        offset += len(one.rows)
    entered, left, net = (np.concatenate(each) for each in zip(*trips, strict=True))
    decided = _nanoseconds(course.table["decided"].iloc[np.concatenate([t.rows for t in told])])
    number = (decided - decided[0]) // course.plan.block.value
    blocks = np.zeros(int(number[-1]) + 1)
    np.add.at(blocks, number[entered], net)
    return Trading(entered=entered, left=left, net=net, blocks=blocks)


def _trips(course: Course, told: Told) -> tuple[Places, Places, Floats]:
    starts = _nanoseconds(course.bars.index)
    places = np.searchsorted(starts, _nanoseconds(course.table.index[told.rows]))
    # The bar before lets the first row be traded on, the bar after meets the last one's order.
    first, end = max(int(places[0]) - 1, 0), int(places[-1]) + 2
    opened, close = (course.bars[name].to_numpy()[first:end] for name in ("open", "close"))
    said = np.full(len(close), np.nan)
    said[places - first] = told.probability
    times = (starts[first:end] - starts[first]) // pd.Timedelta(course.plan.interval).value
    found = scorer.score(said, opened, close, times, _rules(course, told))
    entered, left = (np.searchsorted(places, some + first) for some in (found.entered, found.left))
    return entered, left, found.net


def _rules(course: Course, told: Told) -> scorer.Rules:
    return scorer.Rules(
        gain=told.worth.gain,
        loss=told.worth.loss,
        base_rate=told.base_rate,
        horizon=course.plan.horizon,
        fee=course.plan.cost / 2,
        spread=0.0,
    )


def _nanoseconds(times: pd.Index | pd.Series) -> NDArray[np.int64]:
    return pd.DatetimeIndex(times).as_unit("ns").asi8
