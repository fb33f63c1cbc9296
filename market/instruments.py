"""The market's vocabulary: instruments, trades, quotes, and rounding that the exchange accepts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

Beside = tuple[Decimal | None, Decimal | None]  # closes of the peer and of the leader
WHOLE = Decimal(1)
# No price or quantity is beyond these; arithmetic with what is may overflow.
SMALLEST, LARGEST = Decimal("1e-15"), Decimal("1e15")
LEADER = "BTC/USD"  # the market that the others follow
# A market of its own kind, and the leader.
NEIGHBOURS = {
    "XRP/USD": ("DOGE/USD", LEADER),
    "DOGE/USD": ("XRP/USD", LEADER),
    "ETH/USD": ("XRP/USD", LEADER),
    LEADER: ("XRP/USD", "ETH/USD"),
}


class Side(StrEnum):
    """Which way an order moves the position; of a trade, which side came to take."""

    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A market as the exchange describes it; fees are fractions of the cost.

    A fee of None means that the exchange has not told us, not that there is none.
    """

    symbol: str
    exchange_id: str
    base: str
    quote: str
    price_decimals: int
    quantity_decimals: int
    cost_decimals: int
    quantity_min: Decimal
    cost_min: Decimal
    maker_fee: Decimal | None
    taker_fee: Decimal | None

    def __post_init__(self) -> None:
        if not all(0 <= n <= 18 for n in self._decimals()):  # noqa: PLR2004 - the record keeps 18
            raise ValueError(f"{self.symbol}: decimals out of range: {self._decimals()}")
        minimums = (self.quantity_min, self.cost_min)
        if not all(x.is_finite() and x >= 0 for x in minimums):
            raise ValueError(f"{self.symbol}: minimums make no sense: {minimums}")
        fees = [x for x in (self.maker_fee, self.taker_fee) if x is not None]
        if not all(x.is_finite() and abs(x) < 1 for x in fees):
            raise ValueError(f"{self.symbol}: fees are fractions below 1: {fees}")

    def _decimals(self) -> tuple[int, int, int]:
        return self.price_decimals, self.quantity_decimals, self.cost_decimals


def neighbours(symbol: str) -> tuple[str, str]:
    """Return the peer and the leader that a market is compared with by its features."""
    return NEIGHBOURS.get(symbol, ("ETH/USD", LEADER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Someone traded; `trade_id` counts up by one per symbol."""

    symbol: str
    trade_id: int
    at: datetime
    side: Side
    price: Decimal
    quantity: Decimal

    def __post_init__(self) -> None:
        for amount in (self.price, self.quantity):
            if not (amount.is_finite() and SMALLEST <= amount <= LARGEST):
                raise ValueError(f"not a trade: {self.quantity} at {self.price}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The best prices at a moment; the ask is above the bid."""

    symbol: str
    at: datetime
    bid: Decimal
    ask: Decimal

    def __post_init__(self) -> None:
        if not (self.bid.is_finite() and self.ask.is_finite() and 0 < self.bid < self.ask):
            raise ValueError(f"not a quote: bid {self.bid}, ask {self.ask}")

    @property
    def middle(self) -> Decimal:
        """Return the price half way between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> float:
        """Return the distance from bid to ask as a fraction of the middle."""
        return float((self.ask - self.bid) / self.middle)


def round_down(value: float | Decimal, decimals: int) -> Decimal:
    """Cut a value to so many decimals, towards zero from above; never rounds an amount up.

    Raises:
        ValueError: The value is negative, infinite or not a number.
    """
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"cannot round {value}: expected a finite amount of at least zero")
    return exact.quantize(WHOLE.scaleb(-decimals), rounding=ROUND_FLOOR)


def round_price(price: float | Decimal, instrument: Instrument, side: Side) -> Decimal:
    """Put a limit price on the instrument's grid, on the side that is better for us.

    A buy's limit goes down and a sell's up, so rounding never pays more than was decided.

    Raises:
        ValueError: The price is not positive and finite, or rounds to nothing.
    """
    exact = price if isinstance(price, Decimal) else Decimal(repr(float(price)))
    if not exact.is_finite() or exact <= 0:
        raise ValueError(f"cannot round a price of {price}")
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    rounded = exact.quantize(WHOLE.scaleb(-instrument.price_decimals), rounding=rounding)
    if rounded <= 0:
        raise ValueError(f"a price of {price} is below {instrument.symbol}'s smallest step")
    return rounded
