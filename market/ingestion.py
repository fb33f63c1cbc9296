"""Fill the holes in the bars on record from the exchange's public history.

Bars are built from the exchange's trades, which tell who came to buy, with the builder the
live trader uses. Only recent bars of a quarter of an hour and more come from the exchange's
own candles, since their trades would take thousands of requests. Every page is committed,
so a run that is cut short is continued by the next, and a run that has nothing to do asks
for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from market import history
from market.bars import Bar, BarBuilder, interval_start, quiet_bars
from market.public_data import CANDLE_MINUTES, CANDLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from sqlalchemy import Engine

    from market.instruments import Trade
    from market.public_data import PublicData

    Range = tuple[datetime, datetime]

SHORTEST_CANDLE = timedelta(minutes=15)
SETTLING = timedelta(seconds=2)  # the exchange's history may lag its trading a little


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What a run found and left behind, for bars from `start` up to `end`."""

    symbol: str
    interval: timedelta
    start: datetime
    end: datetime
    bars: int
    new: int
    requests: int
    gaps: tuple[Range, ...]

    @property
    def reason(self) -> str:
        """Say in a sentence how it went."""
        missing = sum((end - start) // self.interval for start, end in self.gaps)
        holes = f"{missing} missing" if missing else "none missing"
        return f"{self.symbol}: {self.bars} bars on record, {self.new} of them new, {holes}"

    def table(self) -> list[dict[str, str]]:
        """Return the figures, and a line for every hole that is left, for a person to read."""
        figures = {
            "from": str(self.start),
            "to": str(self.end),
            "bars on record": str(self.bars),
            "of them new": str(self.new),
            "requests": str(self.requests),
        }
        rows = [{"what": what, "value": value} for what, value in figures.items()]
        return rows + [{"what": "missing", "value": f"{a} to {b}"} for a, b in self.gaps]


def ingest(
    engine: Engine,
    data: PublicData,
    symbol: str,
    interval: timedelta,
    span: timedelta,
    *,
    until: datetime | None = None,
    progress: Callable[[datetime], None] | None = None,
) -> Ingested:
    """Make the bars of the span before `until` complete, as far as the exchange knows.

    Args:
        engine: Where the record is kept.
        data: The exchange's public history.
        symbol: The market.
        interval: The bars' length.
        span: How far back from the end to go.
        until: The end, at most the exchange's present, which it is if not given.
        progress: Told how far it has come after every page.

    Raises:
        ExchangeUnreachable: The exchange does not answer; run it again later.
        ExchangeRefused: The exchange does not know the market.
        ValueError: The span holds no bar, or the end has no zone.
    """
    if span < interval:
        raise ValueError(f"a span of {span} holds no bar of {interval}")
    if until is not None and until.tzinfo is None:
        raise ValueError(f"the end needs a zone, which {until} has not")
    asked = data.requests
    now = data.now()
    end = interval_start(min(until or now, now - SETTLING), interval)
    start = interval_start(end - span, interval)
    with Session(engine) as session:
        new = 0
        for hole in history.gaps(session, symbol, interval, start, end):
            for bars, source in _fetch(session, data, symbol, interval, hole=hole, now=now):
                new += history.record_bars(session, bars, source)
                session.commit()
                if progress is not None and bars:
                    progress(bars[-1].end)
        left = history.gaps(session, symbol, interval, start, end)
    missing = sum((last - first) // interval for first, last in left)
    return Ingested(
        symbol=symbol,
        interval=interval,
        start=start,
        end=end,
        bars=(end - start) // interval - missing,
        new=new,
        requests=data.requests - asked,
        gaps=tuple(left),
    )


def _fetch(
    session: Session,
    data: PublicData,
    symbol: str,
    interval: timedelta,
    *,
    hole: Range,
    now: datetime,
) -> Iterator[tuple[list[Bar], str]]:
    start, end = hole
    kept_since = _candles_since(interval, now)
    if start < kept_since:
        older = min(end, kept_since)
        close = history.close_before(session, symbol, interval, start)
        builder = BarBuilder(symbol, interval, begin=start, close=close)
        for bars in from_trades(builder, _pages(data, symbol, start, older), older):
            yield bars, "trades"
    if end > kept_since:
        newer = max(start, kept_since)
        close = history.close_before(session, symbol, interval, newer)
        candles = data.candles(symbol, interval, newer)
        yield without_holes(candles, newer, end, close), "candles"


def _candles_since(interval: timedelta, now: datetime) -> datetime:
    short = interval < SHORTEST_CANDLE or bool(interval % timedelta(minutes=1))
    if short or interval // timedelta(minutes=1) not in CANDLE_MINUTES:
        return datetime.max.replace(tzinfo=UTC)
    return interval_start(now, interval) - (CANDLES - 2) * interval


def _pages(data: PublicData, symbol: str, start: datetime, end: datetime) -> Iterator[list[Trade]]:
    cursor, last_id = int(start.timestamp()) * 1_000_000_000 - 1, -1
    while True:
        trades, following = data.trades(symbol, cursor)
        found = bool(trades) and trades[-1].trade_id > last_id
        if found:
            yield trades
            last_id = trades[-1].trade_id
        if not trades or trades[-1].at >= end or (following <= cursor and not found):
            return
        # Trades of one instant may be split between two pages: go back by the smallest
        # step, since the builder takes every id once, unless that brought nothing new.
        cursor = following - 1 if found else following


def from_trades(
    builder: BarBuilder, pages: Iterator[list[Trade]], end: datetime
) -> Iterator[list[Bar]]:
    """Build bars page by page from every trade up to the end; the last page closes it."""
    for trades in pages:
        yield [bar for one in trades if one.at < end for bar in builder.add(one)]
    yield builder.advance(end)


def without_holes(
    candles: list[Bar], start: datetime, end: datetime, close: Decimal | None
) -> list[Bar]:
    """Return the bars from start up to end, with the quiet ones that the source left out.

    Args:
        candles: Bars in order; those outside are ignored.
        start: The first bar's start.
        end: The end of the last bar.
        close: The price before the start, if known; without it, bars begin with the
            first candle.
    """
    bars: list[Bar] = []
    expected = start
    for candle in candles:
        if candle.start < expected or candle.end > end:
            continue
        if close is not None:
            bars += quiet_bars(candle.symbol, candle.interval, expected, candle.start, close)
        bars.append(candle)
        expected, close = candle.end, candle.close
    if bars and close is not None:
        bars += quiet_bars(bars[0].symbol, bars[0].interval, expected, end, close)
    return bars
