"""How often an experiment names a winner among equals, and how soon it finds a better model.

Every run is a market made anew and two made-up models that score it (ops.bench.forecasters),
looked at every hour by the analysis that the scheduled flow calls, until it gives a verdict.
Since every later look gives the same one, the hour of the first is found by halving.
"""

from __future__ import annotations

import json
import os
import sys
from bisect import bisect_left
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from experiments.analysis import Analysis, Decision, Pairs, analyse, block_units
from experiments.planning import terms
from ops.bench import forecasters, markets
from ops.bench.figures import Figure
from ops.bench.forecasters import Errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ops.bench.figures import Plan

EQUAL, FEW_EQUAL = 600, 4
BETTER_EVERY = 4  # one better treatment for so many equal ones
DAYS, WARM_DAYS = 30, 1
HORIZON = 10  # prefect.yaml
MINUTE = timedelta(minutes=1)
HOUR = 60  # bars
MOST_FOOLED, LEAST_FOUND = 5.0, 80.0  # %
KINDS = ("walk", "clustered", "fat-tailed", "bouncing")
COSTS = (0.0005, 0.005)
MEMORIES = (0.9, 0.99)
VOLATILITY, TAILS = 0.003, 4
# Models of one market agree on about three bars of four; so do these.
USUAL_ERROR = 0.2
# So much worse a control that the difference is about the 0.2 deviations of a block which
# `experiments.planning.terms` plans for.
WORSE_ERROR = 0.38
SEEDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One experiment; everything in it follows from this."""

    number: int
    kind: str
    seed: int
    cost: float
    memory: float
    better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an experiment ended.

    Attributes:
        winner: "treatment", "control", "none", or "stopped" for a lopsided comparison.
        days: Until the verdict; all of them if there was none.
        effect: Log loss that the treatment saved over all the days, nats a bar.
        deviations: The same in standard deviations of a block.
    """

    number: int
    kind: str
    better: bool
    winner: str
    days: float
    units: int
    effect: float
    deviations: float


def measure(plan: Plan) -> list[Figure]:
    """Play every experiment, as many at a time as there are cores, and count the winners.

    Each end is also told on stderr as it comes, as a line of JSON.
    """
    runs = choose(plan)
    if plan.only is not None:
        runs = [run for run in runs if run.number == plan.only]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        ended = [_tell(one) for one in pool.map(play, runs)]
    return count(ended)


def choose(plan: Plan) -> list[Run]:
    """Return the experiments of a campaign, so mixed that any part of it tells about all kinds."""
    count = plan.runs or (FEW_EQUAL if plan.quick else EQUAL)
    first = plan.seed * SEEDS
    asked = [
        better for n in range(count) for better in (False, True)[: 1 + (n % BETTER_EVERY == 0)]
    ]
    met, runs = Counter[bool](), []
    for number, better in enumerate(asked):
        n, rest = met[better], met[better] // len(KINDS)
        met[better] += 1
        runs.append(
            Run(
                number=number,
                kind=KINDS[n % len(KINDS)],
                seed=first + number,
                cost=COSTS[rest % len(COSTS)],
                memory=MEMORIES[rest // len(COSTS) % len(MEMORIES)],
                better=better,
            )
        )
    return runs


def bars(run: Run) -> pd.DataFrame:
    """Make a run's market."""
    days = DAYS + WARM_DAYS
    match run.kind:
        case "walk":
            return markets.walk(run.seed, days, volatility=VOLATILITY)
        case "clustered":
            return markets.clustered(run.seed, days, volatility=VOLATILITY)
        case "fat-tailed":
            return markets.clustered(run.seed, days, volatility=VOLATILITY, tails=TAILS)
        case _:
            return markets.bouncing(run.seed, days, volatility=VOLATILITY, spread=run.cost)


def play(run: Run) -> Ended:
    """Look at one experiment every hour until there is a verdict or the days are over."""
    errors = Errors(
        control=WORSE_ERROR if run.better else USUAL_ERROR,
        treatment=USUAL_ERROR,
        memory=run.memory,
    )
    whole = forecasters.score(bars(run), run.seed, errors, horizon=HORIZON, cost=run.cost)
    # An experiment starts when somebody has a challenger, not with a block.
    start = WARM_DAYS * markets.MINUTES_A_DAY - run.seed % HOUR
    agreed = terms(horizon_bars=HORIZON, interval=MINUTE)
    looks: dict[int, Analysis] = {}

    def decided(hour: int) -> bool:
        looks[hour] = analyse(known(whole, start, start + hour * HOUR), agreed)
        return looks[hour].decision is not Decision.UNDECIDED

    hour = 1 + bisect_left(range(1, DAYS * 24), True, key=decided)
    decided(hour)
    analysis = looks[hour]
    units = block_units(whole, agreed.block_bars)
    return Ended(
        number=run.number,
        kind=run.kind,
        better=run.better,
        winner=winner(analysis),
        days=hour / 24,
        units=analysis.units,
        effect=float(units.mean()),
        deviations=float(units.mean() / units.std(ddof=1)),
    )


def known(whole: Pairs, start: int, end: int) -> Pairs:
    """Return what the record holds when the bar before `end` has closed.

    Bars count from the first of the whole. Outcomes of the last `HORIZON` bars are not known
    yet, and bars that neither scored have left nothing on record.
    """
    scored = ~np.isnan(whole.control[start:end]) | ~np.isnan(whole.treatment[start:end])
    rose = whole.rose[start:end].copy()
    rose[-HORIZON:] = np.nan
    return Pairs(
        bars=whole.bars[start:end][scored],
        control=whole.control[start:end][scored],
        treatment=whole.treatment[start:end][scored],
        rose=rose[scored],
    )


def winner(analysis: Analysis) -> str:
    """Say who was called better, if anybody was."""
    if analysis.decision is Decision.STOP:
        return "stopped"
    if analysis.decision is Decision.PROMOTE:
        return "treatment"
    return "control" if analysis.high is not None and analysis.high < 0 else "none"


def count(ended: Iterable[Ended]) -> list[Figure]:
    """Turn ends into the shares that matter, and how long the true winners took."""
    equal = [one for one in ended if not one.better]
    better = [one for one in ended if one.better]
    found = [one for one in better if one.winner == "treatment"]
    agreed = terms(horizon_bars=HORIZON, interval=MINUTE)
    return [
        _share(
            equal,
            ("control", "treatment"),
            "winners among equals",
            f"either side, {DAYS} days of hourly looks or until the {agreed.cap_units} blocks that "
            f"were agreed are over; minute bars of a random walk, of GARCH with normal shocks and "
            f"with Student's of {TAILS} degrees of freedom, and of bid-ask bounce in turn; both "
            f"models wrong by {USUAL_ERROR} in log odds, with a memory of "
            f"{' or '.join(str(memory) for memory in MEMORIES)} a bar",
            goal=MOST_FOOLED,
            at_most=True,
        ),
        _share(equal, ("treatment",), "of those, treatments", "a policy could have promoted them"),
        _share(
            better,
            ("treatment",),
            "better treatments found",
            f"the control wrong by {WORSE_ERROR} in log odds, the treatment by {USUAL_ERROR}: "
            f"{_mean(one.effect for one in better):.4f} nats a bar or "
            f"{_mean(one.deviations for one in better):.2f} deviations of a block on average, "
            f"where 0.2 were planned for; the worse one won "
            f"{sum(one.winner == 'control' for one in better)} times",
            goal=LEAST_FOUND,
            at_most=False,
        ),
        Figure(
            name="days until a better one is found, median",
            value=median(one.days for one in found) if found else float("nan"),
            unit="days",
            how=f"of the {len(found)} found; the longest took "
            f"{max((one.days for one in found), default=float('nan')):.1f} days",
        ),
    ]


def _share(
    ended: list[Ended],
    winners: tuple[str, ...],
    name: str,
    how: str,
    *,
    goal: float | None = None,
    at_most: bool = True,
) -> Figure:
    won, total = [one for one in ended if one.winner in winners], len(ended)
    if not total:
        return Figure(name=name, value=float("nan"), unit="% of none", how=how)
    bounds = stats.binomtest(len(won), total).proportion_ci(0.95, method="exact")
    kinds = Counter(one.kind for one in won)
    told = (
        f"{len(won)} of {total} ({', '.join(f'{k}: {n}' for k, n in kinds.items()) or 'none'}; "
        f"95 % interval {bounds.low:.3f} to {bounds.high:.3f}), "
        f"{sum(one.winner == 'stopped' for one in ended)} stopped as lopsided; {how}"
    )
    value = 100 * len(won) / total
    return Figure(name=name, value=value, unit="%", how=told, goal=goal, at_most=at_most)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return float(np.mean(known)) if known else float("nan")


def _tell(one: Ended) -> Ended:
    print(json.dumps(asdict(one)), file=sys.stderr, flush=True)  # noqa: T201 - progress of minutes
    return one
