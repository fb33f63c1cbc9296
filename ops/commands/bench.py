"""Measure what the project promises, here and now."""

from __future__ import annotations

import json
import os
import platform
import signal
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import click

from ops.bench import figures
from ops.bench.figures import Figure, Plan
from ops.commands.printing import as_json
from ops.errors import AnswerIsNo

# Each is the module of that name under ops.bench.
NAMES = (
    "backtest",
    "database",
    "decision",
    "drift",
    "experiments",
    "execution",
    "faults",
    "feed",
    "fuzz",
    "gate",
    "ingest",
    "memory",
    "outages",
    "predict",
    "reconnect",
    "rollback",
    "sandbox",
    "train",
    "up",
)


@click.command("bench")
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@as_json
@click.option("--quick", is_flag=True, help="The seeded part that the tests run.")
@click.option("--runs", type=click.IntRange(1), help="How many runs a campaign makes.")
@click.option("--seed", default=0, show_default=True, help="What the runs are drawn from.")
@click.option("--only", type=click.IntRange(0), help="Tell the story of one run of a campaign.")
@click.option(
    "--recording",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Recorded websocket messages to measure on; else the sandbox's.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write what was measured into this page.",
)
def bench_command(
    names: tuple[str, ...], *, as_json: bool, page: Path | None, **asked: object
) -> None:
    """Measure all numbers, or some; exit 1 if one does not hold."""
    # What a measurement has started must not outlive it, however it is told to end.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    plan = Plan(**asked)  # type: ignore[arg-type]  # click has checked them
    measured: dict[str, list[Figure]] = {}
    for name in names or NAMES:
        click.echo(f"measuring {name}", err=True)
        measured[name] = import_module(f"ops.bench.{name}").measure(plan)
        if not as_json:
            _show(name, measured[name])
    found = [figure for group in measured.values() for figure in group]
    if as_json:
        click.echo(json.dumps([figure.as_json() for figure in found], indent=2))
    if page is not None:
        figures.write(page, measured, _machine())
    missed = [figure.name for figure in found if not figure.holds]
    if missed:
        raise AnswerIsNo(f"{len(missed)} of {len(found)} do not hold: {', '.join(missed)}")


def _show(name: str, measured: list[Figure]) -> None:
    for figure in measured:
        title, number, goal, verdict = figure.cells()
        click.echo(f"{name}: {title}: {number} (to hold: {goal}) {verdict}")


def _machine() -> str:
    now = datetime.now(UTC)
    return (
        f"Measured {now:%Y-%m-%d} with Python {platform.python_version()} on"
        f" {os.cpu_count()} cores ({platform.machine()}), with a load average of"
        f" {os.getloadavg()[1]:.1f} over five minutes."
    )
