"""How one learner is fitted: XGBoost's trees, or the plain rival, a logistic regression.

How far to go, the trees in rounds and the rival in how flat it stays, was shown by the rows
that the stage before examined. Both end as a booster.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb

from registry import baseline, evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from registry.training import Course, Lesson

# The parameters by which the plain rival is known; it has none to search for.
BASELINE: dict[str, Any] = {"learner": "logistic regression on steps"}
# Trees beyond this many rounds have never helped on a day or a fortnight of bars.
MOST_ROUNDS = 200
PATIENCE = 10
# To ask after every round takes a fifth of the time and finds nothing better.
ROUNDS_A_LOOK = 5
# Market features are noise beyond this resolution.
FIXED: dict[str, Any] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_bin": 32,
    "nthread": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The margins of a lesson's rows, and how far the learner should have gone for them.

    `effort` is the number of rounds of the trees, or the strength of the rival.
    """

    margins: NDArray[np.floating]
    effort: float


def examine(
    course: Course, lesson: Lesson, params: dict[str, Any], effort: float | None = None
) -> Examined:
    """Teach one lesson and score the rows it examines.

    Args:
        course: What the lesson is part of.
        lesson: What teaches and what examines.
        params: The learner's.
        effort: How far to go, from rows examined earlier; without it the margins come from
            as far as was best on these rows, and are not for the record.
    """
    if params == BASELINE:
        return _examine_plain(course, lesson, effort)
    rounds = None if effort is None else round(effort)
    booster, best = _grow(lesson, FIXED | {"seed": course.plan.seed} | params, rounds or 1)
    margins = booster.predict(lesson.test, output_margin=True, iteration_range=(0, rounds or best))
    return Examined(margins=margins, effort=best)


def fit(course: Course, params: dict[str, Any], efforts: list[float]) -> xgb.Booster:
    """Fit on everything before the hold-out, as far as it usually went in the lessons."""
    train = course.final.train
    rows, y = course.rows(train), course.outcomes(train)
    if params == BASELINE:
        strength = float(np.exp(np.mean(np.log(efforts))))
        steps = baseline.fit(
            rows, y, course.weight(train), edges=baseline.cut(rows), strength=strength
        )
        return baseline.to_booster(steps, rows)
    matrix = matrix_of(course, train)
    seeded = FIXED | {"seed": course.plan.seed} | params
    return xgb.train(seeded, matrix, round(float(np.mean(efforts))))


def matrix_of(
    course: Course, chosen: NDArray[np.intp], like: xgb.QuantileDMatrix | None = None
) -> xgb.QuantileDMatrix:
    """Bin rows for XGBoost, in the bins of another matrix if one is given."""
    return xgb.QuantileDMatrix(
        course.rows(chosen),
        course.outcomes(chosen),
        weight=course.weight(chosen),
        ref=like,
        max_bin=FIXED["max_bin"],
        nthread=1,
    )


def _grow(lesson: Lesson, params: dict[str, Any], fewest: int) -> tuple[xgb.Booster, int]:
    """Add trees until they stop helping on what was examined; return how many helped."""
    booster = xgb.Booster(params, [lesson.fit, lesson.test])
    best, least = ROUNDS_A_LOOK, inf
    for rounds in range(1, MOST_ROUNDS + 1):
        booster.update(lesson.fit, rounds - 1)
        if rounds % ROUNDS_A_LOOK:
            continue
        loss = float(booster.eval(lesson.test).rpartition(":")[2])
        if loss < least:
            best, least = rounds, loss
        elif rounds >= max(best + PATIENCE, fewest):
            break
    return booster, best


def _examine_plain(course: Course, lesson: Lesson, effort: float | None) -> Examined:
    taught, known = lesson.split.train, lesson.known
    rows = course.rows(taught)
    fitted = baseline.fit_all(
        rows,
        course.outcomes(taught),
        course.weight(taught),
        edges=baseline.cut(rows),
        strengths=baseline.STRENGTHS,
    )
    losses = {strength: _loss(course, known, steps) for strength, steps in fitted.items()}
    best = min(losses, key=lambda strength: losses[strength])
    margins = fitted[effort or best].margins(course.rows(lesson.split.test))
    return Examined(margins=margins, effort=best)


def _loss(course: Course, chosen: NDArray[np.intp], steps: baseline.Steps) -> float:
    said = evaluation.UNCALIBRATED.apply(steps.margins(course.rows(chosen)))
    return evaluation.log_loss(said, course.outcomes(chosen), course.weight(chosen))
