"""What the gate looks at: every number that speaks for a model or against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.evaluation import Scores
    from registry.rivalry import Rivalry


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the gate looks at.

    `net_per_trade` and `lower_bound` (per block) are fractions after cost on the hold-out;
    `cost` is the round trip that was taken off, `trades_a_day` the turnover there;
    `shuffled_gain` is the log loss gained on labels that mean nothing; `parity` the largest
    difference between a probability as trained and as served. `blocks` is the length of the
    hold-out, `shortest_record` the length it takes to believe its Sharpe ratio, both in
    blocks. `trials` are all that were ever made for the market, looks at hold-outs and this one
    included; of this search's, `complete` went all the way and `given_up` did not, which count by
    what they had earned. `looking_ahead` names the
    features whose past depends on later bars, `meeting` counts the rows that taught while
    they shared a moment with one that examined. `overfitting` is the probability that the
    best of the trials is no better than their median; NaN where it cannot be told. `rivalry`
    compares with the model in production; None where there is none to compare with.
    `openings` counts the looks at exactly this hold-out, this one included, and `overlapping`
    the earlier ones at a stretch that shares bars with it; `seen` is the share of its bars that
    any of these saw, and `most_seen` how many of them saw one and the same bar.
    """

    folds: tuple[Scores, ...]
    hold_out: Scores
    trades: int
    trades_a_day: float
    cost: float
    net_per_trade: float
    lower_bound: float
    deflated_sharpe: float
    trials: int
    calibration_slope: float
    shuffled_gain: float
    parity: float
    blocks: int
    shortest_record: float
    looking_ahead: tuple[str, ...]
    meeting: int
    overfitting: float
    rivalry: Rivalry | None = None
    openings: int = 1
    overlapping: int = 0
    complete: int = 0
    given_up: int = 0
    seen: float = 0.0
    most_seen: int = 0

    @property
    def cost_share(self) -> float:
        """Which part of what trades earned before costs these took; infinite if nothing came."""
        earned = self.net_per_trade + self.cost
        return self.cost / earned if earned > 0 else math.inf
