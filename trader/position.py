"""A position: what our own trades amount to, at average cost.

Assets that were on the account before our first trade are not part of any position.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from market.instruments import Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The sum of our trades in one market; a sale beyond what was bought goes negative.

    `cost` is what the quantity held was bought for (negative for a negative quantity),
    without fees; `realised` is the profit of what was closed, also without fees.
    """

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def average(self) -> Decimal | None:
        """The mean price of what is held, or None if nothing is."""
        return self.cost / self.quantity if self.quantity else None

    @property
    def net(self) -> Decimal:
        """Profit realised so far, after fees."""
        return self.realised - self.fees

    def value(self, price: Decimal) -> Decimal:
        """Return what the position is worth at a price."""
        return self.quantity * price

    def unrealised(self, price: Decimal) -> Decimal:
        """Return the profit that closing at a price would realise, before fees."""
        return self.value(price) - self.cost

    def after(self, side: Side, *, quantity: Decimal, cost: Decimal, fee: Decimal) -> Position:
        """Return the position after one more trade; `cost` is quantity times price."""
        if not (quantity.is_finite() and quantity > 0 and cost >= 0 and fee >= 0):
            raise ValueError(f"not a trade: {quantity} for {cost} with a fee of {fee}")
        signed = quantity if side is Side.BUY else -quantity
        with localcontext(prec=50):
            closing = min(quantity, abs(self.quantity)) if self.quantity * signed < 0 else ZERO
            released = self.cost * closing / abs(self.quantity) if closing else ZERO
            received = cost * closing / quantity
            opened = cost - received
            profit = received - released if side is Side.SELL else -received - released
            return Position(
                symbol=self.symbol,
                quantity=self.quantity + signed,
                cost=self.cost - released + (opened if side is Side.BUY else -opened),
                realised=self.realised + (profit if closing else ZERO),
                fees=self.fees + fee,
            )
