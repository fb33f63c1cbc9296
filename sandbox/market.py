"""What the exchange asks of its prices, wherever they come from.

A market made up from a seed, a file of candles, a recorded log and a mirror of another
exchange all answer the same questions. Prices are ticks, quantities lots, times ns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sandbox.candles import Candle
    from sandbox.instruments import Pair

HOUR_NS = 3_600_000_000_000
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Quote = tuple[int, int, int]


@dataclass(frozen=True)
class Prints:
    """Trades in the order they happened: time in ns, price in ticks, quantity in lots."""

    time: Ints
    price: Ints
    quantity: Ints
    bought: Flags
    market: Flags
    identity: Ints


@dataclass(frozen=True)
class Levels:
    """One side of the book from the touch outward, each level with the stamp of its order.

    The stamp changes when the order at a price is replaced by another. Where a side was asked
    for at many moments at once, each moment is a row.
    """

    price: Ints
    quantity: Ints
    stamp: Ints


@dataclass(frozen=True)
class Stretch:
    """What a market did in an interval, in the order in which the exchange learned of it.

    `time`, `bid` and `ask` are the quotes. The trades' times are those at which they reach
    the exchange's orders.
    """

    time: Ints
    bid: Ints
    ask: Ints
    prints: Prints


@dataclass
class Given:
    """Statistics that a market was told and does not compute.

    They are of the last 24 hours, of the day that began at midnight, and candles by interval
    in minutes and by their beginning.
    """

    day: Candle | None = None
    today: Candle | None = None
    candles: dict[int, dict[int, Candle]] = field(default_factory=dict)


class Market(Protocol):
    """Where the prices of all pairs come from."""

    @property
    def seed(self) -> int:
        """What everything that has to be made up is drawn from."""

    @property
    def listed(self) -> int:
        """The moment before which there is nothing."""

    @property
    def begins(self) -> int | None:
        """Where a new clock is best set to, or nothing if any time will do."""

    def foreign(self, pair: Pair) -> bool:
        """Tell whether book and trades are somebody else's, where clients leave no print."""

    def reach(self, now: int) -> None:
        """Let happen what is due by now."""

    def first_identity(self, pair: Pair, hour: int) -> int:
        """Give the trade id of the first trade of an hour."""

    def prints(self, pair: Pair, hour: int) -> Prints:
        """Give the trades of one hour, counted from 1970."""

    def settled(self, pair: Pair, now: int) -> int:
        """Give the moment up to which no more trades will turn up."""

    def stretch(self, pair: Pair, after: int, until: int) -> Stretch:
        """Give what happened later than one moment and not later than another."""

    def moments(self, pair: Pair, after: int, until: int) -> Ints:
        """Give the moments at which the book changes, later than one and up to another."""

    def touch(self, pair: Pair, time: int) -> tuple[int, int]:
        """Give the best bid and ask at a moment."""

    def side(self, pair: Pair, time: int, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at a moment, best first."""

    def sides(self, pair: Pair, times: Ints, depth: int, *, asks: bool) -> Levels:
        """Give one side of the book at many moments, a row for each, filled up with 0 lots."""

    def quotes(self, pair: Pair, until: int, count: int) -> list[Quote]:
        """Give the last times, best bids and best asks, oldest first."""

    def given(self, pair: Pair) -> Given | None:
        """Give the statistics the market was told, if it was."""


def part(prints: Prints, low: int, high: int) -> Prints:
    """Cut a run of trades out of another."""
    cut = slice(low, high)
    return Prints(
        prints.time[cut],
        prints.price[cut],
        prints.quantity[cut],
        prints.bought[cut],
        prints.market[cut],
        prints.identity[cut],
    )


def join(pieces: list[Prints]) -> Prints:
    """Put runs of trades one after another."""
    if len(pieces) == 1:
        return pieces[0]
    none = np.empty(0, np.int64)
    if not pieces:
        return Prints(none, none, none, none.astype(bool), none.astype(bool), none)
    return Prints(
        np.concatenate([p.time for p in pieces]),
        np.concatenate([p.price for p in pieces]),
        np.concatenate([p.quantity for p in pieces]),
        np.concatenate([p.bought for p in pieces]),
        np.concatenate([p.market for p in pieces]),
        np.concatenate([p.identity for p in pieces]),
    )
