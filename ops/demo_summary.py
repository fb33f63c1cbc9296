"""What a demo did, in figures, and the files in which to read on."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sql import reads
from sql.tables import DecisionRow, PredictionRow, PriceBarRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Engine

    from ops.demo import Step
    from ops.home import Home
    from sql.reads import FillRead

FILES_SHOWN = 12


def round_trips(fills: Iterable[FillRead]) -> dict[str, int]:
    """Count how often the position of each market went back to nothing."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    closed: Counter[str] = Counter()
    for fill in sorted(fills, key=lambda fill: fill.at):
        held[fill.symbol] += fill.quantity if fill.side == "buy" else -fill.quantity
        if held[fill.symbol] == 0:
            closed[fill.symbol] += 1
    return dict(closed)


def write(home: Home, engine: Engine, healthy_after: float | None, steps: Sequence[Step]) -> str:
    """Write the summary into the demo's folder and return it."""
    with Session(engine) as session:
        lines = [*_steps(healthy_after, steps), "", *_figures(session)]
    (home.path / "summary.txt").write_text("\n".join(lines) + "\n")
    return "\n".join([*lines, "", *_files(home)])


def _steps(healthy_after: float | None, steps: Sequence[Step]) -> list[str]:
    took = "never all healthy" if healthy_after is None else f"{healthy_after:5.1f} s"
    lines = ["what happened", f"  {took}  everything was started and healthy"]
    for step in steps:
        lines.append(f"  {step.seconds:5.1f} s  {step.name}")
        lines += [f"             {said}" for said in step.said.splitlines() if said]
    return lines


def _figures(session: Session) -> list[str]:
    counted = {
        "bars on record": PriceBarRow,
        "scores written before their outcome": PredictionRow,
        "decisions": DecisionRow,
    }
    lines = ["figures"]
    for what, table in counted.items():
        number = session.scalar(select(func.count()).select_from(table))
        lines.append(f"  {what}: {number}")
    fills = reads.fills(session, limit=10_000)
    closed = round_trips(fills)
    lines.append(f"  trades: {len(fills)}, positions opened and closed: {sum(closed.values())}")
    lines += [
        f"  {row.symbol}: bought {row.bought:f}, sold {row.sold:f}, holds {row.quantity:f}, "
        f"fees {row.fees:.4f} USD, net cash {row.net_cash:.4f} USD"
        for row in reads.positions(session)
    ]
    lines += [f"  {row.asset} at the exchange: {row.amount:f}" for row in reads.balances(session)]
    lines += [
        f"  reconciled ({row.trigger}): {row.summary}" for row in reads.reconciliations(session)
    ]
    return lines


def _files(home: Home) -> list[str]:
    artifacts = home.path / "artifacts"
    wanted = ("*.html", "*.md", "*.png")
    found = [path for name in wanted for path in sorted(artifacts.rglob(name))]
    lines = ["files", f"  {home.path / 'summary.txt'}", f"  {home.logs}/"]
    lines += [f"  {path}" for path in found[:FILES_SHOWN]]
    if len(found) > FILES_SHOWN:
        lines.append(f"  and {len(found) - FILES_SHOWN} more below {artifacts}/")
    return lines
