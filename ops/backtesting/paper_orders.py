"""The exchange that a backtest plays with: quotes made of bars, and orders that meet the next.

What a decision asks of the record of orders is answered here from memory.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from market.instruments import Instrument, Quote, Side, round_down
from trader.limits import Sent

if TYPE_CHECKING:
    from ops.backtesting.paper import Terms
    from trader.strategy import Wanted

ZERO, WHOLE = Decimal(0), Decimal(1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order on its way to the bar after the one that it was decided on."""

    number: int
    at: datetime
    side: Side
    limit: Decimal
    wanted: Wanted


@dataclass(slots=True)
class Orders:
    """What the record of orders tells a decision: those of the last hour, and the last entry."""

    symbol: str
    _sent: deque[Ordered] = field(default_factory=deque)
    _entries: deque[datetime] = field(default_factory=deque)
    _bought: datetime | None = None

    def sent(self, order: Ordered) -> None:
        """Remember an order that was sent."""
        self._sent.append(order)

    def bought(self, order: Ordered) -> None:
        """Remember that an order to buy has traded."""
        self._bought = order.at
        self._entries.append(order.at)

    def bars_held(self, now: datetime, interval: timedelta, *, otherwise: int) -> int:
        """Count the bars since the last decision that bought; without one say otherwise."""
        return otherwise if self._bought is None else (now - self._bought) // interval

    def entries(self, now: datetime) -> int:
        """Count the orders within an hour that bought something."""
        while self._entries and self._entries[0] <= now - HOUR:
            self._entries.popleft()
        return len(self._entries)

    def within_an_hour(self, now: datetime) -> list[Sent]:
        """Return the orders sent within an hour, oldest first."""
        while self._sent and self._sent[0].at <= now - HOUR:
            self._sent.popleft()
        return [
            Sent(
                symbol=self.symbol,
                side=order.side,
                quantity=order.wanted.quantity,
                limit=order.limit,
                age=now - order.at,
            )
            for order in self._sent
        ]


def exact(value: float) -> Decimal:
    """Return the shortest decimal number that a float stands for."""
    return Decimal(repr(value))


def quote(instrument: Instrument, at: datetime, price: Decimal, spread: float) -> Quote:
    """Return best prices around a price, on the grid and so never nearer than the spread."""
    half, step = price * exact(spread) / 2, WHOLE.scaleb(-instrument.price_decimals)
    bid = (price - half).quantize(step, rounding=ROUND_FLOOR)
    ask = (price + half).quantize(step, rounding=ROUND_CEILING)
    return Quote(symbol=instrument.symbol, at=at, bid=bid, ask=max(ask, bid + step))


def take(order: Ordered, *, touch: Quote, volume: Decimal, terms: Terms) -> tuple[Decimal, Decimal]:
    """Return how much an order that must trade at once gets, and at what price.

    Args:
        order: The order.
        touch: The best prices it meets.
        volume: What traded in the bar it meets.
        terms: How far beyond the touch it pays, and what share of the volume it gets.
    """
    buys, limit = order.side is Side.BUY, order.limit
    best = touch.ask if buys else touch.bid
    if (best > limit) if buys else (best < limit):
        return ZERO, limit
    step = WHOLE.scaleb(-terms.instrument.price_decimals)
    if buys:
        slipped = (best * (1 + terms.slippage)).quantize(step, rounding=ROUND_CEILING)
    else:
        slipped = (best * (1 - terms.slippage)).quantize(step, rounding=ROUND_FLOOR)
    price = min(slipped, limit) if buys else max(slipped, limit)
    fits = round_down(volume * terms.volume_share, terms.instrument.quantity_decimals)
    return min(order.wanted.quantity, fits), price
