"""Fetch market data from those who publish it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from ops import progress
from ops.commands.account import engine
from ops.commands.options import days, seconds, since, until

if TYPE_CHECKING:
    from market.providers import Wanted


@click.command("ingest")
@click.argument("symbol")
@seconds
@days
@since
@until
def ingest_command(
    symbol: str,
    interval_seconds: int,
    days: int,
    start: datetime | None,
    end: datetime | None,
) -> None:
    r"""Fetch the bars that are missing.

    \b
    Only what is not on record is asked for, page by page: run it again if it was cut short.
    """
    from market import ingestion, kraken_history
    from market.public_data import PublicData
    from market.settings import PublicDataSettings

    interval = timedelta(seconds=interval_seconds)
    database = engine()
    data = PublicData(PublicDataSettings())
    now = data.now()
    last = ingestion.ended(now, end, interval)
    wanted = _wanted(symbol, interval, start or last - timedelta(days=days), last)
    with progress.shown(symbol, (wanted.end - wanted.start).total_seconds()) as tell:
        outcome = ingestion.fill(
            database,
            kraken_history.provider(data, now),
            wanted,
            progress=lambda at: tell((at - wanted.start).total_seconds()),
        )
    click.echo(outcome.reason)


def _wanted(symbol: str, interval: timedelta, start: datetime, end: datetime) -> Wanted:
    from market.providers import Wanted

    if start + interval > end:
        raise click.UsageError(f"no bar of {interval} lies between {start} and {end}")
    return Wanted(symbol=symbol, interval=interval, start=start, end=end)
