"""The bars on record, looked at one by one, and against the markets beside them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Double, cast, func, select

from market.bars import EPOCH, interval_start
from market.instruments import neighbours
from market.quality import Candle, Finding, Inspection, Kind
from market.zones import FARTHEST, Shift, agreed, shifts, together
from sql.tables import PriceBarRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    Closes = tuple[list[datetime], list[float]]

STRETCH = timedelta(days=32)  # in memory at a time; whole windows of every interval
ROWS = 10_000


def inspect(
    session: Session,
    symbol: str,
    interval: timedelta,
    start: datetime,
    end: datetime,
    *,
    keep: int,
) -> Inspection:
    """Look at the bars that start from `start` on and before `end`.

    Args:
        session: The caller's; nothing is written.
        symbol: The market.
        interval: The bars' length.
        start: Where the first bar should start.
        end: Where the last bar should end.
        keep: How many findings of a kind to tell one by one.
    """
    start, end = interval_start(start, interval), interval_start(end, interval)
    inspection = Inspection(interval, start, keep)
    found = []
    for stretch in _stretches(_candles(session, symbol, interval, start, end)):
        good = [candle for candle in stretch if inspection.look(candle)]
        found += _shifted(session, symbol, interval, good)
    inspection.close(end)
    for shift in together(found):
        inspection.note(_finding(shift, symbol, interval))
    return inspection


def sources(
    session: Session, symbol: str, interval: timedelta, start: datetime, end: datetime
) -> dict[str, int]:
    """Return how many of the bars are from where, the most first."""
    count = func.count()
    query = _within(select(PriceBarRow.source, count), symbol, interval, start, end)
    grouped = query.group_by(PriceBarRow.source).order_by(count.desc(), PriceBarRow.source)
    return {row[0]: row[1] for row in session.execute(grouped)}


def _candles(
    session: Session, symbol: str, interval: timedelta, start: datetime, end: datetime
) -> Iterator[Candle]:
    names = ("start", "open", "high", "low", "close", "volume")
    query = select(*(getattr(PriceBarRow, name) for name in names))
    query = _within(query, symbol, interval, start, end).order_by(PriceBarRow.start)
    for row in session.execute(query.execution_options(yield_per=ROWS)):
        yield Candle(*row)


def _stretches(candles: Iterator[Candle]) -> Iterator[list[Candle]]:
    stretch: list[Candle] = []
    number = None
    for candle in candles:
        if (candle.start - EPOCH) // STRETCH != number:
            if stretch:
                yield stretch
            stretch, number = [], (candle.start - EPOCH) // STRETCH
        stretch.append(candle)
    if stretch:
        yield stretch


def _shifted(session: Session, symbol: str, interval: timedelta, good: list[Candle]) -> list[Shift]:
    if not good:
        return []
    starts, closes = [one.start for one in good], [float(one.close) for one in good]
    verdicts = []
    for other in neighbours(symbol):
        margin = timedelta(hours=FARTHEST)
        beside = _closes(session, other, interval, starts[0] - margin, starts[-1] + margin)
        if beside[0]:
            verdicts.append(shifts(starts, closes, beside, interval))
    return agreed(verdicts)


def _closes(
    session: Session, symbol: str, interval: timedelta, start: datetime, end: datetime
) -> Closes:
    query = select(PriceBarRow.start, cast(PriceBarRow.close, Double))
    rows = session.execute(
        _within(query, symbol, interval, start, end).order_by(PriceBarRow.start)
    ).all()
    return [row[0] for row in rows], [row[1] for row in rows]


def _finding(shift: Shift, symbol: str, interval: timedelta) -> Finding:
    way = "later" if shift.hours > 0 else "earlier"
    why = (
        f"moves match those that {' and '.join(neighbours(symbol))} made {abs(shift.hours)} hours "
        f"{way} (correlation {shift.correlation:.2f}, {shift.unshifted:.2f} at the same time)"
    )
    bars = (shift.end - shift.start) // interval
    return Finding(kind=Kind.WRONG_ZONE, why=why, start=shift.start, end=shift.end, bars=bars)


def _within(
    query: Select[Any], symbol: str, interval: timedelta, start: datetime, end: datetime
) -> Select[Any]:
    return query.where(
        PriceBarRow.symbol == symbol,
        PriceBarRow.interval_seconds == int(interval.total_seconds()),
        PriceBarRow.start >= start,
        PriceBarRow.start < end,
    )
