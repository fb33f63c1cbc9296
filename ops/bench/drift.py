"""How often a drift check asks for a new model though nothing changed, and how soon when it did.

Every market is made anew. A model is taught on its first days by the retraining of the registry
and scores the days after; the check comes as often as prefect.yaml has it, over windows of that
length, by the code that the scheduled flow calls. Each check that asks for a model is counted,
since each starts a retraining.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING

from ops.bench.figures import Figure
from ops.bench.watching import BETWEEN, COST, MOVE, REFERENCE_DAYS, SEEDS, TAILS, Ended, Run, play

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.bench.figures import Plan

QUARTERS, FEW_QUARTERS = 8, 1
TAUGHT_DAYS, QUARTER_DAYS = 14, 90  # prefect.yaml: days
STEADY_DAYS, CHANGED_DAYS = 20, 30  # of a market that changes, before and after
FEW_TAUGHT_DAYS, FEW_DAYS, FEW_CHANGED_DAYS = 5, 3, 7
MOST_FALSE, LEAST_FOUND = 1.0, 80.0
KINDS = ("walk", "clustered", "fat-tailed", "bouncing")
CHANGES = ("reversed", "gone")


def measure(plan: Plan) -> list[Figure]:
    """Watch every model, as many at a time as there are cores, and count what was asked for.

    Each life is also told on stderr as it ends, as a line of JSON.
    """
    runs = choose(plan)
    if plan.only is not None:
        runs = [run for run in runs if run.number == plan.only]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        ended = [_tell(one) for one in pool.map(play, runs)]
    return count(ended)


def choose(plan: Plan) -> list[Run]:
    """Return the lives of a campaign, so mixed that any part of it tells about both kinds."""
    count, first = plan.runs or (FEW_QUARTERS if plan.quick else QUARTERS), plan.seed * SEEDS
    taught = FEW_TAUGHT_DAYS if plan.quick else TAUGHT_DAYS
    calm = FEW_DAYS if plan.quick else QUARTER_DAYS
    steady = FEW_DAYS if plan.quick else STEADY_DAYS
    changed = FEW_CHANGED_DAYS if plan.quick else CHANGED_DAYS
    runs: list[Run] = []
    for n in range(count):
        kind, change = KINDS[n % len(KINDS)], CHANGES[(n + n // len(KINDS)) % len(CHANGES)]
        seed = first + 2 * n
        runs.append(Run(number=2 * n, kind=kind, seed=seed, taught=taught, steady=calm))
        runs.append(
            Run(
                number=2 * n + 1,
                kind=kind,
                seed=seed + 1,
                taught=taught,
                steady=steady,
                change=change,
                changed=changed,
            )
        )
    return runs


def count(ended: Iterable[Ended]) -> list[Figure]:
    """Turn lives into retrainings that nothing called for, and the time until changes are found."""
    lives = list(ended)
    quarters = sum(one.steady for one in lives) / QUARTER_DAYS
    false = Counter(why for one in lives for why in one.false)
    asked = sum(false.values())
    changed = [one for one in lives if one.change]
    return [
        Figure(
            name="retrainings asked for without a change",
            value=asked / quarters if quarters else float("nan"),
            unit="a quarter",
            goal=MOST_FALSE,
            at_most=True,
            how=f"{asked} in {quarters:.1f} quarters of {len(lives)} markets, in "
            f"{sum(bool(one.false) for one in lives)} of them "
            f"({', '.join(f'{why}: {n}' for why, n in false.items()) or 'none'}); minute bars with "
            f"a pattern worth {MOVE - COST:.2%} a trade under a random walk, GARCH with normal "
            f"shocks and with Student's of {TAILS} degrees of freedom, and bid-ask bounce in turn; "
            f"a model taught on {TAUGHT_DAYS} days before "
            f"({sum(one.passed for one in lives)} passed the gate); a check every "
            f"{BETWEEN // 60} hours of that long a window, {REFERENCE_DAYS} days of reference",
        ),
        Figure(
            name="changes found",
            value=_share(changed),
            unit="%" if changed else "% of none",
            goal=LEAST_FOUND if changed else None,
            how=f"of {len(changed)} markets whose pattern comes to foretell the opposite "
            f"(reversed) or nothing (gone), {CHANGED_DAYS} days watched at most; "
            + ", ".join(f"{change}: {_found(changed, change)}" for change in CHANGES),
        ),
        *(_delay(changed, change) for change in CHANGES),
    ]


def _share(changed: list[Ended]) -> float:
    if not changed:
        return float("nan")
    return 100 * sum(one.hours is not None for one in changed) / len(changed)


def _found(changed: list[Ended], change: str) -> str:
    alike = [one for one in changed if one.change == change]
    return f"{sum(one.hours is not None for one in alike)} of {len(alike)}"


def _delay(changed: list[Ended], change: str) -> Figure:
    hours = [one.hours for one in changed if one.change == change and one.hours is not None]
    return Figure(
        name=f"until a pattern that is {change} is found, median",
        value=median(hours) if hours else float("nan"),
        unit="hours",
        how=f"of {len(hours)} found, between {min(hours, default=float('nan')):.0f} and "
        f"{max(hours, default=float('nan')):.0f} hours; a check comes every {BETWEEN // 60}",
    )


def _tell(one: Ended) -> Ended:
    print(json.dumps(asdict(one)), file=sys.stderr, flush=True)  # noqa: T201 - progress of minutes
    return one
