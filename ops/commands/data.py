"""Market data: fetch it, import it, and see where it has holes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy.orm import Session

from market import history
from ops.commands.account import engine
from ops.commands.printing import as_json, dump, show
from ops.errors import AnswerIsNo
from sql import evidence

seconds = click.option(
    "--interval-seconds",
    default=60,
    show_default=True,
    type=click.IntRange(1, 86_400),
    help="The length of a bar.",
)
DAYS = click.IntRange(1, 3_650)


@click.command("ingest")
@click.argument("symbol")
@seconds
@click.option("--days", default=14, show_default=True, type=DAYS, help="How far back.")
def ingest_command(symbol: str, interval_seconds: int, days: int) -> None:
    """Fetch the bars that are missing, from the exchange's public history."""
    from market import ingestion
    from market.public_data import PublicData
    from market.settings import PublicDataSettings

    outcome = ingestion.ingest(
        engine(),
        PublicData(PublicDataSettings()),
        symbol,
        timedelta(seconds=interval_seconds),
        timedelta(days=days),
        progress=lambda at: click.echo(f"  up to {at:%Y-%m-%d %H:%M}", err=True),
    )
    click.echo(outcome.reason)


@click.group("import")
def import_command() -> None:
    """Read market data from a file."""


@import_command.command("csv")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--symbol", required=True, help="Whose bars these are, such as XRP/USD.")
@seconds
def import_csv_command(file: Path, symbol: str, interval_seconds: int) -> None:
    r"""Import bars with the header datetime,open,high,low,close,volume; .csv or .csv.gz.

    \b
    Nothing of a file with a bad row is kept, and bars on record stay as they are.
    """
    with Session(engine()) as session, session.begin():
        new = history.import_csv(session, file, symbol, timedelta(seconds=interval_seconds))
    click.echo(f"{symbol}: {new} new bars from {file.name}")


@click.command("gaps")
@click.argument("symbol")
@seconds
@click.option("--days", default=14, show_default=True, type=DAYS, help="How far back.")
@as_json
def gaps_command(symbol: str, interval_seconds: int, days: int, *, as_json: bool) -> None:
    """Show where bars are missing."""
    interval = timedelta(seconds=interval_seconds)
    with Session(engine()) as session:
        end = evidence.record_ends(session, symbol, interval_seconds)
        if end is None:
            raise AnswerIsNo(f"there is no bar of {symbol}; friday ingest {symbol} fetches them")
        found = history.gaps(session, symbol, interval, end - timedelta(days=days), end)
    if as_json:
        dump([{"from": start, "to": stop} for start, stop in found])
        return
    columns = {
        "from": lambda gap: gap[0],
        "to": lambda gap: gap[1],
        "bars": lambda gap: (gap[1] - gap[0]) // interval,
    }
    show(found, columns, empty=f"{symbol}: no bar is missing in the last {days} days")
