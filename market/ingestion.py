"""Fill the holes in the bars on record from a source that knows what was in them.

Every page is committed, so a run that is cut short is continued by the next, and a run
that has nothing to do asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from market import history, sources
from market.bars import interval_start
from market.kraken_history import SETTLING
from market.providers import Wanted, joined

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine

    from market.providers import Provider, Range
    from market.sources import Data

AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What a run found and left behind, for bars from `start` up to `end`."""

    symbol: str
    interval: timedelta
    start: datetime
    end: datetime
    bars: int
    new: int
    gaps: tuple[Range, ...]
    requests: int = 0

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


def fill(
    engine: Engine,
    provider: Provider,
    wanted: Wanted,
    *,
    distance: timedelta = AT_ONCE,
    progress: Callable[[datetime], None] | None = None,
) -> Ingested:
    """Ask a provider for those of the bars wanted that are not on record.

    Args:
        engine: Where the record is kept.
        provider: Who knows the bars.
        wanted: The market and the range, of which only whole intervals count.
        distance: Holes no farther apart than this are asked for at once.
        progress: Told how far it has come after every page.

    Raises:
        ExchangeUnreachable: The source does not answer; run it again later.
        ExchangeRefused: The source does not know the market, or refuses the key.
        ValueError: The range holds no bar.
    """
    symbol, interval = wanted.symbol, wanted.interval
    start, end = interval_start(wanted.start, interval), interval_start(wanted.end, interval)
    if start >= end:
        raise ValueError(f"no bar of {interval} lies between {start} and {end}")
    with Session(engine) as session:
        new = 0
        for first, last in joined(history.gaps(session, symbol, interval, start, end), distance):
            close = history.close_before(session, symbol, interval, first)
            session.rollback()  # nothing stays open while the source is waited for
            for page in provider(replace(wanted, start=first, end=last, close=close)):
                new += history.record_bars(session, page.bars, page.source)
                session.commit()
                if progress is not None and page.bars:
                    progress(page.bars[-1].end)
        left = history.gaps(session, symbol, interval, start, end)
    missing = sum((last - first) // interval for first, last in left)
    return Ingested(
        symbol=symbol,
        interval=interval,
        start=start,
        end=end,
        bars=(end - start) // interval - missing,
        new=new,
        gaps=tuple(left),
    )


def complete(
    engine: Engine,
    data: Data,
    wanted: Wanted,
    now: datetime,
    *,
    progress: Callable[[datetime], None] | None = None,
) -> Ingested:
    """Fill the holes in the range wanted by asking a source.

    Raises:
        ExchangeUnreachable: The source does not answer; run it again later.
        ExchangeRefused: The source does not know the market, or refuses the key.
        OtherHouse: The bars on record are of another house's market.
        ValueError: The range holds no bar, or the source has no such bars.
    """
    source = sources.provider(data, now, wanted.interval)
    with Session(engine) as session:
        sources.check_house(session, data, wanted.symbol, wanted.interval)
    distance = sources.distance(data, wanted.interval)
    return fill(engine, source, wanted, distance=distance, progress=progress)


def ingest(
    engine: Engine,
    data: Data,
    symbol: str,
    interval: timedelta,
    span: timedelta,
    *,
    until: datetime | None = None,
    progress: Callable[[datetime], None] | None = None,
) -> Ingested:
    """Make the bars of the span before `until` complete, as far as the source knows.

    Args:
        engine: Where the record is kept.
        data: Whom to ask.
        symbol: The market.
        interval: The bars' length.
        span: How far back from the end to go.
        until: The end, at most the source's present, which it is if not given.
        progress: Told how far it has come after every page.

    Raises:
        ExchangeUnreachable: The source does not answer; run it again later.
        ExchangeRefused: The source does not know the market, or refuses the key.
        OtherHouse: The bars on record are of another house's market.
        ValueError: The span holds no bar, the end has no zone, or the source has no such bars.
    """
    if span < interval:
        raise ValueError(f"a span of {span} holds no bar of {interval}")
    if until is not None and until.tzinfo is None:
        raise ValueError(f"the end needs a zone, which {until} has not")
    asked = data.requests
    now = data.now()
    end = ended(now, until, interval)
    wanted = Wanted(symbol=symbol, interval=interval, start=end - span, end=end)
    outcome = complete(engine, data, wanted, now, progress=progress)
    return replace(outcome, requests=data.requests - asked)


def ended(now: datetime, until: datetime | None, interval: timedelta) -> datetime:
    """Return the end of the last bar that is over and settled, and ends by `until`."""
    return interval_start(min(until or now, now - SETTLING), interval)
