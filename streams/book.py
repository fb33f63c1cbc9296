"""One market's order book to a fixed depth, and the exchange's checksum of it.

Prices and quantities are whole numbers of the instrument's smallest step, which is also
how the checksum spells them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKED = 10  # levels a side that the exchange's checksum covers
ZERO = Decimal(0)
LARGEST = Decimal(10) ** 15  # no price or quantity is near it; keeps nonsense cheap


class Level(Protocol):
    """A price and how much is offered there; a quantity of zero takes the level away."""

    @property
    def price(self) -> Decimal:
        """Return the price."""

    @property
    def qty(self) -> Decimal:
        """Return the quantity, by the exchange's name for it."""


class _Ladder:
    """One side: prices in ascending order, with the quantity and checksum text of each."""

    __slots__ = ("prices", "quantities", "texts", "value")

    def __init__(self) -> None:
        self.prices: list[int] = []
        self.quantities: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        self.value = 0  # the sum of price times quantity, in steps of both

    def put(self, price: int, quantity: int) -> None:
        before = self.quantities.get(price)
        if before is None:
            insort(self.prices, price)
            before = 0
        self.value += price * (quantity - before)
        self.quantities[price] = quantity
        self.texts[price] = f"{price}{quantity}"

    def drop(self, price: int) -> None:
        if (quantity := self.quantities.pop(price, None)) is not None:
            self.value -= price * quantity
            del self.texts[price]
            del self.prices[bisect_left(self.prices, price)]


class Book:
    """The best prices of one market, as deep as subscribed."""

    __slots__ = (
        "_asks",
        "_bids",
        "_price_decimals",
        "_price_steps",
        "_quantity_decimals",
        "_quantity_steps",
        "depth",
    )

    def __init__(self, *, price_decimals: int, quantity_decimals: int, depth: int = 10) -> None:
        self.depth = depth
        self._price_decimals = price_decimals
        self._quantity_decimals = quantity_decimals
        self._price_steps = Decimal(10) ** price_decimals
        self._quantity_steps = Decimal(10) ** quantity_decimals
        self.clear()

    def clear(self) -> None:
        """Forget every level."""
        self._bids, self._asks = _Ladder(), _Ladder()

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Put in the levels of one message, then cut each side to the depth.

        The exchange does not say which levels fell off the end; both of us cut.

        Raises:
            ValueError, ArithmeticError: A number is negative, huge, not a number, or
                finer than the instrument's smallest step, or a price is zero.
        """
        self._put(self._bids, bids)
        self._put(self._asks, asks)
        while len(self._bids.prices) > self.depth:
            self._bids.drop(self._bids.prices[0])
        while len(self._asks.prices) > self.depth:
            self._asks.drop(self._asks.prices[-1])

    def follow(self, bids: Iterable[Level], asks: Iterable[Level], checksum: int) -> str | None:
        """Apply one message, and say what is wrong with the book after it, if anything is."""
        try:
            self.apply(bids, asks)
        except (ValueError, ArithmeticError) as error:
            return f"the book holds nonsense: {error}"
        if self.crossed:
            return "the book is crossed"
        if self.checksum() != checksum:
            return f"the book's checksum is {self.checksum()}, not {checksum}"
        return None

    def checksum(self) -> int:
        """Return the CRC32 of the top levels, as the exchange computes it."""
        asks, bids = self._asks, self._bids
        texts = [asks.texts[price] for price in asks.prices[:CHECKED]]
        texts += [bids.texts[price] for price in bids.prices[: -CHECKED - 1 : -1]]
        return crc32("".join(texts).encode())

    @property
    def crossed(self) -> bool:
        """Whether somebody bids as much as somebody asks, which cannot stand."""
        if not (self._bids.prices and self._asks.prices):
            return False
        return self._bids.prices[-1] >= self._asks.prices[0]

    @property
    def best_bid(self) -> tuple[Decimal, Decimal] | None:
        """Return the highest bid and its quantity, if there is one."""
        return self._level(self._bids, self._bids.prices[-1]) if self._bids.prices else None

    @property
    def best_ask(self) -> tuple[Decimal, Decimal] | None:
        """Return the lowest ask and its quantity, if there is one."""
        return self._level(self._asks, self._asks.prices[0]) if self._asks.prices else None

    @property
    def values(self) -> tuple[Decimal, Decimal]:
        """Return what all bids and all asks are worth together, in the quote currency."""
        decimals = self._price_decimals + self._quantity_decimals
        bids, asks = Decimal(self._bids.value), Decimal(self._asks.value)
        return bids.scaleb(-decimals), asks.scaleb(-decimals)

    def _level(self, ladder: _Ladder, price: int) -> tuple[Decimal, Decimal]:
        quantity = Decimal(ladder.quantities[price]).scaleb(-self._quantity_decimals)
        return Decimal(price).scaleb(-self._price_decimals), quantity

    def _put(self, ladder: _Ladder, levels: Iterable[Level]) -> None:
        prices, quantities = self._price_steps, self._quantity_steps
        for level in levels:
            price = _steps(level.price, prices)
            if not price:
                raise ValueError("a price of nothing")
            if level.qty:
                ladder.put(price, _steps(level.qty, quantities))
            else:
                ladder.drop(price)


def _steps(value: Decimal, one: Decimal) -> int:
    """Return how many steps a value is, if `one` is how many there are to a whole."""
    if not ZERO <= value < LARGEST:
        raise ValueError(f"not an amount: {value}")
    scaled = value * one
    steps = int(scaled)
    if steps != scaled:
        raise ValueError(f"{value} has more than {one.adjusted()} decimals")
    return steps
