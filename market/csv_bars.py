"""Bars from a CSV file, all of them or none.

A sound file is read column by column. Whatever is unusual about one is left to a second,
slow reading line by line, which is the one that says what a file may hold and which line
of it is wrong.
"""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TextIO

import numpy as np
import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from market.bar_columns import MICROSECOND, BarColumns, columns_of, unknown
from market.bars import EPOCH, Bar, interval_start
from market.errors import FileRefused
from sql.amounts import Amounts, exact, from_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

HEADER = ["datetime", "open", "high", "low", "close", "volume"]
AMOUNT = pa.decimal128(38, 18)
TOLD = 20  # bad lines that are told one by one
# With a zone or without one; a file that has both is read line by line.
TIMES = (pa.timestamp("us", "UTC"), pa.timestamp("us"))


def _nobody(_: str) -> None:
    pass


def read_csv(
    path: Path,
    symbol: str,
    interval: timedelta,
    tell: Callable[[str], None] = _nobody,
    *,
    now: datetime | None = None,
) -> BarColumns:
    """Read every bar of a file, plain or gzipped; times without a zone are UTC.

    Args:
        path: The file.
        symbol: Whose bars they are.
        interval: Their length.
        tell: Told in a sentence what was taken for granted.
        now: Our time; the bar that is under way then is the last that a file may hold.

    Returns:
        The bars by time.

    Raises:
        FileRefused: The file cannot be read, or a line is not a bar, and it says which; or bars
            lie in the future.
    """
    if zipfile.is_zipfile(path):
        raise FileRefused(
            f"{path} is a zip: unpack it first, or if it is Kraken's dump use friday import "
            "kraken-ohlcvt or kraken-trades"
        )
    columns = _read(path, symbol, interval, tell)
    late = 0 if now is None else int((columns.start > (now - EPOCH) // MICROSECOND).sum())
    if late:
        last = EPOCH + int(columns.start[-1]) * MICROSECOND
        bars = "a bar lies" if late == 1 else f"{late} bars lie"
        raise FileRefused(
            f"{path}: nothing was imported, since {bars} in the future, the last at "
            f"{last:%Y-%m-%d %H:%M} UTC"
        )
    return columns


def _read(path: Path, symbol: str, interval: timedelta, tell: Callable[[str], None]) -> BarColumns:
    for kind in TIMES:
        if (found := _at_once(path, symbol, interval, kind)) is not None:
            without_zone = len(found) if kind.tz is None else 0
            _tell(tell, without_zone, int((np.diff(found.start) < 0).sum()))
            return found.in_order()
    (columns,) = columns_of(read_lines(path, symbol, interval, tell))
    return columns


def _at_once(path: Path, symbol: str, interval: timedelta, times: pa.DataType) -> BarColumns | None:
    """Read a file in one go, or return None where there is anything to look at more closely."""
    kinds = {"datetime": times, **dict.fromkeys(HEADER[1:], AMOUNT)}
    convert = arrow_csv.ConvertOptions(column_types=kinds, null_values=[])
    try:
        table = arrow_csv.read_csv(
            path,
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=convert,
        ).combine_chunks()
        if table.column_names != HEADER or not table.num_rows:
            return None
        amounts = {name: _amounts(table[name]) for name in HEADER[1:]}
        trades, bought, bought_known = unknown(table.num_rows)
        columns = BarColumns(
            symbol=symbol,
            interval=interval,
            start=table["datetime"].cast(pa.int64()).to_numpy(),
            trades=trades,
            bought=bought,
            bought_known=bought_known,
            **amounts,
        )
    except (OSError, ValueError, OverflowError):  # ArrowInvalid is a ValueError
        return None
    return columns if len(np.unique(columns.start)) == len(columns) else None


def _amounts(column: pa.ChunkedArray) -> Amounts:
    (values,) = column.chunks
    to_whole = compute.CastOptions(pa.int64(), allow_decimal_truncate=True)
    whole = compute.cast(values, options=to_whole).to_numpy()
    _, words = values.buffers()
    return from_words(np.frombuffer(words, dtype="<u8")[0 : 2 * len(values) : 2], whole)


def read_lines(
    path: Path, symbol: str, interval: timedelta, tell: Callable[[str], None] = _nobody
) -> list[Bar]:
    """Read a file line by line, which is twenty times as slow and forgives as much as it can.

    Arguments, result and errors are those of `read_csv`.
    """
    try:
        with _open(path) as file:
            return _bars(file, path, symbol, interval, tell)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise FileRefused(f"cannot read {path}: {error}") from None


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _bars(
    file: TextIO, path: Path, symbol: str, interval: timedelta, tell: Callable[[str], None]
) -> list[Bar]:
    lines = csv.reader(file)
    header = next(lines, [])
    if header != HEADER:
        raise FileRefused(
            f"{path}: expected the header {','.join(HEADER)}, found {','.join(header) or 'nothing'}"
        )
    bars: dict[datetime, Bar] = {}
    wrong: list[str] = []
    without_zone = out_of_order = 0
    latest = None
    for row in lines:
        try:
            bar = _bar(row, symbol, interval)
        except (ValueError, InvalidOperation) as error:
            reason = "a number cannot be read" if isinstance(error, InvalidOperation) else error
            wrong.append(f"line {lines.line_num}: {reason}")
            continue
        if bar.start in bars:
            wrong.append(f"line {lines.line_num}: a second bar of {bar.start}")
            continue
        without_zone += datetime.fromisoformat(row[0]).tzinfo is None
        out_of_order += latest is not None and bar.start < latest
        bars[bar.start] = bar
        latest = bar.start
    if wrong:
        raise _refusal(path, wrong)
    if not bars:
        raise FileRefused(f"{path} holds no bars")
    _tell(tell, without_zone, out_of_order)
    return [bars[start] for start in sorted(bars)]


def _refusal(path: Path, wrong: list[str]) -> FileRefused:
    if len(wrong) == 1:
        return FileRefused(f"{path}, {wrong[0]}")
    said = f"{path}: nothing was imported, since {len(wrong)} lines are bad"
    more = (f"and {len(wrong) - TOLD:,} more",) if len(wrong) > TOLD else ()
    return FileRefused(said, (*wrong[:TOLD], *more))


def _tell(tell: Callable[[str], None], without_zone: int, out_of_order: int) -> None:
    if without_zone:
        tell(f"lines without a zone, taken for UTC: {without_zone}")
    if out_of_order:
        tell(f"lines out of order, which were sorted: {out_of_order}")


def _bar(row: list[str], symbol: str, interval: timedelta) -> Bar:
    if len(row) != len(HEADER):
        raise ValueError(f"expected {len(HEADER)} fields, found {len(row)}")
    start = datetime.fromisoformat(row[0])
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    if interval_start(start, interval) != start:
        raise ValueError(f"{row[0]} is not where a bar of {interval} starts")
    opened, high, low, close, volume = (exact(Decimal(field)) for field in row[1:])
    return Bar(
        symbol=symbol,
        interval=interval,
        start=start,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        trades=None,
    )
