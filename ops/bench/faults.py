"""What faults and kills do to orders: the simulated tier of the campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.bench.figures import Figure
from ops.campaign.campaign import POINTS, Result, campaign, own_storage, play
from ops.campaign.mutations import MUTATIONS, without
from ops.campaign.report import markdown
from ops.campaign.scenario import draw

if TYPE_CHECKING:
    from ops.bench.figures import Plan
    from ops.campaign.storage import Storage

RUNS, FEW = 1_000, 40
MUTATED_RUNS = 100
TOLD_EVERY = 100


def measure(plan: Plan) -> list[Figure]:
    """Play the campaign, or one run of it, and the campaign without each of some rules."""
    with own_storage() as storage:
        if plan.only is not None:
            return [_one(storage, plan.seed, plan.only)]
        runs = plan.runs or (FEW if plan.quick else RUNS)
        result = campaign(storage, plan.seed, runs, progress=_tell)
        caught = [rule for rule in MUTATIONS if _is_noticed(storage, plan.seed, rule)]
    click.echo(markdown(result, plan.seed), err=True)
    return [*_figures(result, plan.seed), _points(result), _mutations(caught)]


def _one(storage: Storage, seed: int, number: int) -> Figure:
    outcome = play(storage, seed, number)
    story = [*draw(seed, number).lines(), *outcome.story, *(outcome.wrong or ["nothing is wrong"])]
    click.echo("\n".join(story), err=True)
    return Figure(
        name=f"what is wrong after run {number} of seed {seed}",
        value=float(len(outcome.wrong)),
        unit="findings",
        goal=0,
        at_most=True,
        how=f"{outcome.seconds:.0f} simulated seconds; its story is above",
    )


def _is_noticed(storage: Storage, seed: int, rule: str) -> bool:
    with without(rule):
        found = campaign(storage, seed, MUTATED_RUNS, stop_at_first=True)
    return bool(found.failed)


def _figures(result: Result, seed: int) -> list[Figure]:
    how = (
        f"{result.runs:,} seeded runs (seed {seed}, {len(result.failed)} of them failed) of the "
        f"real trader and sandbox on a simulated clock, {result.simulated / 3600:.1f} simulated "
        f"hours with {sum(result.counts['faults'].values()):,} strokes of faults, "
        f"{sum(result.counts['killed'].values()):,} kills of the trader, "
        f"{sum(result.counts['deaths'].values()):,} of the exchange, and PostgreSQL away "
        f"{sum(result.counts['losses'].values()):,} times"
    )
    words = {"lost": "lost", "doubled": "doubled", "unexplained": "unexplained"}
    counted = [(f"orders and fills {told}", result.wrong(word)) for word, told in words.items()]
    counted.append(("other differences, halts left and defects", _others(result)))
    return [
        Figure(name=name, value=float(value), unit="findings", goal=0, at_most=True, how=how)
        for name, value in counted
    ]


def _others(result: Result) -> int:
    known = ("lost", "doubled", "unexplained")
    lines = [line for found in result.failed.values() for line in found]
    return sum(not line.startswith(known) for line in lines)


def _points(result: Result) -> Figure:
    return Figure(
        name="points of a kill that the trader passed",
        value=float(len(POINTS) - len(result.unreached)),
        unit=f"of {len(POINTS)}",
        goal=len(POINTS),
        how=f"never passed: {', '.join(result.unreached) or 'none'}",
    )


def _mutations(caught: list[str]) -> Figure:
    return Figure(
        name="rules whose absence the campaign notices",
        value=float(len(caught)),
        unit=f"of {len(MUTATIONS)}",
        goal=len(MUTATIONS),
        how=f"within {MUTATED_RUNS} runs each, without: {'; '.join(MUTATIONS)}",
    )


def _tell(result: Result) -> None:
    if result.runs % TOLD_EVERY == 0:
        took = result.took / result.runs
        line = f"{result.runs:,} runs, {len(result.failed)} failed, {took:.2f} s each"
        click.echo(line, err=True)
