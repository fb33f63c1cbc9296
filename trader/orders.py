"""Orders, what happens to them, and what state that leaves them in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, assert_never

from trader.errors import IllegalTransition

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from market.instruments import Side

ZERO = Decimal(0)


class Status(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    OPEN = "open"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """Whether no further event is expected."""
        return self in {Status.FILLED, Status.CANCELLED, Status.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The exchange has the order, under an id of its own."""

    at: datetime
    exchange_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Part or all of the order traded; the amounts are the exchange's own figures.

    A cost or fee may be zero: the exchange charges running totals rounded to its decimals.
    """

    at: datetime
    exec_id: str
    quantity: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    liquidity: str
    exchange_id: str | None = None

    def __post_init__(self) -> None:
        if not all(x.is_finite() and x > 0 for x in (self.quantity, self.price)):
            raise ValueError(f"not a fill: {self.quantity} at {self.price}")
        if not all(x.is_finite() and x >= 0 for x in (self.cost, self.fee)):
            raise ValueError(f"not a charge: a cost of {self.cost}, a fee of {self.fee}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The exchange took the remainder off its book, or let it expire."""

    at: datetime
    reason: str = ""
    exchange_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The exchange refused the order, or proved that it never had it."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostTrack:
    """The order may or may not exist; only the exchange's lists can tell."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amending:
    """We are about to ask for another limit; written down before it is asked."""

    at: datetime
    limit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRefused:
    """The exchange left the order at the limit it had."""

    at: datetime
    limit: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelling:
    """We are about to ask for the order's end; its report says whether it came in time."""

    at: datetime
    reason: str


Ours = Amending | AmendRefused | Cancelling
OrderEvent = Accepted | Filled | Cancelled | Rejected | LostTrack | Ours
OURS = frozenset({Amending, AmendRefused, Cancelling})

# Rows: the state an order is in. Entries: the events it may still receive.
# Answers and reports travel on different connections, so some arrive absurdly late:
# - Accepted or LostTrack in any later state: the websocket was quicker than the answer, or
#   a reconciliation beside us was, which may prove an order absent while we still wait.
# - Filled after Cancelled: the exchange matched before the cancel arrived.
# - Cancelled after Filled: the same two reports in the other order.
# - Filled after Rejected: we were wrong that it never reached the exchange; the money
#   moved, so it is booked, and reconciliation calls it a difference.
# - What we ask of an order (OURS) may come too late for it, in any final state.
ALLOWED: dict[Status, frozenset[type[OrderEvent]]] = {
    Status.PENDING: frozenset({Accepted, Filled, Cancelled, Rejected, LostTrack}) | OURS,
    Status.OPEN: frozenset({Accepted, Filled, Cancelled, LostTrack}) | OURS,
    Status.UNKNOWN: frozenset({Accepted, Filled, Cancelled, Rejected, LostTrack}) | OURS,
    Status.CANCELLED: frozenset({Accepted, Filled, Cancelled, LostTrack}) | OURS,
    Status.FILLED: frozenset({Accepted, Cancelled, LostTrack}) | OURS,
    Status.REJECTED: frozenset({Filled, Rejected, LostTrack}) | OURS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as far as we know it; `id` is the client order id the exchange sees.

    The exchange must not accept it after `deadline`; all times are the exchange's. An order
    with a `worst` price rests: it never takes, and is never moved beyond that price.
    """

    id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal
    created_at: datetime
    deadline: datetime
    decision_id: str | None = None
    time_in_force: str = "ioc"
    exchange_id: str | None = None
    status: Status = Status.PENDING
    filled: Decimal = ZERO
    worst: Decimal | None = None
    cancelling: bool = False
    updated_at: datetime | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not all(x.is_finite() and x > 0 for x in (self.quantity, self.limit)):
            raise ValueError(f"quantity and limit must be positive: {self.quantity}, {self.limit}")
        if self.deadline <= self.created_at:
            raise ValueError(f"the deadline {self.deadline} is not after {self.created_at}")

    @property
    def rests(self) -> bool:
        """Whether the order waits on the book for somebody to take it."""
        return self.worst is not None

    def due(self, patience: timedelta) -> datetime:
        """Return when the order ought to have ended; one that rests may do so for a while."""
        resting = self.rests and self.status is Status.OPEN
        return self.deadline + patience if resting else self.deadline

    @property
    def remaining(self) -> Decimal:
        """How much has yet to trade."""
        return self.quantity - self.filled

    @property
    def reserved(self) -> Decimal:
        """How much may still trade as far as we know; an unknown order's counts in full."""
        return ZERO if self.status.final else self.remaining


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder:
    """An order as the exchange lists it; `status` is the exchange's own word."""

    exchange_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    executed: Decimal
    status: str
    reason: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFill:
    """A trade of ours as the exchange lists it, with the order it belongs to."""

    exchange_id: str
    symbol: str
    side: Side
    fill: Filled


def client_order_id(decision_id: str, attempt: int) -> str:
    """Derive the id an order is sent under: 32 hex digits that no other attempt shares.

    The exchange checks uniqueness among open orders only, so an id is never used twice.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return blake2b(f"{decision_id}/{attempt}".encode(), digest_size=16).hexdigest()


def apply(order: Order, event: OrderEvent) -> Order:
    """Return the order as it stands after the event; a late or repeated one changes nothing.

    Raises:
        IllegalTransition: The order's status does not allow the event, a fill exceeds
            what remains, or the exchange gave the order a second id.
    """
    if type(event) not in ALLOWED[order.status]:
        raise IllegalTransition(order.id, order.status, type(event).__name__)
    match event:
        case Accepted(exchange_id=exchange_id):
            known = _identify(order, exchange_id)
            return known if order.status.final else replace(known, status=Status.OPEN)
        case Filled():
            return _fill(_identify(order, event.exchange_id), event)
        case Cancelled(exchange_id=exchange_id):
            known = _identify(order, exchange_id)
            return known if order.status.final else replace(known, status=Status.CANCELLED)
        case Rejected():
            return replace(order, status=Status.REJECTED)
        case LostTrack():
            return order if order.status.final else replace(order, status=Status.UNKNOWN)
        case Amending() | AmendRefused() | Cancelling():
            return order if order.status.final else _ask(order, event)
        case _:
            assert_never(event)


def _ask(order: Order, event: Ours) -> Order:
    if isinstance(event, Cancelling):
        return replace(order, cancelling=True, updated_at=event.at)
    return replace(order, limit=event.limit, updated_at=event.at)


def _identify(order: Order, exchange_id: str | None) -> Order:
    if exchange_id is None or exchange_id == order.exchange_id:
        return order
    if order.exchange_id is not None:
        raise IllegalTransition(order.id, order.status, f"a second id, {exchange_id}")
    return replace(order, exchange_id=exchange_id)


def _fill(order: Order, fill: Filled) -> Order:
    if fill.quantity > order.remaining:
        raise IllegalTransition(order.id, order.status, f"a fill of {fill.quantity}")
    filled = order.filled + fill.quantity
    if filled == order.quantity:
        return replace(order, filled=filled, status=Status.FILLED)
    if order.status is Status.CANCELLED:
        return replace(order, filled=filled)
    return replace(order, filled=filled, status=Status.OPEN)
