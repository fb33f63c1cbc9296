"""What kills of whole processes do to orders: the real tier of the campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.bench.figures import Figure
from ops.outages.campaign import campaign
from ops.outages.report import markdown

if TYPE_CHECKING:
    from ops.bench.figures import Plan
    from ops.outages.campaign import Outcome, Result

RUNS, FEW = 300, 4


def measure(plan: Plan) -> list[Figure]:
    """Play the runs, or one of them, and count what is wrong afterwards."""
    runs = plan.runs or (FEW if plan.quick else RUNS)
    numbers = range(runs) if plan.only is None else [plan.only]
    result = campaign(plan.seed, numbers, progress=_tell)
    click.echo(markdown(result, plan.seed), err=True)
    return figures(result, plan.seed)


def figures(result: Result, seed: int) -> list[Figure]:
    """Give the numbers that must be nothing."""
    killed = sum(len(one.killed) for one in result.outcomes.values())
    orders = sum(one.orders for one in result.outcomes.values())
    how = (
        f"{len(result.outcomes)} runs (seed {seed}, {len(result.failed)} of them failed) of "
        f"PostgreSQL, sandbox, trader and standby as processes, {killed} of them killed with "
        f"SIGKILL amid {orders:,} orders"
    )
    counts = {
        "orders and fills lost": result.wrong("lost"),
        "orders and fills doubled": result.wrong("doubled"),
        "orders and fills unexplained": result.wrong("unexplained"),
        "ledgers and trades that differ": result.wrong("different"),
        "halts left": result.wrong("halted"),
        "systems that did not heal by themselves": result.wrong("not healed"),
    }
    return [
        Figure(name=name, value=float(n), unit="findings", goal=0.0, at_most=True, how=how)
        for name, n in counts.items()
    ]


def _tell(number: int, outcome: Outcome) -> None:
    verdict = "; ".join(outcome.wrong[:3]) or "nothing is wrong"
    click.echo(
        f"run {number}: {outcome.took:.1f} s, healed in {outcome.healed:.1f} s, "
        f"{outcome.orders} orders, {outcome.plan}: {verdict}",
        err=True,
    )
    for line in outcome.story:
        click.echo(f"    {line}", err=True)
