"""The one shape of every source of bars, and what the sources share.

A provider is asked for the bars of a market between two moments and yields pages of them,
oldest first. It yields only what it knows: an interval of which it knows that nothing
traded is a flat bar, any other is left out. It keeps nothing between two calls, so what
was cut short is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from market.bars import EPOCH, Bar, quiet_bars

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

    from market.bars import BarBuilder
    from market.instruments import Trade

Range = tuple[datetime, datetime]
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The bars that start from `start` on and end by `end`.

    `close` is the price before the start, if it is known: quiet bars repeat it.
    """

    symbol: str
    interval: timedelta
    start: datetime = EPOCH
    end: datetime = FOREVER
    close: Decimal | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a range needs a zone, which {self.start} to {self.end} has not")


class Page(NamedTuple):
    """Some bars in order, and the word for where they are from that goes on record."""

    bars: list[Bar]
    source: str


Provider = Callable[[Wanted], Iterator[Page]]


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


def joined(holes: list[Range], distance: timedelta) -> list[Range]:
    """Merge the ranges that lie no farther apart than a distance, to ask for them at once.

    Args:
        holes: Ranges in order that do not overlap.
        distance: The longest stretch between two of them that is worth asking for again.
    """
    merged: list[Range] = []
    for start, end in holes:
        if merged and start - merged[-1][1] <= distance:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged
