"""Many bars onto the record at once, by COPY: each counts once, and what is there stays.

Bars are written in chunks, each in a transaction of its own that also finds out which of
them are new. So an import may be killed at any instant: the next one writes what is missing.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg2 import OperationalError, errors
from sqlalchemy import text
from sqlalchemy.orm import Session

from market.bar_columns import MICROSECOND, columns_of
from market.bars import EPOCH
from sql import months
from sql.binary_copy import Integers, Nothing, Text, Times, decode_times, encode
from sql.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from market.bar_columns import BarColumns
    from market.bars import Bar

    Progress = Callable[[int], None]

CHUNK = 50_000  # bars: about a month of minutes, and a quarter of a second
ATTEMPTS = 10
READ = 1 << 18
COLUMNS = "symbol, interval_seconds, start, open, high, low, close, volume, trades, bought, source"
WRITE = f"COPY market.price_bars ({COLUMNS}) FROM STDIN (FORMAT binary)"
ON_RECORD = (
    "COPY (SELECT start FROM market.price_bars WHERE symbol = %s AND interval_seconds = %s"
    " AND start BETWEEN %s AND %s) TO STDOUT (FORMAT binary)"
)
# One import at a time writes a market, so that two do not wait for each other's rows in turn.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('market copy'), hashtext(:market))"


def copy_bars(
    engine: Engine, bars: Iterable[Bar], source: str, progress: Progress | None = None
) -> int:
    """Write down the complete ones among the bars, of any markets, that are not on record.

    Args:
        engine: Where the record is kept.
        bars: Taken as they come, a chunk at a time; they need no order.
        source: Where the bars are from, kept with each.
        progress: Told after every commit how many bars have been dealt with.

    Returns:
        How many were new.

    Raises:
        ValueError: An amount has more decimals than can be kept, or is too large.
        DatabaseUnreachable: The connection was lost; what was told as progress is on record.
    """
    return copy_columns(engine, _parts(iter(bars)), source, progress)


def copy_columns(
    engine: Engine, parts: Iterable[BarColumns], source: str, progress: Progress | None = None
) -> int:
    """Write down the bars that are not on record, from arrays; otherwise as `copy_bars`."""
    done = new = 0
    for part in parts:
        ordered = part.in_order()
        for first in range(0, len(ordered), CHUNK):
            chunk = ordered.take(slice(first, first + CHUNK))
            new += _write(engine, chunk, source)
            if progress is not None:
                progress(done + first + len(chunk))
        done += len(part)
    return new


def _parts(bars: Iterator[Bar]) -> Iterator[BarColumns]:
    while chunk := list(islice(bars, CHUNK)):
        yield from columns_of(chunk)


def _write(engine: Engine, chunk: BarColumns, source: str) -> int:
    """Write what is new of a chunk; again, if somebody wrote one of its bars at the same time."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _try(engine, chunk, source)
        except (errors.UniqueViolation, errors.DeadlockDetected):
            continue
    return _try(engine, chunk, source)


def _try(engine: Engine, chunk: BarColumns, source: str) -> int:
    with Session(engine) as session, session.begin():
        months.ensure(session, "price_bars", _months(chunk.start))
        market = f"{chunk.symbol} {chunk.interval}"
        session.execute(text(LOCK), {"market": market})
        raw: Any = session.connection().connection
        try:
            with raw.cursor() as cursor:
                fresh = chunk.take(~np.isin(chunk.start, _on_record(cursor, chunk)))
                for block in _blocks(fresh, source):
                    cursor.copy_expert(WRITE, BytesIO(block), READ)
        except OperationalError as error:
            if isinstance(error, errors.DeadlockDetected):
                raise
            raise DatabaseUnreachable(f"PostgreSQL was lost amid an import: {error}") from None
    return len(fresh)


def _months(start: NDArray[np.int64]) -> list[datetime]:
    days = np.unique(start.astype("datetime64[us]").astype("datetime64[M]"))
    return [EPOCH + int(day) * MICROSECOND for day in days.astype("datetime64[us]").astype(int)]


def _on_record(cursor: Any, chunk: BarColumns) -> NDArray[np.int64]:
    first, last = (EPOCH + int(at) * MICROSECOND for at in chunk.start[[0, -1]])
    seconds = int(chunk.interval.total_seconds())
    query = cursor.mogrify(ON_RECORD, (chunk.symbol, seconds, first, last)).decode()
    found = BytesIO()
    cursor.copy_expert(query, found)
    return decode_times(found.getvalue())


def _blocks(bars: BarColumns, source: str) -> Iterator[bytes]:
    """Yield the bars in COPY's format, those with the same things unknown together."""
    counted = bars.trades >= 0
    for trades in (True, False):
        for bought in (True, False):
            which = (counted == trades) & (bars.bought_known == bought)
            if which.any():
                yield _block(bars if which.all() else bars.take(which), source)


def _block(bars: BarColumns, source: str) -> bytes:
    count = len(bars)
    seconds = np.full(count, int(bars.interval.total_seconds()))
    return encode(
        [
            Text(bars.symbol),
            Integers(seconds),
            Times(bars.start),
            bars.open,
            bars.high,
            bars.low,
            bars.close,
            bars.volume,
            Integers(bars.trades) if bars.trades[0] >= 0 else Nothing(),
            bars.bought if bars.bought_known[0] else Nothing(),
            Text(source),
        ],
        count,
    )
