"""Orders, the trades they make, and what is reported about them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

PENDING = "pending"
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
    display: int = 0
    trigger: int | None = None


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """What a conditional order waits for, in ticks; `fired` is when it came, `at` what price.

    `reference` says of which price: the last trade's, or the index. An `offset` makes the
    trigger trail the price, whose best so far is `peak`; `text` is how Kraken spells it.
    """

    trigger: int
    reference: str = "last"
    offset: int = 0
    peak: int = 0
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
    `display` is what an iceberg shows of it. `starts` is when the order is to begin, in ns.
    `terms` are price and price2 of a conditional order, which may be relative, and
    `reference` says which price it waits for.
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
    display: int = 0
    starts: int = 0
    expires: int = 0
    flags: tuple[str, ...] = ()
    stp: str = "cancel-newest"
    validate: bool = False
    deadline: int | None = None
    terms: tuple[str, str] = ("", "")
    reference: str = "last"
    close: Close | None = None


class Order(msgspec.Struct, kw_only=True):
    """One order and all that has happened to it.

    The exact sums are kept beside the rounded ones, so that rounding never drifts. `tier` is
    the fee tier at which it was accepted. `ahead` is what the market still has before it at
    its price, since `queued`. An iceberg shows `display` lots at a time, of which `shown` are left.
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
    queued: int = 0
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
    tier: int = 1
    display: int = 0
    shown: int = 0
    starts: int = 0

    @property
    def waiting(self) -> bool:
        """Whether the order waits for its time or a price and is not on the book yet."""
        return self.status == PENDING or (self.stop is not None and not self.stop.fired)

    @property
    def alive(self) -> bool:
        """Whether the order may still trade."""
        return self.status in {PENDING, OPEN}

    @property
    def visible(self) -> int:
        """The lots the book shows."""
        return min(self.shown, self.remaining) if self.display else self.remaining

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
