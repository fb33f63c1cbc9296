"""Fit models on the past and examine them on what came after.

Every row examined is scored by a model that was taught, stopped and calibrated without it.
The hold-out is examined once, by the very model that is registered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xgboost as xgb

from registry import evaluation, fitting, material, splits
from registry.errors import TrainingRefused
from registry.splits import Split
from registry.uniqueness import uniqueness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from registry.evaluation import Calibration, Payoff
    from registry.fitting import Examined

# The part of the first lesson's past that rehearses its examination.
REHEARSED = 0.2
FEWEST_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The terms of one retraining, fixed before anything is looked at."""

    interval: timedelta
    horizon: int
    cost: float
    trials: int = 20
    folds: int = 4
    hold_out_share: float = 0.2
    seed: int = 7
    # Barriers in volatilities of the horizon; None holds every position to the horizon.
    barrier: float | None = None

    @property
    def embargo(self) -> timedelta:
        """The least time between an outcome that teaches and the first row examined."""
        return self.horizon * self.interval

    @property
    def block(self) -> pd.Timedelta:
        """Blocks so much longer than a label that their sums are nearly independent."""
        return pd.Timedelta(8 * self.horizon * self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """The rows of one examination, binned once for every set of parameters.

    `known` are the examined rows that teach what comes next: on them it shows how far a learner
    should have gone, and so how far the next one goes. The others have no weight in `test`.
    `worth` and `base_rate` are those of the rows that teach.
    """

    fit: xgb.QuantileDMatrix
    test: xgb.QuantileDMatrix
    split: Split
    known: NDArray[np.intp]
    worth: Payoff
    base_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Everything the search and the final fit draw on; `bars` are all, features has some rows.

    The first of the `stages` rehearses: it cuts what teaches the first lesson, before which
    nothing has been examined that could show how far to go.
    """

    features: pd.DataFrame
    table: pd.DataFrame
    bars: pd.DataFrame
    final: Split
    stages: tuple[Lesson, ...]
    plan: Plan

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """The stages that examine rows for the record."""
        return self.stages[1:]

    @property
    def examined(self) -> NDArray[np.intp]:
        """Positions of the rows that some lesson examined, in order of time."""
        return np.concatenate([lesson.split.test for lesson in self.lessons])

    def rows(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the features of some rows as models take them."""
        return to_matrix(self.features.iloc[chosen])

    def outcomes(self, chosen: NDArray[np.intp]) -> NDArray[np.integer]:
        """Return the labels of some rows."""
        return self.table["y"].to_numpy()[chosen]

    def weight(self, chosen: NDArray[np.intp]) -> NDArray[np.float64] | None:
        """Return how much some rows count; None where labels of one length all count the same."""
        return self.table["weight"].to_numpy()[chosen] if "weight" in self.table else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A fitted booster, how its margin becomes a probability and what that is worth."""

    booster: xgb.Booster
    calibration: Calibration
    worth: Payoff
    base_rate: float

    def probabilities(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Score rows through XGBoost's training interface."""
        matrix = xgb.DMatrix(to_matrix(features), nthread=1)
        return self.calibration.apply(self.booster.predict(matrix, output_margin=True))


def prepare(features: pd.DataFrame, table: pd.DataFrame, bars: pd.DataFrame, plan: Plan) -> Course:
    """Join features with labels and cut them into lessons and one hold-out.

    Args:
        features: One column a feature (float), indexed by the start of the bar; rows with
            a missing value, such as those before the features are warm, are left out.
        table: What `labels.label` returns for the same bars.
        bars: The bars themselves: float columns `open` and `close`, indexed by start.
        plan: The terms of this retraining.

    Raises:
        TrainingRefused: Too few rows, or too few of one class, in some part; or a hole in the
            bars of the hold-out.
    """
    starts, never = pd.DatetimeIndex(features.index), features.columns[features.isna().all()]
    features = features.loc[features.notna().all(axis=1) & features.index.isin(table.index)]
    table = table.loc[features.index]
    if len(table) < FEWEST_ROWS:
        raise TrainingRefused(
            f"expected at least {FEWEST_ROWS} bars with features and an outcome, found "
            f"{len(table)}" + (f"; no bar has a value of {', '.join(never)}" if len(never) else "")
        )
    if not np.isfinite(features.to_numpy()).all():
        raise TrainingRefused("expected finite features, found an infinite one")
    if plan.barrier is not None:
        table = table.assign(weight=_weights(table))
    final = splits.hold_out(table, share=plan.hold_out_share, embargo=plan.embargo)
    material.check_classes(table.iloc[final.test], "the hold-out")
    material.check_hole(starts, table.index[final.test[0]], table.index[final.test[-1]])
    prices = bars[["open", "close"]]
    course = Course(features=features, table=table, bars=prices, final=final, stages=(), plan=plan)
    return replace(course, stages=_stages(course))


def walk(course: Course, params: dict[str, Any]) -> Iterator[Examined]:
    """Teach and examine one lesson after the other, for whoever may stop half-way.

    How far a lesson goes was decided on the rows examined before it, so that all of its past
    may teach.
    """
    effort = fitting.examine(course, course.stages[0], params).effort
    for lesson in course.lessons:
        examined = fitting.examine(course, lesson, params, effort)
        effort = examined.effort
        yield examined


def finish(course: Course, params: dict[str, Any]) -> tuple[Model, list[evaluation.Scores]]:
    """Fit the chosen parameters on everything before the hold-out; score each lesson again.

    A lesson's probabilities come from a calibration fitted on the other lessons. The model's
    own calibration and worth come from all of them.
    """
    walked = list(walk(course, params))
    margins = [one.margins for one in walked]
    examined = course.examined
    model = Model(
        booster=fitting.fit(course, params, [one.effort for one in walked]),
        calibration=evaluation.fit_calibration(
            np.concatenate(margins), course.outcomes(examined), course.weight(examined)
        ),
        worth=evaluation.payoff(course.table.iloc[examined]),
        base_rate=float(course.outcomes(course.final.train).mean()),
    )
    scores = [
        evaluation.score(
            probability,
            course.outcomes(lesson.split.test),
            base_rate=lesson.base_rate,
            weight=course.weight(lesson.split.test),
        )
        for probability, lesson in zip(
            cross_calibrate(course, margins), course.lessons, strict=True
        )
    ]
    return model, scores


def cross_calibrate(
    course: Course, margins: Sequence[NDArray[np.floating]]
) -> list[NDArray[np.float64]]:
    """Turn each lesson's margins into probabilities by what the other lessons showed.

    Rows of the others whose outcomes reach into its time, or its into theirs, are left out.

    Args:
        course: Where the outcomes come from.
        margins: One array a lesson, for the first of them or for all.
    """
    tests = [lesson.split.test for lesson in course.lessons[: len(margins)]]
    result = []
    for n, own in enumerate(margins):
        others = [k for k in range(len(margins)) if k != n] or [n]
        rows = np.concatenate([tests[k] for k in others])
        seen = np.concatenate([margins[k] for k in others])
        if others != [n]:
            free = splits.free_of(course.table, tests[n], timedelta(0))[rows]
            rows, seen = rows[free], seen[free]
        calibration = evaluation.fit_calibration(seen, course.outcomes(rows), course.weight(rows))
        result.append(calibration.apply(own))
    return result


def to_matrix(features: pd.DataFrame) -> NDArray[np.float32]:
    """Cross to the precision in which models are taught and served."""
    return features.to_numpy(dtype=np.float32)


def within(rows: NDArray[np.intp], split: Split) -> Split:
    """Return a split of some rows as positions in the table that those were taken from."""
    return Split(train=rows[split.train], test=rows[split.test])


def _stages(course: Course) -> tuple[Lesson, ...]:
    table, final, plan = course.table, course.final, course.plan
    walked = [
        within(final.train, split)
        for split in splits.walk_forward(
            table.iloc[final.train], folds=plan.folds, embargo=plan.embargo
        )
    ]
    for split in walked:
        material.check_classes(table.iloc[split.train], "a fold's past")
        material.check_classes(table.iloc[split.test], "a fold")
    first = walked[0].train
    rehearsed = within(
        first, splits.hold_out(table.iloc[first], share=REHEARSED, embargo=plan.embargo)
    )
    material.check_classes(table.iloc[rehearsed.train], "a fold's past but its end", fewest=1)
    stages = pairwise([rehearsed, *walked, final])
    return tuple(_lesson(course, split, later.train) for split, later in stages)


def _lesson(course: Course, split: Split, later: NDArray[np.intp]) -> Lesson:
    past, known = course.table.iloc[split.train], np.isin(split.test, later)
    fit = fitting.matrix_of(course, split.train)
    test = fitting.matrix_of(course, split.test, like=fit)
    weight = course.weight(split.test)
    test.set_weight(known if weight is None else known * weight)
    return Lesson(
        fit=fit,
        test=test,
        split=split,
        known=split.test[known],
        worth=evaluation.payoff(past),
        base_rate=float(past["y"].mean()),
    )


def _weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """Weigh rows by how much of their time is their own, one on average."""
    begin, end = (pd.DatetimeIndex(table[name]).as_unit("ns").asi8 for name in ("decided", "ended"))
    own = uniqueness(begin, end)
    return np.asarray(own / own.mean(), dtype=np.float64)
