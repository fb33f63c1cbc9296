"""Search for parameters with Optuna, and keep every trial for the gate.

The studies on record are the ledger of trials: a trial is written down before it is made, so
that one whose process was killed is counted, too. Nothing of it may be deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from sqlalchemy import make_url

from registry import evaluation, training

if TYPE_CHECKING:
    from registry.settings import StudySettings
    from registry.training import Course

STARTING_TRIALS = 8
MARKET = "market"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best parameters, and what it took to find them.

    `trials` counts all that were ever made for the market, begun or ended. `spread` is the
    standard deviation of this search's Sharpe ratios, `blocks` the net return of every block
    that the best trial's walk-forward predictions would have earned, and `returns` the same
    of every trial that ended, one a column.
    """

    params: dict[str, Any]
    trials: int
    spread: float
    log_losses: tuple[float, ...]
    blocks: evaluation.Floats
    returns: evaluation.Floats


def search(course: Course, settings: StudySettings, *, market: str, name: str) -> Found:
    """Try sets of parameters until the plan's number is reached.

    A study on record under the same name is continued, so that a second run of the same
    retraining repeats nothing and chooses the same.

    Args:
        course: What teaches and what examines.
        settings: Where studies are kept.
        market: Whose trials are counted together.
        name: The search's own name.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _storage(settings)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        sampler=optuna.samplers.TPESampler(seed=course.plan.seed, n_startup_trials=STARTING_TRIALS),
        load_if_exists=True,
    )
    study.set_user_attr(MARKET, market)
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,), deepcopy=False)
    if len(done) < course.plan.trials:
        study.optimize(lambda t: _try(t, course), n_trials=course.plan.trials - len(done))
    params = _parameters(optuna.trial.FixedTrial(study.best_params))
    margins, _ = training.examine(course, params)
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    sharpes = [trial.user_attrs["sharpe"] for trial in complete]
    return Found(
        params=params,
        trials=trials_ever(storage, market),
        spread=float(np.std(sharpes, ddof=1)) if len(sharpes) > 1 else 0.0,
        log_losses=tuple(float(trial.value) for trial in complete),
        blocks=_trading(course, margins).blocks,
        returns=np.column_stack([trial.user_attrs["blocks"] for trial in complete]),
    )


def trials_ever(storage: optuna.storages.BaseStorage, market: str) -> int:
    """Return how many trials were ever begun for a market, in whatever study."""
    return sum(
        summary.n_trials
        for summary in optuna.get_all_study_summaries(storage)
        if summary.user_attrs.get(MARKET) == market
    )


def _storage(settings: StudySettings) -> optuna.storages.BaseStorage:
    if settings.storage_url is None:
        return optuna.storages.InMemoryStorage()
    url = make_url(settings.storage_url.get_secret_value())
    if url.get_backend_name() == "postgresql":
        # SQLAlchemy 2.1 takes a bare postgresql:// to mean psycopg 3.
        url = url.set(drivername="postgresql+psycopg2")
    return optuna.storages.RDBStorage(
        url.render_as_string(hide_password=False), engine_kwargs={"pool_pre_ping": True}
    )


def _try(trial: optuna.Trial, course: Course) -> float:
    margins, _ = training.examine(course, _parameters(trial))
    trading = _trading(course, margins)
    trial.set_user_attr("sharpe", trading.sharpe)
    trial.set_user_attr("blocks", trading.blocks.tolist())
    y = course.table["y"].to_numpy()[course.examined]
    raw = evaluation.Calibration(slope=1.0, intercept=0.0).apply(np.concatenate(margins))
    return float(evaluation.log_losses(raw, y).mean())


def _trading(course: Course, margins: list[Any]) -> evaluation.Trading:
    rows = course.table.iloc[course.examined]
    return evaluation.trade(
        np.concatenate(training.cross_calibrate(course, margins)),
        rows,
        evaluation.payoff(rows),
        cost=course.plan.cost,
        margin=course.plan.margin,
        block=course.plan.block,
    )


def _parameters(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 5),
        "eta": trial.suggest_float("eta", 0.05, 0.3, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "lambda": trial.suggest_float("lambda", 0.1, 50.0, log=True),
    }
