"""Many bars of one market as arrays, for work in which an object a bar would be too slow.

Nothing is rounded: prices and volumes are exact amounts. What could not be a `Bar` cannot be
among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from market.bars import EPOCH, NOTHING, Bar
from sql.amounts import Amounts, amounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MICROSECOND = timedelta(microseconds=1)
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarColumns:
    """Bars of one market and length, in any order.

    All arrays have the same length. `start` counts microseconds from 1970 in UTC (int64).
    `trades` is -1 and `bought_known` False where the source did not tell; `bought` is then 0.
    """

    symbol: str
    interval: timedelta
    start: NDArray[np.int64]
    open: Amounts
    high: Amounts
    low: Amounts
    close: Amounts
    volume: Amounts
    trades: NDArray[np.int64]
    bought: Amounts
    bought_known: NDArray[np.bool_]

    def __post_init__(self) -> None:
        wrong = np.flatnonzero(~self._possible())
        if len(wrong):
            at = EPOCH + int(self.start[wrong[0]]) * MICROSECOND
            raise ValueError(f"{self.symbol} {at}: cannot be a bar of {self.interval}")

    def _possible(self) -> NDArray[np.bool_]:
        inside = (self.low <= self.open) & (self.low <= self.close)
        inside &= (self.open <= self.high) & (self.close <= self.high)
        on_time: NDArray[np.bool_] = self.start % (self.interval // MICROSECOND) == 0
        return inside & self.low.positive() & (self.bought <= self.volume) & on_time

    def __len__(self) -> int:
        return len(self.start)

    @property
    def missing(self) -> int:
        """Count the bars that lie between the first and the last and are not among them."""
        if not len(self):
            return 0
        span = int(self.start.max() - self.start.min())
        return span // (self.interval // MICROSECOND) + 1 - len(np.unique(self.start))

    @property
    def quiet(self) -> int:
        """Count the bars in which nothing traded."""
        return int((~self.volume.positive()).sum())

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> BarColumns:
        """Return those that a mask, positions or a slice choose."""
        return BarColumns(
            symbol=self.symbol,
            interval=self.interval,
            start=self.start[which],
            open=self.open.take(which),
            high=self.high.take(which),
            low=self.low.take(which),
            close=self.close.take(which),
            volume=self.volume.take(which),
            trades=self.trades[which],
            bought=self.bought.take(which),
            bought_known=self.bought_known[which],
        )

    def in_order(self) -> BarColumns:
        """Return them by time; of several with one start the first that was given stays."""
        if (np.diff(self.start) > 0).all():
            return self
        return self.take(np.unique(self.start, return_index=True)[1])


def bars_of(columns: BarColumns) -> Iterator[Bar]:
    """Turn columns into objects, in their order."""
    sides = (columns.open, columns.high, columns.low, columns.close, columns.volume, columns.bought)
    amounts_of_all = zip(*(side.decimals() for side in sides), strict=True)
    known = columns.bought_known.tolist()
    times = zip(columns.start.tolist(), columns.trades.tolist(), known, strict=True)
    for (start, trades, knows), amounts_of_one in zip(times, amounts_of_all, strict=True):
        opened, high, low, close, volume, bought = amounts_of_one
        yield Bar(
            symbol=columns.symbol,
            interval=columns.interval,
            start=EPOCH + start * MICROSECOND,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            trades=None if trades == UNKNOWN else trades,
            bought=bought if knows else None,
        )


def columns_of(bars: Sequence[Bar]) -> Iterator[BarColumns]:
    """Turn the complete ones among the bars into columns, one of each market and length.

    Raises:
        ValueError: An amount has more decimals than can be kept, or is too large.
    """
    markets: dict[tuple[str, timedelta], list[Bar]] = {}
    for bar in bars:
        if bar.complete:
            markets.setdefault((bar.symbol, bar.interval), []).append(bar)
    for (symbol, interval), those in markets.items():
        yield _columns(symbol, interval, those)


def unknown(count: int) -> tuple[NDArray[np.int64], Amounts, NDArray[np.bool_]]:
    """Return trades, bought and bought_known of bars whose source tells neither."""
    nothing = np.zeros(count, dtype=np.int64)
    return nothing + UNKNOWN, Amounts(nothing, nothing), np.zeros(count, dtype=np.bool_)


def _columns(symbol: str, interval: timedelta, bars: list[Bar]) -> BarColumns:
    count = len(bars)
    return BarColumns(
        symbol=symbol,
        interval=interval,
        start=np.fromiter(((bar.start - EPOCH) // MICROSECOND for bar in bars), np.int64, count),
        open=amounts(bar.open for bar in bars),
        high=amounts(bar.high for bar in bars),
        low=amounts(bar.low for bar in bars),
        close=amounts(bar.close for bar in bars),
        volume=amounts(bar.volume for bar in bars),
        trades=np.fromiter(
            (UNKNOWN if bar.trades is None else bar.trades for bar in bars), np.int64, count
        ),
        bought=amounts(bar.bought or NOTHING for bar in bars),
        bought_known=np.fromiter((bar.bought is not None for bar in bars), np.bool_, count),
    )
