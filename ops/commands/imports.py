"""Read market data from files: CSV, and Kraken's dumps of bars and of trades."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from market.errors import FileRefused
from ops import progress
from ops.commands.account import engine, now
from ops.commands.options import Market, seconds, since, until
from ops.commands.printing import as_json, dump, show

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from market.dump_files import Part
    from market.dumps import Progress
    from market.providers import Provider
    from market.quality import Inspection

    Check = Callable[[Part, timedelta, Progress], Inspection]

NAMED = 5  # tables of a file that a sentence names
a_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
whose = click.option(
    "--symbol", type=Market(), help="Only this market, such as XRP/USD; else the file name tells."
)
keep_good = click.option(
    "--skip-bad-lines", is_flag=True, help="Keep the good lines of a file that has bad ones."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A part of a file, and whose bars it holds."""

    part: Part
    symbol: str
    interval: timedelta

    def __str__(self) -> str:
        """Name it for a person."""
        return f"{self.symbol} {int(self.interval.total_seconds())} s"


@click.group("import")
def import_command() -> None:
    """Read market data from a file."""


@import_command.command("csv")
@a_file
@click.option(
    "--symbol", required=True, type=Market(), help="Whose bars these are, such as XRP/USD."
)
@seconds
def import_csv_command(file: Path, symbol: str, interval_seconds: int) -> None:
    r"""Import bars with the header datetime,open,high,low,close,volume; .csv or .csv.gz.

    \b
    Nothing of a file with a bad row is kept, and bars on record stay as they are. An import
    that was killed is simply run again.
    """
    from market import bulk, csv_bars
    from market.bar_columns import MICROSECOND
    from market.bars import EPOCH

    interval = timedelta(seconds=interval_seconds)
    try:
        bars = csv_bars.read_csv(
            file, symbol, interval, lambda said: click.echo(said, err=True), now=now()
        )
    except FileRefused as refusal:
        for line in refusal.lines:
            click.echo(f"  {line}", err=True)
        raise
    with progress.shown(f"importing {symbol}", len(bars)) as tell:
        new = bulk.copy_columns(engine(), [bars], "csv", tell)
    odd = {"missing": bars.missing, "without a trade": bars.quiet}
    said = "".join(f", {count} {what}" for what, count in odd.items() if count)
    click.echo(f"{symbol}: {new} new of {len(bars)} bars from {file.name}{said}")
    if bars.missing:
        begin = EPOCH + int(bars.start[0]) * MICROSECOND
        asked = f"--interval-seconds {interval_seconds} --from {begin:%Y-%m-%d}"
        click.echo(f"friday gaps {symbol} {asked} tells which")


@import_command.command("parquet")
@a_file
def import_parquet_command(file: Path) -> None:
    """Bring back a month that friday archive wrote; its .json has to lie beside it."""
    from market import archive

    rows, new = archive.restore(engine(), file)
    click.echo(f"{file.name}: {new} new of {rows} rows")


@import_command.command("kraken-ohlcvt")
@a_file
@whose
@click.option(
    "--interval-seconds",
    type=click.IntRange(60, 86_400),
    help="Only bars of this length; else the file name tells, in minutes.",
)
@keep_good
@as_json
def import_ohlcvt_command(
    file: Path,
    symbol: str | None,
    interval_seconds: int | None,
    *,
    skip_bad_lines: bool,
    as_json: bool,
) -> None:
    r"""Import Kraken's OHLCVT dump: a .zip, or one XBTUSD_60.csv or .csv.gz of it.

    \b
    Bars that the dump leaves out are recorded as quiet, which is what it means by leaving
    them out, unless the file has a bad line. Run it again if it was killed.
    """
    from market import dumps
    from market.bars import EPOCH
    from market.providers import FOREVER

    interval = None if interval_seconds is None else timedelta(seconds=interval_seconds)
    tables = _tables(file, symbol, interval)
    checked = _check(tables, dumps.check_ohlcvt, skip=skip_bad_lines)
    _record(
        checked,
        lambda table, tell: dumps.ohlcvt(table.part, tell, whole=not checked[table].bad),
        start=EPOCH,
        end=FOREVER,
        as_json=as_json,
    )


@import_command.command("kraken-trades")
@a_file
@whose
@seconds
@since
@until
@keep_good
@as_json
def import_trades_command(
    file: Path,
    symbol: str | None,
    interval_seconds: int,
    start: datetime | None,
    end: datetime | None,
    *,
    skip_bad_lines: bool,
    as_json: bool,
) -> None:
    r"""Build bars from Kraken's time and sales: a .zip, or one XBTUSD.csv or .csv.gz of it.

    \b
    The bars of the first and of the last trade are left out, since trades may be missing
    before and after, unless --from and --to say that none is. Run it again if it was killed.
    """
    from market import dumps
    from market.bars import EPOCH, interval_start
    from market.providers import FOREVER

    interval = timedelta(seconds=interval_seconds)
    for at in (start, end):
        if at is not None and interval_start(at, interval) != at:
            raise click.UsageError(
                f"{at:%Y-%m-%d %H:%M:%S} is not where a bar of {interval} starts"
            )
    tables = _tables(file, symbol, interval, bars=False)
    checked = _check(tables, dumps.check_trades, skip=skip_bad_lines)
    _record(
        checked,
        lambda table, tell: dumps.time_and_sales(table.part, tell),
        start=start or EPOCH,
        end=end or FOREVER,
        as_json=as_json,
    )


def _tables(
    file: Path, symbol: str | None, interval: timedelta | None, *, bars: bool = True
) -> list[Table]:
    """Return the parts of the file that were asked for, with what they hold."""
    from market.dump_files import parts
    from market.pairs import named

    found = parts(file)
    tables = []
    for part in found:
        pair, length = named(part.name)
        if len(found) == 1:
            pair, length = pair or symbol, length or interval
        length = length if bars else interval
        if pair is not None and length is not None:
            tables.append(Table(part=part, symbol=pair, interval=length))
    if not tables:
        raise FileRefused(
            f"{file}: no name in it tells of a market; names are like XBTUSD_60.csv and "
            "XBTUSD.csv, and another can be explained by --symbol and --interval-seconds"
        )
    asked = [one for one in tables if symbol in {None, one.symbol}]
    asked = [one for one in asked if interval in {None, one.interval}]
    if not asked:
        held = [_named(one.symbol, one.interval if bars else None) for one in tables[:NAMED]]
        more = f" and {len(tables) - NAMED} more" if len(tables) > NAMED else ""
        wanted = _named(symbol, interval if bars else None)
        raise FileRefused(f"{file} holds {', '.join(held)}{more}, and nothing of {wanted}")
    return asked


def _named(symbol: str | None, interval: timedelta | None) -> str:
    length = None if interval is None else f"bars of {interval}"
    return " in ".join(word for word in (symbol, length) if word is not None)


def _check(tables: list[Table], check: Check, *, skip: bool) -> dict[Table, Inspection]:
    """Look at every line before any bar is recorded.

    Raises:
        FileRefused: There is no line, or there are bad ones, which are not to be skipped.
    """
    checked = {}
    for table in tables:
        with progress.shown(f"checking {table}", table.part.size) as tell:
            checked[table] = check(table.part, table.interval, tell)
    if not any(one.bars or one.bad for one in checked.values()):
        raise FileRefused(f"{tables[0].part.path} holds no line")
    spoilt = [(table, one) for table, one in checked.items() if one.bad]
    for table, inspection in spoilt:
        click.echo(f"{table.part}: {inspection.bad} bad lines of {inspection.bars}", err=True)
        _tell(inspection)
    if spoilt and not skip:
        lines = sum(inspection.bad for _, inspection in spoilt)
        raise FileRefused(
            f"nothing was imported: {lines} lines are bad; --skip-bad-lines keeps the others"
        )
    return checked


def _tell(inspection: Inspection) -> None:
    from market.quality import BAD

    bad = [one for one in inspection.findings if one.kind in BAD]
    for one in sorted(bad, key=lambda one: one.line or 0):
        click.echo(f"  line {one.line}: {one.kind}: {one.why}", err=True)
    for kind, tally in inspection.tallies.items():
        if kind in BAD and (more := tally.findings - len(tally.first)):
            click.echo(f"  and {more} more: {kind}", err=True)


def _record(
    checked: dict[Table, Inspection],
    source: Callable[[Table, Progress], Provider],
    *,
    start: datetime,
    end: datetime,
    as_json: bool,
) -> None:
    from market import imports
    from market.providers import Wanted

    done: list[dict[str, object]] = []
    database = engine()
    for table, inspection in checked.items():
        wanted = Wanted(symbol=table.symbol, interval=table.interval, start=start, end=end)
        with progress.shown(f"importing {table}", table.part.size) as tell:
            bars, new = imports.record(database, source(table, tell)(wanted))
        done.append(
            {
                "market": table.symbol,
                "seconds": int(table.interval.total_seconds()),
                "lines": inspection.bars,
                "bad": inspection.bad,
                "bars": bars,
                "new": new,
            }
        )
    if as_json:
        dump(done)
        return
    show(done, {name: _cell(name) for name in done[0]}, empty="")


def _cell(name: str) -> Callable[[dict[str, object]], object]:
    return lambda row: row[name]
