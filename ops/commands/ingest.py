"""Fetch market data from those who publish it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
from sqlalchemy.orm import Session

from ops import progress
from ops.commands.account import engine
from ops.commands.options import Market, days, seconds, since, until
from ops.commands.printing import as_json, dump, show, text
from ops.errors import AnswerIsNo

if TYPE_CHECKING:
    from collections.abc import Callable

    from market.providers import Wanted

LISTED = 20  # contracts of a chain
source = click.option(
    "--provider",
    "of",
    default="kraken",
    show_default=True,
    type=click.Choice(["kraken", "alpaca"]),  # market.sources, which takes a while to load
    help="Whom to ask; Alpaca needs APCA_API_KEY_ID and APCA_API_SECRET_KEY.",
)


@click.command("ingest")
@click.argument("symbol", type=Market())
@source
@seconds
@days
@since
@until
def ingest_command(
    symbol: str,
    *,
    of: str,
    interval_seconds: int,
    days: int,
    start: datetime | None,
    end: datetime | None,
) -> None:
    r"""Fetch the bars that are missing.

    \b
    Only what is not on record is asked for, page by page: run it again if it was cut short.
    """
    from market import ingestion, sources

    interval = timedelta(seconds=interval_seconds)
    database, data = engine(), sources.open_data(of)
    try:
        sources.check_interval(data, interval)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    now = data.now()
    last = ingestion.ended(now, end, interval)
    wanted = _wanted(symbol, interval, start or last - timedelta(days=days), last)
    with progress.shown(symbol, (wanted.end - wanted.start).total_seconds()) as tell:
        outcome = ingestion.complete(
            database,
            data,
            wanted,
            now,
            progress=lambda at: tell((at - wanted.start).total_seconds()),
        )
    if not outcome.bars:
        when = f"from {text(wanted.start)} to {text(wanted.end)}"
        raise AnswerIsNo(f"{of.title()} knows no bar of {symbol} {when}")
    click.echo(outcome.reason)


@click.command("latest")
@click.argument("symbol", type=Market())
@source
@as_json
def latest_command(symbol: str, of: str, *, as_json: bool) -> None:
    """Ask for a market's latest bar of a minute, and record nothing."""
    from market import sources

    data = sources.open_data(of)
    try:
        bar = sources.latest(data, symbol)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if bar is None:
        raise AnswerIsNo(f"{of.title()} knows no bar of {symbol}")
    if as_json:
        dump(bar)
        return
    names = ("start", "open", "high", "low", "close", "volume", "trades")
    show([bar], {name: _attribute(name) for name in names}, empty="")


@click.command("options")
@click.argument("underlying", type=Market())
@as_json
def options_command(underlying: str, *, as_json: bool) -> None:
    """Record what every option on a stock is quoted at, from Alpaca, with its greeks."""
    from market.alpaca import AlpacaData
    from market.option_record import record_quotes
    from market.settings import AlpacaSettings

    settings, database = AlpacaSettings(), engine()
    quotes, new = [], 0
    for page in AlpacaData(settings).option_chain(underlying):
        with Session(database) as session, session.begin():
            new += record_quotes(session, page, f"alpaca-{settings.option_feed}")
        quotes += page
        click.echo(f"  {len(quotes)} contracts", err=True)
    if not quotes:
        raise AnswerIsNo(f"Alpaca quotes no option on {underlying}")
    if as_json:
        dump([asdict(quote) for quote in quotes])
        return
    names = ("quoted_at", "bid", "ask", "last_price", "implied_volatility", "delta")
    columns = {"contract": lambda quote: quote.contract.symbol}
    show(quotes[:LISTED], columns | {name: _attribute(name) for name in names}, empty="")
    greek = sum(quote.delta is not None for quote in quotes)
    click.echo(f"{underlying}: {len(quotes)} contracts, {new} quotes new, {greek} with greeks")


def _wanted(symbol: str, interval: timedelta, start: datetime, end: datetime) -> Wanted:
    from market.providers import Wanted

    if start + interval > end:
        raise click.UsageError(f"no bar of {interval} lies between {start} and {end}")
    return Wanted(symbol=symbol, interval=interval, start=start, end=end)


def _attribute(name: str) -> Callable[[object], object]:
    return lambda row: getattr(row, name)
