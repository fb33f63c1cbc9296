"""Fit models on the past and examine them on what came after.

Every row examined is scored by a model that was taught, stopped and calibrated without it.
The hold-out is examined once, by the very model that is registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xgboost as xgb

from registry import evaluation, splits
from registry.errors import TrainingRefused
from registry.uniqueness import uniqueness

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

    from registry.evaluation import Calibration, Payoff
    from registry.splits import Split

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
# The last part of what teaches decides when to stop adding trees.
STOPPING_SHARE = 0.2
FEWEST_ROWS = 1000
FEWEST_OF_A_CLASS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The terms of one retraining, fixed before anything is looked at."""

    interval: timedelta
    horizon: int
    cost: float
    trials: int = 20
    folds: int = 4
    hold_out_share: float = 0.2
    margin: float = 0.0005
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
    """The rows of one examination, binned once for every set of parameters."""

    fit: xgb.QuantileDMatrix
    stop: xgb.QuantileDMatrix
    test: xgb.QuantileDMatrix
    split: Split
    base_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Everything the search and the final fit draw on."""

    features: pd.DataFrame
    table: pd.DataFrame
    final: Split
    lessons: tuple[Lesson, ...]
    plan: Plan

    @property
    def examined(self) -> NDArray[np.intp]:
        """Positions of the rows that some lesson examined, in order of time."""
        return np.concatenate([lesson.split.test for lesson in self.lessons])


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


def prepare(features: pd.DataFrame, table: pd.DataFrame, plan: Plan) -> Course:
    """Join features with labels and cut them into lessons and one hold-out.

    Args:
        features: One column a feature (float), indexed by the start of the bar; rows with
            a missing value, such as those before the features are warm, are left out.
        table: What `labels.label` returns for the same bars.
        plan: The terms of this retraining.

    Raises:
        TrainingRefused: Too few rows, or too few of one class, in some part.
    """
    features = features.loc[features.notna().all(axis=1) & features.index.isin(table.index)]
    table = table.loc[features.index]
    if len(table) < FEWEST_ROWS:
        raise TrainingRefused(
            f"expected at least {FEWEST_ROWS} bars with features and an outcome, found {len(table)}"
        )
    if not np.isfinite(features.to_numpy()).all():
        raise TrainingRefused("expected finite features, found an infinite one")
    if plan.barrier is not None:
        table = table.assign(weight=_weights(table))
    final = splits.hold_out(table, share=plan.hold_out_share, embargo=plan.embargo)
    _check_classes(table.iloc[final.test], "the hold-out")
    past = table.iloc[final.train]
    walk = splits.walk_forward(past, folds=plan.folds, embargo=plan.embargo)
    lessons = tuple(_lesson(features, table, split, plan) for split in walk)
    return Course(features=features, table=table, final=final, lessons=lessons, plan=plan)


def examine(course: Course, params: dict[str, Any]) -> tuple[list[NDArray[np.float32]], int]:
    """Walk through the lessons; return each one's margins and the usual number of rounds."""
    margins, rounds = [], []
    for lesson in course.lessons:
        booster = xgb.train(
            FIXED | {"seed": course.plan.seed} | params,
            lesson.fit,
            MOST_ROUNDS,
            evals=[(lesson.stop, "stop")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        best = booster.best_iteration + 1
        margins.append(booster.predict(lesson.test, output_margin=True, iteration_range=(0, best)))
        rounds.append(best)
    return margins, round(float(np.mean(rounds)))


def finish(course: Course, params: dict[str, Any]) -> tuple[Model, list[evaluation.Scores]]:
    """Fit the chosen parameters on everything before the hold-out; score each lesson again.

    A lesson's probabilities come from a calibration fitted on the other lessons. The model's
    own calibration and worth come from all of them.
    """
    margins, rounds = examine(course, params)
    train = course.final.train
    y = course.table["y"].to_numpy()
    matrix = xgb.QuantileDMatrix(
        to_matrix(course.features.iloc[train]),
        y[train],
        weight=_weight(course.table, train),
        max_bin=FIXED["max_bin"],
        nthread=1,
    )
    seeded = FIXED | {"seed": course.plan.seed} | params
    model = Model(
        booster=xgb.train(seeded, matrix, rounds),
        calibration=evaluation.fit_calibration(np.concatenate(margins), y[course.examined]),
        worth=evaluation.payoff(course.table.iloc[course.examined]),
        base_rate=float(y[train].mean()),
    )
    scores = [
        evaluation.score(probability, y[lesson.split.test], base_rate=lesson.base_rate)
        for probability, lesson in zip(
            cross_calibrate(course, margins), course.lessons, strict=True
        )
    ]
    return model, scores


def cross_calibrate(
    course: Course, margins: list[NDArray[np.float32]]
) -> list[NDArray[np.float64]]:
    """Turn each lesson's margins into probabilities by what the other lessons showed."""
    y = [course.table["y"].to_numpy()[lesson.split.test] for lesson in course.lessons]
    result = []
    for n, own in enumerate(margins):
        others = [k for k in range(len(margins)) if k != n] or [n]
        calibration = evaluation.fit_calibration(
            np.concatenate([margins[k] for k in others]), np.concatenate([y[k] for k in others])
        )
        result.append(calibration.apply(own))
    return result


def to_matrix(features: pd.DataFrame) -> NDArray[np.float32]:
    """Cross to the precision in which models are taught and served."""
    return features.to_numpy(dtype=np.float32)


def fingerprint(bars: pd.DataFrame) -> str:
    """Return the SHA-256 of the bars' times and values, so that their use can be proved."""
    hashed = sha256(",".join(bars.columns).encode())
    hashed.update(pd.DatetimeIndex(bars.index).as_unit("ns").asi8.tobytes())
    hashed.update(bars.to_numpy(dtype=np.float64).tobytes())
    return hashed.hexdigest()


def _lesson(features: pd.DataFrame, table: pd.DataFrame, split: Split, plan: Plan) -> Lesson:
    past = table.iloc[split.train]
    _check_classes(past, "a fold's past")
    _check_classes(table.iloc[split.test], "a fold")
    inner = splits.hold_out(past, share=STOPPING_SHARE, embargo=plan.embargo)
    x, y = to_matrix(features), table["y"].to_numpy()
    settings = {"max_bin": FIXED["max_bin"], "nthread": 1}
    teach, stop = inner.train, inner.test
    fit = xgb.QuantileDMatrix(x[teach], y[teach], weight=_weight(table, teach), **settings)
    return Lesson(
        fit=fit,
        stop=xgb.QuantileDMatrix(
            x[stop], y[stop], weight=_weight(table, stop), ref=fit, **settings
        ),
        test=xgb.QuantileDMatrix(x[split.test], y[split.test], ref=fit, **settings),
        split=split,
        base_rate=float(past["y"].mean()),
    )


def _weight(table: pd.DataFrame, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    # Labels of one length all weigh the same.
    return table["weight"].to_numpy()[rows] if "weight" in table else None


def _weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """Weigh rows by how much of their time is their own, one on average."""
    begin, end = (pd.DatetimeIndex(table[name]).as_unit("ns").asi8 for name in ("decided", "ended"))
    own = uniqueness(begin, end)
    return np.asarray(own / own.mean(), dtype=np.float64)


def _check_classes(table: pd.DataFrame, what: str) -> None:
    ones = int(table["y"].sum())
    if min(ones, len(table) - ones) < FEWEST_OF_A_CLASS:
        raise TrainingRefused(
            f"expected at least {FEWEST_OF_A_CLASS} rows of each label in {what}, found {ones} "
            f"rises beyond cost among {len(table)}"
        )
