"""Bars from trades, closed by the exchange's time.

A bar closes when its interval is over, not when the next one begins. Nothing here
reads a clock: the time comes with the trades, or from the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from market.instruments import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.instruments import Trade

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What traded in one interval; `start` is the first instant it covers.

    A bar that is not complete misses trades: show it, but neither store nor trade it.
    `trades` is None where the source does not count them, and `bought`, the volume of those
    who came to buy, where it does not tell who came.
    """

    symbol: str
    interval: timedelta
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int | None
    bought: Decimal | None = None
    complete: bool = True

    def __post_init__(self) -> None:
        if not all(x.is_finite() for x in (self.open, self.high, self.low, self.close)):
            raise ValueError(f"{self.symbol} {self.start}: a price is not a number")
        inside = 0 < self.low <= min(self.open, self.close) <= max(self.open, self.close)
        if not (inside and max(self.open, self.close) <= self.high):
            raise ValueError(
                f"{self.symbol} {self.start}: open {self.open}, high {self.high}, "
                f"low {self.low}, close {self.close} cannot be one bar"
            )
        if not (self.volume.is_finite() and self.volume >= 0):
            raise ValueError(f"{self.symbol} {self.start}: a volume of {self.volume}")
        if self.bought is not None and not 0 <= self.bought <= self.volume:
            raise ValueError(f"{self.symbol} {self.start}: {self.bought} of {self.volume} bought")

    @property
    def end(self) -> datetime:
        """Return the first instant after the bar."""
        return self.start + self.interval


def interval_start(at: datetime, interval: timedelta) -> datetime:
    """Return the start of the interval that holds the moment, counted from 1970 in UTC."""
    return at - (at - EPOCH) % interval


def quiet_bars(
    symbol: str, interval: timedelta, start: datetime, end: datetime, close: Decimal
) -> Iterator[Bar]:
    """Yield a flat bar for every interval in which nothing traded, from start up to end."""
    while start < end:
        yield Bar(
            symbol=symbol,
            interval=interval,
            start=start,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=NOTHING,
            trades=0,
            bought=NOTHING,
        )
        start += interval


@dataclass(slots=True)
class BarBuilder:
    """Build one symbol's bars from its trades in order of their ids.

    Without `begin` the first bar is incomplete, since trading may have gone on before
    the first trade seen. With it every trade from then on is promised, and `close` is
    the price that quiet intervals before the first trade repeat.

    A gap in the ids makes every bar that may hold a missing trade incomplete. A trade
    already seen is ignored; one whose bar has closed is counted in `late`, not merged.
    """

    symbol: str
    interval: timedelta
    begin: datetime | None = None
    close: Decimal | None = None
    last_trade_id: int | None = None
    late: int = field(default=0, init=False)
    _start: datetime | None = field(default=None, init=False)
    _end: datetime = field(default=EPOCH, init=False)
    _complete: bool = field(default=False, init=False)
    _trades: int = field(default=0, init=False)
    _open: Decimal = field(default=NOTHING, init=False)
    _high: Decimal = field(default=NOTHING, init=False)
    _low: Decimal = field(default=NOTHING, init=False)
    _volume: Decimal = field(default=NOTHING, init=False)
    _bought: Decimal = field(default=NOTHING, init=False)

    def __post_init__(self) -> None:
        if self.begin is not None:
            if interval_start(self.begin, self.interval) != self.begin:
                raise ValueError(f"{self.begin} is not where a bar of {self.interval} starts")
            self._reset(self.begin, complete=True)

    @property
    def complete(self) -> bool:
        """Whether every trade of the bar now open has been seen."""
        return self._start is not None and self._complete

    def add(self, trade: Trade) -> list[Bar]:
        """Take the next trade and return the bars that ended before it."""
        known = self.last_trade_id
        if known is not None and trade.trade_id <= known:
            return []
        self.last_trade_id = trade.trade_id
        gap = known is not None and trade.trade_id != known + 1
        if gap:
            self._complete = False
        if self._start is None:
            self._reset(interval_start(trade.at, self.interval), complete=False)
        elif trade.at < self._start:
            self.late += 1
            return []
        closed = self._close_until(trade.at) if trade.at >= self._end else []
        if gap:
            closed = [replace(bar, complete=False) for bar in closed]
            self._complete = False
        self._merge(trade.price, trade.quantity)
        if trade.side is Side.BUY:
            self._bought += trade.quantity
        return closed

    def advance(self, now: datetime) -> list[Bar]:
        """Return the bars that have ended by now, in the exchange's time."""
        if self._start is None or now < self._end:
            return []
        return self._close_until(now)

    def _merge(self, price: Decimal, quantity: Decimal) -> None:
        if self._trades == 0:
            self._open = self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self.close = price
        self._volume += quantity
        self._trades += 1

    def _close_until(self, now: datetime) -> list[Bar]:
        assert self._start is not None
        following = interval_start(now, self.interval)
        closed = [self._bar()] if self._trades else []
        if self.close is not None:
            after = self._end if self._trades else self._start
            closed.extend(quiet_bars(self.symbol, self.interval, after, following, self.close))
        if closed and not self._complete:
            closed[0] = replace(closed[0], complete=False)
        self._reset(following, complete=True)
        return closed

    def _bar(self) -> Bar:
        assert self._start is not None
        assert self.close is not None
        return Bar(
            symbol=self.symbol,
            interval=self.interval,
            start=self._start,
            open=self._open,
            high=self._high,
            low=self._low,
            close=self.close,
            volume=self._volume,
            trades=self._trades,
            bought=self._bought,
        )

    def _reset(self, start: datetime, *, complete: bool) -> None:
        self._start, self._end = start, start + self.interval
        self._complete = complete
        self._trades, self._volume, self._bought = 0, NOTHING, NOTHING


def resample(
    trades: Iterable[Trade],
    symbol: str,
    interval: timedelta,
    begin: datetime,
    end: datetime,
    *,
    close: Decimal | None = None,
) -> list[Bar]:
    """Return the complete bars from begin up to end, given every trade between them.

    Bars before the first trade exist only if the close before `begin` is given.
    """
    builder = BarBuilder(symbol, interval, begin=begin, close=close)
    bars = [bar for trade in trades if trade.at < end for bar in builder.add(trade)]
    bars += builder.advance(end)
    return [bar for bar in bars if bar.complete]
