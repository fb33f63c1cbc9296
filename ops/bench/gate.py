"""How often the whole retraining is fooled by noise, and how often it sees an edge that pays.

Every market is made anew from its own seed and goes the way of a real one: features, labels,
search, fit, examination, gate. Bars that could not teach count as refused, and are told apart.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from scipy import stats

from market import features
from ops.bench import markets
from ops.bench.figures import Figure
from ops.bench.teaching import HORIZON, MINUTE
from registry.errors import TrainingRefused
from registry.retraining import Origin, retrain
from registry.settings import StudySettings
from registry.training import Plan as Terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ops.bench.figures import Plan
    from registry.gate import Verdict

NOISE, FEW_NOISE = 200, 3
PLANTED_EVERY = 4  # one market with an edge for so many of noise
NOISE_DAYS, PLANTED_DAYS = 5, 7
TRIALS = 4
MOST_FOOLED, LEAST_SEEN = 5.0, 80.0  # %
KINDS = ("walk", "clustered", "bouncing")
# What a round trip costs in the markets of noise, in turn. A dear one leaves few labels of 1.
COSTS = (0.0005, 0.002, 0.005)
VOLATILITY = 0.003
# The edge: 1.25 % in ten minutes against half a per cent of costs, a net value of 0.75 % a trade.
# One of 0.5 % the trader leaves alone, since it believes a probability only half-way.
MOVE, PLANTED_COST = 0.0125, 0.005
SEEDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One market to retrain on; its bars follow from kind and seed alone."""

    number: int
    kind: str
    seed: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended; `taught` is whether there was a model to judge at all."""

    number: int
    kind: str
    cost: float
    taught: bool
    passed: bool
    reason: str
    failed: tuple[str, ...]


def measure(plan: Plan) -> list[Figure]:
    """Retrain on every market, two at a time, and count the verdicts.

    Each verdict is also told on stderr as it comes, as a line of JSON.
    """
    runs = choose(plan)
    if plan.only is not None:
        runs = [run for run in runs if run.number == plan.only]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        ended = [_tell(one) for one in pool.map(play, runs)]
    return count(ended)


def choose(plan: Plan) -> list[Run]:
    """Return the markets of a campaign, so mixed that any part of it tells about both kinds."""
    count = plan.runs or (FEW_NOISE if plan.quick else NOISE)
    first = plan.seed * SEEDS
    runs: list[Run] = []
    for n in range(count):
        kind, cost = KINDS[n % len(KINDS)], COSTS[n // len(KINDS) % len(COSTS)]
        runs.append(Run(number=len(runs), kind=kind, seed=first + len(runs), cost=cost))
        if n % PLANTED_EVERY == 0:
            number = len(runs)
            runs.append(Run(number=number, kind="planted", seed=first + number, cost=PLANTED_COST))
    return runs


def bars(run: Run) -> pd.DataFrame:
    """Make a run's market."""
    match run.kind:
        case "walk":
            return markets.walk(run.seed, NOISE_DAYS, volatility=VOLATILITY)
        case "clustered":
            return markets.clustered(run.seed, NOISE_DAYS, volatility=VOLATILITY)
        case "bouncing":
            # No trade can earn a spread that it has to pay itself.
            return markets.bouncing(run.seed, NOISE_DAYS, volatility=VOLATILITY, spread=run.cost)
        case _:
            return markets.planted(run.seed, PLANTED_DAYS, move=MOVE)


def play(run: Run, barrier: float | None = None) -> Ended:
    """Retrain on one market from bars to verdict, with barriers in the labels if they are given."""
    made = bars(run)
    origin = Origin(symbol="XRP/USD", feature_hash=features.HASH, git_commit="unknown")
    terms = Terms(interval=MINUTE, horizon=HORIZON, cost=run.cost, trials=TRIALS, barrier=barrier)
    try:
        candidate = retrain(
            made,
            lambda rows: features.compute(rows, MINUTE),
            origin=origin,
            plan=terms,
            settings=StudySettings(OPTUNA_STORAGE_URL=None),
        )
    except TrainingRefused as refusal:
        return _ended(run, str(refusal))
    return _ended(run, candidate.verdict)


def _ended(run: Run, verdict: Verdict | str) -> Ended:
    if isinstance(verdict, str):
        passed, reason, failed = False, verdict, []
    else:
        passed, reason = verdict.passed, verdict.reason
        failed = [check.name for check in verdict.checks if not check.passed]
    return Ended(
        number=run.number,
        kind=run.kind,
        cost=run.cost,
        taught=not isinstance(verdict, str),
        passed=passed,
        reason=reason,
        failed=tuple(failed),
    )


def count(ended: Iterable[Ended]) -> list[Figure]:
    """Turn verdicts into the two shares that matter."""
    noise = [one for one in ended if one.kind != "planted"]
    edges = [one for one in ended if one.kind == "planted"]
    return [
        _share(
            noise,
            "noise promoted",
            f"{NOISE_DAYS} days of minute bars of a random walk, of GARCH and of bid-ask bounce "
            f"in turn, costs of {', '.join(f'{cost:.2%}' for cost in COSTS)}, {TRIALS} trials",
            goal=MOST_FOOLED,
            at_most=True,
        ),
        _share(
            edges,
            "edges passed",
            f"{PLANTED_DAYS} days with a pattern worth {MOVE - PLANTED_COST:.2%} a trade net of "
            f"{PLANTED_COST:.2%} costs, {TRIALS} trials",
            goal=LEAST_SEEN,
            at_most=False,
        ),
    ]


def _share(ended: list[Ended], name: str, how: str, *, goal: float, at_most: bool) -> Figure:
    passed, total = sum(one.passed for one in ended), len(ended)
    if not total:
        return Figure(name=name, value=float("nan"), unit="none was run", how=how)
    bounds = stats.binomtest(passed, total).proportion_ci(0.95, method="exact")
    untaught = sum(not one.taught for one in ended)
    kinds = Counter(one.kind for one in ended if one.passed)
    told = (
        f"{passed} of {total} ({', '.join(f'{k}: {n}' for k, n in kinds.items()) or 'none'}; "
        f"95 % interval {bounds.low:.3f} to {bounds.high:.3f}), {untaught} could not teach; {how}"
    )
    value = 100 * passed / total
    return Figure(name=name, value=value, unit="%", how=told, goal=goal, at_most=at_most)


def _tell(one: Ended) -> Ended:
    print(json.dumps(asdict(one)), file=sys.stderr, flush=True)  # noqa: T201 - progress of minutes
    return one
