"""The bars on record: write them once, read them back, know which are missing.

Functions take the caller's session and never commit. Whatever is written twice counts
once; a bar on record is not changed by a later one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Double, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from market.bars import EPOCH, Bar, interval_start
from market.instruments import neighbours
from sql import months
from sql.tables import OutcomeRow, PriceBarRow
from sql.trip import Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta
    from decimal import Decimal

    import pandas as pd
    from sqlalchemy import Engine, ScalarSelect, Select
    from sqlalchemy.orm import Session

    from market.instruments import Beside

LIVE = "live"  # the source of a bar that the trader saw itself
COLUMNS = ("open", "high", "low", "close", "volume", "bought", "trades")
BAR = """
    INSERT INTO market.price_bars (symbol, interval_seconds, start, open, high, low, close, volume,
                                   trades, bought, source)
    VALUES (:symbol, :interval_seconds, :start, :open, :high, :low, :close, :volume,
            :trades, :bought, :source)
    ON CONFLICT DO NOTHING
"""


def read_bars(
    engine: Engine,
    symbol: str,
    interval: timedelta,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pd.DataFrame:
    """Read the bars that start from `start` on and before `end`, for training.

    Returns:
        Float columns open, high, low, close, volume, bought and trades, and peer and
        leader: the closes of the neighbours' bars before (market.NEIGHBOURS). NaN where
        something is not known. Index `start` (UTC), ascending.
    """
    import pandas as pd  # noqa: PLC0415 - the live trader never loads it

    columns = [*(getattr(PriceBarRow, name) for name in COLUMNS), *_beside(symbol, interval)]
    query = _bars(symbol, interval, PriceBarRow.start, *(cast(c, Double) for c in columns))
    if start is not None:
        query = query.where(PriceBarRow.start >= start)
    if end is not None:
        query = query.where(PriceBarRow.start < end)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(PriceBarRow.start)).all()
    index = pd.DatetimeIndex([row[0] for row in rows], name="start", tz="UTC")
    values: list[tuple[object, ...]] = [tuple(row[1:]) for row in rows]
    return pd.DataFrame(values, index=index, columns=[*COLUMNS, "peer", "leader"], dtype="float64")


def record_bars(session: Session, bars: Iterable[Bar], source: str) -> int:
    """Write down the complete ones among the bars; those on record stay as they are.

    Returns:
        How many were new.
    """
    kept = [bar for bar in bars if bar.complete]
    rows = [_row(bar, source) for bar in kept]
    if not rows:
        return 0
    months.ensure(session, "price_bars", (bar.start for bar in kept))
    statement = insert(PriceBarRow).on_conflict_do_nothing().returning(PriceBarRow.start)
    return len(session.execute(statement, rows).all())


def recording(bar: Bar) -> list[Statement]:
    """Write down a complete bar that we saw, as `record_bars` does, in a trip with others."""
    return [months.ensuring("price_bars", bar.start), Statement(BAR, _row(bar, LIVE))]


def withdraw(session: Session, symbol: str, interval: timedelta, at: datetime) -> None:
    """Take our own bars off the record from the one that holds the moment on.

    A trade was missing when they closed; the exchange's history gives them as they were.
    """
    session.execute(
        delete(PriceBarRow).where(
            PriceBarRow.symbol == symbol,
            PriceBarRow.interval_seconds == interval.total_seconds(),
            PriceBarRow.start >= interval_start(at, interval),
            PriceBarRow.source == LIVE,
        )
    )


def last_bars(
    session: Session, symbol: str, interval: timedelta, count: int
) -> list[tuple[Bar, Beside]]:
    """Return the newest bars on record and what was beside them, oldest first, holes and all."""
    query = _bars(symbol, interval, PriceBarRow, *_beside(symbol, interval))
    found = session.execute(query.order_by(PriceBarRow.start.desc()).limit(count)).all()
    return [(_bar(row, symbol, interval), (peer, leader)) for row, peer, leader in reversed(found)]


def _bar(row: PriceBarRow, symbol: str, interval: timedelta) -> Bar:
    return Bar(
        symbol=symbol,
        interval=interval,
        start=row.start,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        trades=row.trades,
        bought=row.bought,
    )


def close_before(
    session: Session, symbol: str, interval: timedelta, start: datetime
) -> Decimal | None:
    """Return the close of the bar that ends where this one starts, if it is on record."""
    key = (symbol, int(interval.total_seconds()), start - interval)
    before = session.get(PriceBarRow, key)
    return None if before is None else before.close


def closes_beside(session: Session, symbol: str, interval: timedelta, start: datetime) -> Beside:
    """Return the neighbours' closes of the bar before the one that starts here."""
    peer, leader = neighbours(symbol)
    query = select(PriceBarRow.symbol, PriceBarRow.close).where(
        PriceBarRow.symbol.in_((peer, leader)),
        PriceBarRow.interval_seconds == int(interval.total_seconds()),
        PriceBarRow.start == start - interval,
    )
    closes = dict(session.execute(query).tuples().all())
    return closes.get(peer), closes.get(leader)


def gaps(
    session: Session, symbol: str, interval: timedelta, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the ranges, each from its start up to its end, that hold no bar.

    Only whole intervals between start and end are looked at.
    """
    expected = start + (EPOCH - start) % interval
    end = interval_start(end, interval)
    query = _bars(symbol, interval, PriceBarRow.start).where(
        PriceBarRow.start >= expected, PriceBarRow.start < end
    )
    missing = []
    for known in [*session.scalars(query.order_by(PriceBarRow.start)), end]:
        if known > expected:
            missing.append((expected, known))
        expected = known + interval
    return missing


def settle_outcomes(
    session: Session, symbol: str, interval: timedelta, horizon_bars: int, now: datetime
) -> int:
    """Write down the return of every bar whose horizon has passed and is on record.

    The return runs from a bar's close to that of the bar exactly `horizon_bars` later;
    if that one is missing there is no outcome.

    Returns:
        How many were new.
    """
    settled = select(OutcomeRow.bar_start).where(
        OutcomeRow.symbol == symbol,
        OutcomeRow.interval_seconds == interval.total_seconds(),
        OutcomeRow.horizon_bars == horizon_bars,
    )
    due = now - (horizon_bars + 1) * interval
    ended = _bars(symbol, interval, PriceBarRow.start).where(PriceBarRow.start <= due)
    unsettled = ended.except_(settled).cte("unsettled")
    bar, later = aliased(PriceBarRow), aliased(PriceBarRow)
    outcomes = (
        select(
            bar.symbol,
            bar.interval_seconds,
            bar.start,
            literal(horizon_bars),
            cast(later.close / bar.close - 1, Double),
        )
        .join(unsettled, unsettled.c.start == bar.start)
        .join(later, later.start == bar.start + horizon_bars * interval)
        .where(
            bar.symbol == symbol,
            bar.interval_seconds == interval.total_seconds(),
            later.symbol == symbol,
            later.interval_seconds == interval.total_seconds(),
        )
    )
    columns = ["symbol", "interval_seconds", "bar_start", "horizon_bars", "forward_return"]
    statement = insert(OutcomeRow).from_select(columns, outcomes).on_conflict_do_nothing()
    written = statement.returning(OutcomeRow.bar_start).cte()
    return session.scalar(select(func.count()).select_from(written)) or 0


def _bars(symbol: str, interval: timedelta, *columns: object) -> Select[tuple[object, ...]]:
    return select(*columns).where(  # type: ignore[call-overload, no-any-return] # select() is typed for ten columns
        PriceBarRow.symbol == symbol,
        PriceBarRow.interval_seconds == interval.total_seconds(),
    )


def _beside(symbol: str, interval: timedelta) -> Iterator[ScalarSelect[Decimal]]:
    for other in neighbours(symbol):
        beside = aliased(PriceBarRow)
        yield (
            select(beside.close)
            .where(
                beside.symbol == other,
                beside.interval_seconds == interval.total_seconds(),
                beside.start == PriceBarRow.start - interval,
            )
            .scalar_subquery()
        )


def _row(bar: Bar, source: str) -> dict[str, object]:
    return {
        "symbol": bar.symbol,
        "interval_seconds": int(bar.interval.total_seconds()),
        "start": bar.start,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "trades": bar.trades,
        "bought": bar.bought,
        "source": source,
    }
