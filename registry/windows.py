"""Which bars a retraining learns from, and the round trip it must beat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from registry.errors import TrainingRefused

if TYPE_CHECKING:
    from datetime import datetime

# What crossing the spread twice is taken to cost, until it is measured from the book.
SPREAD_ALLOWANCE = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The bars a retraining learns from, and the round trip it must beat."""

    symbol: str
    interval: timedelta
    start: datetime
    end: datetime
    cost: float


def window_of(
    symbol: str, interval_seconds: int, days: int, end: datetime | None, cost: float
) -> Window:
    """Return the window that ends where the record does.

    Raises:
        TrainingRefused: There is no bar on record.
    """
    if end is None:
        raise TrainingRefused(
            f"no bars of {symbol} with {interval_seconds} s are on record; run friday ingest first"
        )
    return Window(
        symbol=symbol,
        interval=timedelta(seconds=interval_seconds),
        start=end - timedelta(days=days),
        end=end,
        cost=cost,
    )


def round_trip(symbol: str, cost: float | None, taker_fee: object) -> float:
    """Return what getting in and out costs, as a fraction: as given, or twice the fee and a spread.

    Raises:
        TrainingRefused: Neither is known.
    """
    if cost is not None:
        return cost
    if taker_fee is None:
        raise TrainingRefused(
            f"the taker fee of {symbol} is not on record, so a round trip cannot be priced; "
            "start the trader once, or give the cost"
        )
    return 2 * float(str(taker_fee)) + SPREAD_ALLOWANCE
