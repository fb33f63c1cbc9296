"""Search for parameters with Optuna, and keep every trial for the gate.

Sets are compared by their log loss, a proper score, which earnings of a few dozen trades are
not. What a trial would have earned by the live rules is kept beside it: by its Sharpe ratio and
its blocks the gate tells how much of the best one is owed to having tried often.

Several processes may work on one study. A trial that falls behind is given up half-way, and a
plain rival without parameters to search for takes part as the first one.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from registry import evaluation, overfitting, trading, training
from registry.fitting import BASELINE
from registry.studies import MARKET, open_watched, trials_ever

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from registry.settings import StudySettings
    from registry.training import Course, Plan

STARTING_TRIALS = 8
RIVAL = "rival"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
# Going on after the first fold with the best quarter leaves a third of the work. Of eight markets
# with eighty trials in 300 orders each, it lost the best trial on three: by 0.0001 of log loss on
# one with a pattern, by 0.0002 and 0.0008 on two without.
BEST_PERCENT = 25.0
# A worker more costs four seconds of imports, as many as this number of trials on a fortnight.
TRIALS_A_WORKER = 25
MOST_WORKERS = 2
WORKER_SEED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best parameters, and what it took to find them.

    `trials` counts all that were ever made for the market, begun or ended, looks at hold-outs
    included; `given_up` those of this search that ended half-way. `spread` is the deviation of
    this search's Sharpe ratios (`overfitting.spread_of_trials`), `blocks` the
    net return of every block that the best trial's walk-forward predictions would have earned,
    and `returns` the same of every trial that went all the way, one a column. `boosted` and
    `plain` are the log losses by which the best trees and the rival were compared.
    """

    params: dict[str, Any]
    trials: int
    given_up: int
    spread: float
    boosted: float
    plain: float
    blocks: evaluation.Floats
    returns: evaluation.Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What of a course can be given to another process, which bins it for itself."""

    features: pd.DataFrame
    table: pd.DataFrame
    bars: pd.DataFrame
    plan: Plan


def search(course: Course, settings: StudySettings, *, market: str, name: str) -> Found:
    """Try sets of parameters until the plan's number is reached, and the rival once.

    A study on record under the same name is continued, so that a second run of the same
    retraining repeats nothing and chooses the same.

    Args:
        course: What teaches and what examines.
        settings: Where studies are kept, and how many processes may work on one.
        market: Whose trials are counted together.
        name: The search's own name.
    """
    storage = open_watched(settings)
    study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
    study.set_user_attr(MARKET, market)
    _rival_is_due(study)
    with _helped(course, settings, name, _left(study, course)):
        _work(study, course, worker=0)
    while _rival_is_due(study):
        study.optimize(lambda trial: _try(trial, course), n_trials=1)
    return _found(study, trials_ever(storage, market))


def work(course: Path, settings: StudySettings, name: str, worker: int) -> None:
    """Take part in a search that another process has begun; the entry point of a worker.

    Args:
        course: Where that process has left what teaches and what examines.
        settings: Where the study is.
        name: The study's name.
        worker: The worker's number, from which it draws its own sets.
    """
    study = optuna.load_study(study_name=name, storage=open_watched(settings))
    shared: Shared = pickle.loads(course.read_bytes())  # noqa: S301  # written by our own parent
    prepared = training.prepare(shared.features, shared.table, shared.bars, shared.plan)
    _work(study, prepared, worker=worker)


@contextmanager
def _helped(course: Course, settings: StudySettings, name: str, left: int) -> Iterator[None]:
    """Have other processes work on the study, too, and wait for them at the end."""
    wanted = settings.workers or min(MOST_WORKERS, os.cpu_count() or 1, 1 + left // TRIALS_A_WORKER)
    if settings.storage_url is None or not left or wanted == 1:
        yield
        return
    spawn = multiprocessing.get_context("spawn")
    shared = Shared(
        features=course.features, table=course.table, bars=course.bars, plan=course.plan
    )
    with tempfile.TemporaryDirectory(prefix="friday-search-") as folder:
        # Through a pipe it would reach a worker only once that has imported everything.
        path = Path(folder) / "course.pickle"
        path.write_bytes(pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL))
        workers = [
            spawn.Process(target=work, args=(path, settings, name, number), daemon=True)
            for number in range(1, wanted)
        ]
        for one in workers:
            one.start()
        yield
        for one in workers:
            one.join()


def _work(study: optuna.Study, course: Course, *, worker: int) -> None:
    begun = len(study.get_trials(deepcopy=False))
    # A search that goes on must not draw again what it began with.
    seed = course.plan.seed + begun + worker * WORKER_SEED
    study.sampler = sampler(seed)
    study.pruner = optuna.pruners.PercentilePruner(BEST_PERCENT, n_startup_trials=STARTING_TRIALS)
    parent = multiprocessing.parent_process() if worker else None

    def enough(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        if not _left(study, course, taken=bool(worker)) or not (
            parent is None or parent.is_alive()
        ):
            study.stop()

    if _left(study, course):
        study.optimize(lambda trial: _try(trial, course), callbacks=[enough])


def _rival_is_due(study: optuna.Study) -> bool:
    # Its trial may have been lost with the process that made it.
    entered = {t.state for t in study.get_trials(deepcopy=False) if RIVAL in t.user_attrs}
    if TrialState.COMPLETE in entered:
        return False
    if TrialState.WAITING not in entered:
        study.enqueue_trial({}, user_attrs={RIVAL: True})
    return True


def _left(study: optuna.Study, course: Course, *, taken: bool = False) -> int:
    # What others are at work on may yet be lost with them.
    states = (*ENDED, TrialState.RUNNING) if taken else ENDED
    done = study.get_trials(states=states, deepcopy=False)
    return max(course.plan.trials - sum(RIVAL not in trial.user_attrs for trial in done), 0)


def _found(study: optuna.Study, trials: int) -> Found:
    ended = study.get_trials(states=ENDED)
    complete = [trial for trial in ended if trial.state is TrialState.COMPLETE]
    boosted = min((t for t in complete if RIVAL not in t.user_attrs), key=_value)
    plain = min((t for t in complete if RIVAL in t.user_attrs), key=_value)
    best = min(boosted, plain, key=_value)
    given_up = [trial for trial in ended if trial.state is TrialState.PRUNED]
    return Found(
        params=BASELINE if best is plain else boosted.params,
        trials=trials,
        given_up=len(given_up),
        spread=overfitting.spread_of_trials(
            *(list(map(_sharpe, some)) for some in (complete, given_up))
        ),
        boosted=_value(boosted),
        plain=_value(plain),
        blocks=np.array(best.user_attrs["blocks"]),
        returns=np.column_stack([trial.user_attrs["blocks"] for trial in complete]),
    )


def _sharpe(trial: optuna.trial.FrozenTrial) -> float:
    return float(trial.user_attrs["sharpe"])


def _value(trial: optuna.trial.FrozenTrial) -> float:
    if trial.value is None:
        raise ValueError(f"trial {trial.number} ended without a value")
    return float(trial.value)


def _try(trial: optuna.Trial, course: Course) -> float:
    rival = RIVAL in trial.user_attrs
    margins = []
    for examined in training.walk(course, BASELINE if rival else parameters(trial)):
        margins.append(examined.margins)
        if rival or len(margins) == len(course.lessons):
            continue
        trial.report(_loss(course, margins), len(margins))
        if trial.should_prune():
            _keep(trial, course, margins)
            raise optuna.TrialPruned
    _keep(trial, course, margins)
    return _loss(course, margins)


def _keep(trial: optuna.Trial, course: Course, margins: list[NDArray[np.floating]]) -> None:
    # A trial given up counts with what it would have earned on the folds it saw.
    earned = _earned(course, margins)
    trial.set_user_attr("sharpe", earned.sharpe)
    trial.set_user_attr("blocks", earned.blocks.tolist())


def _loss(course: Course, margins: list[NDArray[np.floating]]) -> float:
    rows = _seen(course, margins)
    said = evaluation.UNCALIBRATED.apply(np.concatenate(margins))
    return evaluation.log_loss(said, course.outcomes(rows), course.weight(rows))


def _seen(course: Course, margins: list[NDArray[np.floating]]) -> NDArray[np.intp]:
    return course.examined[: sum(len(one) for one in margins)]


def _earned(course: Course, margins: list[NDArray[np.floating]]) -> trading.Trading:
    told = [
        trading.Told(
            rows=lesson.split.test,
            probability=probability,
            worth=lesson.worth,
            base_rate=lesson.base_rate,
        )
        for lesson, probability in zip(
            course.lessons, training.cross_calibrate(course, margins), strict=False
        )
    ]
    return trading.trade(course, told)


def sampler(seed: int) -> optuna.samplers.BaseSampler:
    """Return what draws sets of parameters, a whole set at a time."""
    with warnings.catch_warnings():
        # Optuna calls it experimental. One parameter after the other would mean six readings of
        # the study from PostgreSQL for one trial. The rival's trial, which has none of them, is
        # a group of its own.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTING_TRIALS, multivariate=True, group=True
        )


def parameters(trial: optuna.Trial) -> dict[str, Any]:
    """Draw a set of parameters of the trees; this is the space that is searched."""
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 5),
        "eta": trial.suggest_float("eta", 0.05, 0.3, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "lambda": trial.suggest_float("lambda", 0.1, 50.0, log=True),
    }
