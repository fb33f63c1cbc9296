"""Bars from a CSV file, all of them or none."""

from __future__ import annotations

import csv
import gzip
import zlib
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TextIO

from market.bars import Bar, interval_start
from market.errors import FileRefused

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

HEADER = ["datetime", "open", "high", "low", "close", "volume"]


def read_csv(path: Path, symbol: str, interval: timedelta) -> list[Bar]:
    """Read every bar of a file, plain or gzipped; times without a zone are UTC.

    Raises:
        FileRefused: The file cannot be read, or a line is not a bar; the message has
            its number.
    """
    try:
        with _open(path) as file:
            return _bars(file, path, symbol, interval)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise FileRefused(f"cannot read {path}: {error}") from None


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _bars(file: TextIO, path: Path, symbol: str, interval: timedelta) -> list[Bar]:
    lines = csv.reader(file)
    header = next(lines, [])
    if header != HEADER:
        raise FileRefused(
            f"{path}: expected the header {','.join(HEADER)}, found {','.join(header) or 'nothing'}"
        )
    bars: dict[datetime, Bar] = {}
    for row in lines:
        try:
            bar = _bar(row, symbol, interval)
        except (ValueError, InvalidOperation) as error:
            reason = "a number cannot be read" if isinstance(error, InvalidOperation) else error
            raise FileRefused(f"{path}, line {lines.line_num}: {reason}") from None
        if bar.start in bars:
            raise FileRefused(f"{path}, line {lines.line_num}: a second bar of {bar.start}")
        bars[bar.start] = bar
    if not bars:
        raise FileRefused(f"{path} holds no bars")
    return [bars[start] for start in sorted(bars)]


def _bar(row: list[str], symbol: str, interval: timedelta) -> Bar:
    if len(row) != len(HEADER):
        raise ValueError(f"expected {len(HEADER)} fields, found {len(row)}")
    start = datetime.fromisoformat(row[0])
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    if interval_start(start, interval) != start:
        raise ValueError(f"{row[0]} is not where a bar of {interval} starts")
    opened, high, low, close, volume = map(Decimal, row[1:])
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
