"""How one learner is fitted: XGBoost's trees, or the plain rival, a logistic regression.

Both decide on the last part of what teaches how far to go, the trees when to stop growing and
the rival how flat it stays, and both end as a booster.
"""

from __future__ import annotations

from dataclasses import dataclass
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
PATIENCE = 15
# Market features are noise beyond this resolution, and 64 bins fit four times as fast as 256.
FIXED: dict[str, Any] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_bin": 64,
    "nthread": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The margins of a lesson's rows, and how far the learner went.

    `effort` is the number of rounds of the trees, or the strength of the rival.
    """

    margins: NDArray[np.floating]
    effort: float


def examine(course: Course, lesson: Lesson, params: dict[str, Any]) -> Examined:
    """Teach one lesson and score the rows it examines."""
    if params == BASELINE:
        return _examine_plain(course, lesson)
    booster = xgb.train(
        FIXED | {"seed": course.plan.seed} | params,
        lesson.fit,
        MOST_ROUNDS,
        evals=[(lesson.stop, "stop")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    best = booster.best_iteration + 1
    margins = booster.predict(lesson.test, output_margin=True, iteration_range=(0, best))
    return Examined(margins=margins, effort=best)


def fit(course: Course, params: dict[str, Any], efforts: list[float]) -> xgb.Booster:
    """Fit on everything before the hold-out, as far as it usually went in the lessons."""
    train = course.final.train
    rows, y = course.rows(train), course.outcomes(train)
    if params == BASELINE:
        steps = baseline.fit(
            rows,
            y,
            course.weight(train),
            edges=baseline.cut(rows),
            strength=float(np.exp(np.mean(np.log(efforts)))),
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


def _examine_plain(course: Course, lesson: Lesson) -> Examined:
    taught, stop = lesson.inner.train, lesson.inner.test
    rows, edges = course.rows(taught), baseline.cut(course.rows(taught))
    fitted = {
        strength: baseline.fit(
            rows, course.outcomes(taught), course.weight(taught), edges=edges, strength=strength
        )
        for strength in baseline.STRENGTHS
    }
    losses = {strength: _loss(course, stop, steps) for strength, steps in fitted.items()}
    best = min(losses, key=lambda strength: losses[strength])
    margins = fitted[best].margins(course.rows(lesson.split.test))
    return Examined(margins=margins, effort=best)


def _loss(course: Course, chosen: NDArray[np.intp], steps: baseline.Steps) -> float:
    said = evaluation.UNCALIBRATED.apply(steps.margins(course.rows(chosen)))
    return evaluation.log_loss(said, course.outcomes(chosen), course.weight(chosen))
