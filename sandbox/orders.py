"""Orders, the trades they make, and what is reported about them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

OPEN = "open"
CLOSED = "closed"
CANCELED = "canceled"
EXPIRED = "expired"
ZERO = Decimal(0)


class Amend(msgspec.Struct, frozen=True, kw_only=True):
    """How an order stood after one amendment, or at first."""

    id: str
    kind: str
    time: int
    quantity: int
    remaining: int
    limit: int | None


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """What a conditional order waits for, in ticks; `fired` is when it came, `at` what price.

    An `offset` makes the trigger trail the price; `text` is how the client spelled it.
    """

    trigger: int
    offset: int = 0
    text: str = ""
    fired: int = 0
    at: int = 0


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """The order that is to close what this one opens, as the client spelled it."""

    ordertype: str
    price: str
    price2: str = ""


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for, whichever door it came through.

    `cash` is set instead of `quantity` where the volume was given in the quote currency.
    `terms` are price and price2 of a conditional order, which may be relative.
    """

    symbol: str
    side: str
    ordertype: str
    quantity: int = 0
    cash: Decimal | None = None
    limit: int | None = None
    tif: str = "GTC"
    post_only: bool = False
    userref: int | None = None
    cl_ord_id: str | None = None
    expires: int = 0
    flags: tuple[str, ...] = ()
    stp: str = "cancel-newest"
    validate: bool = False
    deadline: int | None = None
    terms: tuple[str, str] = ("", "")
    close: Close | None = None


class Order(msgspec.Struct, kw_only=True):
    """One order and all that has happened to it.

    The exact sums are kept beside the rounded ones, so that rounding never drifts.
    """

    txid: str
    account: str
    symbol: str
    side: str
    ordertype: str
    quantity: int
    cash: Decimal | None
    limit: int | None
    tif: str
    post_only: bool
    userref: int | None
    cl_ord_id: str | None
    expires: int
    flags: tuple[str, ...]
    stp: str
    opened: int
    rank: int
    changed: int = 0
    closed: int = 0
    status: str = OPEN
    reason: str | None = None
    filled: int = 0
    ahead: int = 0
    reserve: Decimal = ZERO
    exact_cost: Decimal = ZERO
    cost: Decimal = ZERO
    exact_fee: Decimal = ZERO
    fee: Decimal = ZERO
    trades: list[str] = []
    amends: list[Amend] = []
    stop: Stop | None = None
    close: Close | None = None
    parent: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether the order waits for a price and is not on the book yet."""
        return self.stop is not None and not self.stop.fired

    @property
    def amended(self) -> bool:
        """Whether the order was ever changed."""
        return bool(self.amends)

    @property
    def buys(self) -> bool:
        """Whether the order buys."""
        return self.side == "buy"

    @property
    def remaining(self) -> int:
        """The lots still to be filled."""
        return self.quantity - self.filled


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One fill of one order."""

    txid: str
    order: str
    account: str
    symbol: str
    side: str
    ordertype: str
    time: int
    price: int
    quantity: int
    cost: Decimal
    fee: Decimal
    maker: bool
    trade_id: int
    cl_ord_id: str | None
    userref: int | None


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one balance of one client."""

    id: str
    account: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal
    time: int
    ref: str
    kind: str


@dataclass(frozen=True)
class Reported:
    """Something happened to an order; `order` is a copy made at that moment."""

    kind: str
    order: Order
    time: int
    trade: Trade | None = None


@dataclass(frozen=True)
class Posted:
    """A balance changed."""

    entry: LedgerEntry


Event = Reported | Posted
