"""How fast a search for parameters is beside the same search written plainly.

Both make as many trials with Optuna's same sampler over the same space, on the same purged
splits, with two processes of one thread, and let a logistic regression compete. The plain one is
scikit-learn's `cross_val_score`, as a tutorial would have it, of XGBoost's estimator with whatever
it does unasked; the number of trees, which we stop early, is one more of its parameters. A second
plain search has our bins, so that it shows what only they are good for. Afterwards the choices are
judged on bars that no search saw.

How long a search takes depends on where its sampler goes, so several markets are searched, and
their times added.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]  # joblib carries no types
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from market import features
from ops import postgres
from ops.bench.figures import Figure
from ops.bench.teaching import HORIZON, MINUTE, market
from registry import baseline, evaluation, fitting, training
from registry.labels import label
from registry.search import parameters, sampler, search
from registry.settings import StudySettings
from registry.training import Plan as Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sklearn.pipeline import Pipeline

    from ops.bench.figures import Plan
    from registry.training import Course

ROWS, FEW_ROWS = 50_000, 3_000
COLUMNS = 40
TRIALS, FEW_TRIALS = 100, 3
PROCESSES = 2
MARKETS = 3
COST = 0.005
FASTER = 3.0
# A search that gave up more log loss than this for its speed would not be the same search.
MOST_GIVEN_UP = 0.001
SEED = 7
STUDIES = "studies"


@dataclass
class Spent:
    """The seconds that something took: by the clock, and of all processors, its children's too."""

    wall: float = 0.0
    processor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the searches of one market found: the best log losses on the inner folds.

    `gap` is how much more log loss our choice has on bars that neither search saw, `error` the
    standard error of that.
    """

    our_best: float
    their_best: float
    rival: float
    gap: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the searches of some markets took and found; `binned` is the plain one with our bins."""

    size: str
    ours: Spent
    theirs: Spent
    binned: Spent
    found: tuple[Found, ...]


def measure(plan: Plan) -> list[Figure]:
    """Search on each course as a retraining does and plainly, one after the other."""
    ours, theirs, binned = Spent(), Spent(), Spent()
    processes, markets = (1, 1) if plan.quick else (PROCESSES, MARKETS)
    found = []
    for seed in range(plan.seed, plan.seed + markets):
        course = _course(plan, seed)
        with _study_address() as address, _timed(ours):
            settings = StudySettings(OPTUNA_STORAGE_URL=address, TRAINING_WORKERS=processes)
            chosen = search(course, settings, market="XRP/USD", name="bench")
        with _timed(theirs):
            plain = _plainly(course, processes, {})
        with _timed(binned):
            _plainly(course, processes, {"max_bin": fitting.FIXED["max_bin"]})
        gap, error = _difference(course, chosen.params, plain.best_params)
        found.append(
            Found(
                our_best=min(chosen.boosted, chosen.plain),
                their_best=plain.best_value,
                rival=chosen.plain,
                gap=gap,
                error=error,
            )
        )
    compared = Compared(
        size=f"{markets} markets of {len(course.features):,} bars x {COLUMNS} features, "
        f"{course.plan.trials} trials of {len(course.lessons)} purged folds each, {processes} "
        "processes of one thread",
        ours=ours,
        theirs=theirs,
        binned=binned,
        found=tuple(found),
    )
    return figures(compared, judged=not plan.quick)


def figures(compared: Compared, *, judged: bool) -> list[Figure]:
    """Say what it took, how much faster ours is, and what that cost in quality."""
    ours, theirs, binned = compared.ours, compared.theirs, compared.binned
    size, found = compared.size, compared.found
    return [
        Figure(
            name="a plain search",
            value=theirs.wall,
            unit="s",
            how=f"{size}; XGBClassifier and a pipeline with LogisticRegression in cross_val_score; "
            f"{theirs.processor:.0f} s of processors",
        ),
        Figure(
            name="our search",
            value=ours.wall,
            unit="s",
            how=f"{size}; bins made once, trees stopped early, hopeless trials given up, study in "
            f"PostgreSQL; {ours.processor:.0f} s of processors",
        ),
        Figure(
            name="as fast as the plain search",
            value=theirs.wall / ours.wall,
            unit="times",
            goal=FASTER if judged else None,
            how=f"{size}; {theirs.processor / ours.processor:.2f} times by seconds of processors",
        ),
        Figure(
            name="as fast as the plain search with our bins",
            value=binned.wall / ours.wall,
            unit="times",
            how=f"{size}; it took {binned.wall:.0f} s, {binned.processor:.0f} s of processors: "
            f"{fitting.FIXED['max_bin']} bins a feature in the place of XGBoost's 256",
        ),
        Figure(
            name="log loss given up on the inner folds",
            value=_mean(one.our_best - one.their_best for one in found),
            unit="nats",
            goal=MOST_GIVEN_UP if judged else None,
            at_most=True,
            how=f"on average; the best of our searches {_each(one.our_best for one in found)}, of "
            f"the plain ones {_each(one.their_best for one in found)}; the logistic regression's "
            f"{_each(one.rival for one in found)}",
        ),
        Figure(
            name="log loss given up on bars that neither saw",
            value=_mean(one.gap for one in found),
            unit="nats",
            goal=MOST_GIVEN_UP if judged else None,
            at_most=True,
            how="on average, both choices taught on all before; the differences have standard "
            f"errors of {_each(one.error for one in found)} over blocks of {8 * HORIZON} bars",
        ),
    ]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _each(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def _course(plan: Plan, seed: int) -> Course:
    wanted = FEW_ROWS if plan.quick else ROWS
    days = (wanted + features.WARM_UP + HORIZON) // (24 * 60) + 1
    bars = market(seed, days)
    beside = market(seed + MARKETS, days)["close"].shift()
    rows = features.compute(bars.assign(peer=beside), MINUTE)
    # Without trades and books on record some features stand still, and would be work for nobody.
    rows = rows.loc[:, rows.nunique() > 1].iloc[:, :COLUMNS]
    table = label(bars["close"], interval=MINUTE, horizon=HORIZON, cost=COST)
    known = rows.notna().all(axis=1) & rows.index.isin(table.index)
    trials = plan.runs or (FEW_TRIALS if plan.quick else TRIALS)
    terms = Terms(interval=MINUTE, horizon=HORIZON, cost=COST, trials=trials, seed=SEED)
    return training.prepare(rows[known].iloc[-wanted:], table, bars, terms)


def _plainly(course: Course, processes: int, fixed: dict[str, Any]) -> optuna.Study:
    everything = np.arange(len(course.features))
    rows, y = course.rows(everything), course.outcomes(everything)
    cuts = [(lesson.split.train, lesson.split.test) for lesson in course.lessons]

    def mean_loss(trial: optuna.Trial) -> float:
        losses = cross_val_score(
            _classifier(fixed | parameters(trial) | _trees(trial)),
            rows,
            y,
            scoring="neg_log_loss",
            cv=cuts,
            n_jobs=processes,
        )
        return -float(losses.mean())

    for strength in baseline.STRENGTHS:
        cross_val_score(
            _rival(strength), rows, y, scoring="neg_log_loss", cv=cuts, n_jobs=processes
        )
    study = optuna.create_study(sampler=sampler(SEED))
    study.optimize(mean_loss, n_trials=course.plan.trials)
    get_reusable_executor().shutdown()  # the time of its processes counts once they have ended
    return study


def _trees(trial: optuna.Trial) -> dict[str, int]:
    return {"n_estimators": trial.suggest_int("n_estimators", 10, fitting.MOST_ROUNDS)}


def _classifier(params: dict[str, Any]) -> XGBClassifier:
    given = {"reg_lambda" if name == "lambda" else name: value for name, value in params.items()}
    return XGBClassifier(**given, n_jobs=1, random_state=SEED)


def _rival(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength))


def _difference(
    course: Course, ours: dict[str, Any], theirs: dict[str, Any]
) -> tuple[float, float]:
    """Return how much more log loss our choice has on the hold-out, and its standard error."""
    train, test = course.final.train, course.final.test
    model, _ = training.finish(course, ours)
    margins = model.booster.predict(fitting.matrix_of(course, test), output_margin=True)
    mine = evaluation.UNCALIBRATED.apply(margins)
    plain = _classifier(theirs).fit(course.rows(train), course.outcomes(train))
    other = plain.predict_proba(course.rows(test))[:, 1].astype(np.float64)
    y = course.outcomes(test)
    differences = evaluation.log_losses(mine, y) - evaluation.log_losses(other, y)
    whole = len(differences) // (8 * HORIZON) * 8 * HORIZON
    means = differences[:whole].reshape(-1, 8 * HORIZON).mean(axis=1)
    return float(differences.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


@contextmanager
def _study_address() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="friday-bench-"))
    folder.chmod(0o755)  # as root the server runs as another account
    try:
        server = postgres.start(folder / "postgres")
        try:
            postgres.create_databases(server, (STUDIES,))
            yield server.url(STUDIES)
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _timed(spent: Spent) -> Iterator[None]:
    began, used = time.perf_counter(), _processor()
    yield
    spent.wall += time.perf_counter() - began
    spent.processor += _processor() - used


def _processor() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
