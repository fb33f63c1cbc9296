"""What a fitted model shows on the hold-out, and the evidence that the gate asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from registry import evaluation, leaks, overfitting, probes, rivalry
from registry.evidence import Evidence
from registry.trading import Told, trade

if TYPE_CHECKING:
    import pandas as pd

    from registry.contract import Contract
    from registry.openings import Log, Look, Opening
    from registry.rivalry import Rivalry
    from registry.search import Found
    from registry.served import ServedModel
    from registry.trading import Trading
    from registry.training import Course, Model

MOST_PARTS = 16
FEWEST_TO_CHOOSE_FROM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOut:
    """The rows never seen, their probabilities, and the trades those would have made.

    `opening` is this look at them as the log has it.
    """

    features: pd.DataFrame
    table: pd.DataFrame
    probability: evaluation.Floats
    trading: Trading
    opening: Opening


def examine(course: Course, model: Model, log: Log, look: Look) -> HoldOut:
    """Look at the hold-out, once the look is on record."""
    rows = course.final.test
    features, table = course.features.iloc[rows], course.table.iloc[rows]
    opening = log.open(look)
    probability = model.probabilities(features)
    log.close(evaluation.log_loss(probability, course.outcomes(rows), course.weight(rows)))
    told = Told(rows=rows, probability=probability, worth=model.worth, base_rate=model.base_rate)
    trading = trade(course, [told])
    return HoldOut(
        features=features, table=table, probability=probability, trading=trading, opening=opening
    )


def gather(course: Course, found: Found, folds: list[evaluation.Scores], held: HoldOut) -> Evidence:
    """Return all the evidence but three: parity, features that look ahead, and the champion.

    The first two stand as not examined, so that what nobody adds cannot pass.
    """
    rows, trading = course.final.test, held.trading
    y, weight = course.outcomes(rows), course.weight(rows)
    base_rate = float(course.outcomes(course.final.train).mean())
    trials = found.trials + 1  # this look at the hold-out, begun since they were counted
    return Evidence(
        folds=tuple(folds),
        hold_out=evaluation.score(held.probability, y, base_rate=base_rate, weight=weight),
        trades=len(trading.net),
        trades_a_day=len(trading.net) / (len(rows) * course.plan.interval / timedelta(days=1)),
        cost=course.plan.cost,
        net_per_trade=float(trading.net.mean()) if len(trading.net) else 0.0,
        lower_bound=trading.lower_bound(),
        deflated_sharpe=overfitting.deflated_sharpe(
            found.blocks, trials=trials, spread=found.spread
        ),
        trials=trials,
        complete=found.returns.shape[1],
        given_up=found.given_up,
        calibration_slope=evaluation.calibration_slope(held.probability, y, weight),
        shuffled_gain=probes.shuffled_gain(course, found.params),
        parity=float("nan"),
        blocks=len(trading.blocks),
        shortest_record=_shortest_record(trading),
        looking_ahead=("not examined",),
        meeting=_meeting(course),
        overfitting=_overfitting(found),
        openings=held.opening.number,
        overlapping=held.opening.overlapping,
        seen=held.opening.seen,
        most_seen=held.opening.most,
    )


def against(
    champion: ServedModel, draft: Contract, course: Course, held: HoldOut
) -> Rivalry | None:
    """Compare with the champion on the hold-out, if both were asked the same question."""
    theirs, ours = (
        (one.cost, one.horizon_bars, one.interval_seconds, one.feature_hash)
        for one in (champion.contract, draft)
    )
    if theirs != ours:
        return None
    rows = held.features.to_numpy(dtype=np.float64)
    return rivalry.compare(
        held.table,
        held.probability,
        np.array([champion.predict(row) for row in rows]),
        since=champion.contract.trained_until,
        block=course.plan.block,
    )


def _meeting(course: Course) -> int:
    within = sum(leaks.meeting(course.table, lesson.split) for lesson in course.lessons)
    return within + leaks.meeting(course.table, course.final)


def _shortest_record(trading: Trading) -> float:
    moments = trading.blocks
    if trading.sharpe <= 0:
        return float("inf")
    return overfitting.shortest_record(
        trading.sharpe,
        0.0,
        skewness=float(stats.skew(moments)),
        kurtosis=float(stats.kurtosis(moments, fisher=False)),
    )


def _overfitting(found: Found) -> float:
    blocks, trials = found.returns.shape
    parts = min(MOST_PARTS, blocks // 4 * 2)
    if trials < FEWEST_TO_CHOOSE_FROM or parts < FEWEST_TO_CHOOSE_FROM:
        return float("nan")
    return overfitting.overfitting(found.returns, parts=parts).probability
