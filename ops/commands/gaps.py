"""What is wrong with the bars on record, and what could mend it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
from sqlalchemy.orm import Session

from ops.commands.account import engine, now
from ops.commands.options import Market, days, seconds, since, until
from ops.commands.printing import as_json, dump, show, text
from ops.errors import AnswerIsNo
from sql import evidence

if TYPE_CHECKING:
    from market.quality import Inspection

LISTED = 30  # findings of a kind; the rest is counted
EVERY_ONE = 10**9


@click.command("gaps")
@click.argument("symbol", type=Market())
@seconds
@days
@since
@until
@as_json
def gaps_command(
    symbol: str,
    interval_seconds: int,
    days: int,
    start: datetime | None,
    end: datetime | None,
    *,
    as_json: bool,
) -> None:
    r"""Show where bars are missing or wrong, and what could mend it.

    \b
    Looked for: gaps, impossible bars, bars off the interval's grid, days whose times are in
    another zone by the moves of the markets beside, and intervals without a trade.
    """
    from market import inspection
    from market.houses import KRAKEN, house
    from market.remedies import remedy

    interval = timedelta(seconds=interval_seconds)
    with Session(engine()) as session:
        ends = evidence.record_ends(session, symbol, interval_seconds)
        if ends is None:
            asked = house(symbol, ())
            other = "" if asked == KRAKEN else f" --provider {asked}"
            fetches = f"friday ingest {symbol}{other} fetches them"
            raise AnswerIsNo(f"there is no bar of {symbol} of {interval}; {fetches}")
        end = end or ends
        start = start or end - timedelta(days=days)
        if start >= end:
            raise click.UsageError(
                f"nothing lies between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M}; the bars "
                f"of {symbol} on record end at {ends:%Y-%m-%d %H:%M}"
            )
        keep = EVERY_ONE if as_json else LISTED
        found = inspection.inspect(session, symbol, interval, start, end, keep=keep)
        sources = inspection.sources(session, symbol, interval, start, end)
    known_by = house(symbol, sources)
    rows: list[dict[str, object]] = [
        {
            "kind": str(one.kind),
            "from": one.start,
            "to": one.end,
            "bars": one.bars,
            "why": one.why,
            "mended_by": remedy(one, symbol, interval, now(), known_by),
        }
        for one in found.findings
    ]
    if as_json:
        dump({"from": start, "to": end, "bars": found.bars, "sources": sources, "found": rows})
        return
    _print(found, [row for row in rows if row["kind"] != "zero volume"], symbol)
    click.echo(_summary(found, sources, start, end))


def _print(found: Inspection, rows: list[dict[str, object]], symbol: str) -> None:
    columns = {
        "found": lambda row: row["kind"],
        "from": lambda row: row["from"],
        "to": lambda row: row["to"],
        "bars": lambda row: row["bars"],
        "why": lambda row: row["why"],
        "what could mend it": lambda row: row["mended_by"],
    }
    show(rows, columns, empty=f"{symbol}: no bar is missing or wrong")
    for kind, tally in found.tallies.items():
        if kind != "zero volume" and (more := tally.findings - len(tally.first)):
            click.echo(f"and {more} more: {kind}, {tally.bars} bars in all; --json lists every one")


def _summary(found: Inspection, sources: dict[str, int], start: datetime, end: datetime) -> str:
    origin = ", ".join(f"{bars} from {source}" for source, bars in sources.items()) or "none"
    said = f"{found.bars} bars on record from {text(start)} to {text(end)}: {origin}"
    quiet = next((t for kind, t in found.tallies.items() if kind == "zero volume"), None)
    if quiet is None:
        return said
    return f"{said}; {quiet.bars} without a trade, {text(quiet.start)} to {text(quiet.end)}"
