"""How an order is worked: take what is there now, or rest at the touch for a while.

A resting order is moved by amending it, which keeps its ids and fills and leaves no moment
in which two orders or none are on the book. It follows the market up to a worst price, and
when its time is up it is cancelled; what is left may then be decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from market.instruments import Side, round_price
from trader.orders import Status

if TYPE_CHECKING:
    from datetime import datetime

    from market.instruments import Instrument, Quote
    from trader.limits import State
    from trader.orders import Order

# How far beyond the best price an order may reach; half the collar that risk enforces.
REACH = Decimal("0.0025")
# Sooner than this the exchange counts an amendment four times, and hears it thrice as often.
AMEND_EVERY = timedelta(seconds=5)
# A cancel that no report has answered is asked again after this.
CANCEL_EVERY = timedelta(seconds=2)


class Policy(StrEnum):
    """How orders are worked."""

    MARKETABLE = "marketable"
    POST_ONLY = "post_only"


class OnStop(StrEnum):
    """What becomes of orders that rest when the trader is told to stop."""

    CANCEL = "cancel"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the order where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """Move the order to another price."""

    limit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Take the order off the book."""

    reason: str


Step = Keep | Amend | Cancel


def opening_limit(policy: Policy, side: Side, quote: Quote, instrument: Instrument) -> Decimal:
    """Return the price an order starts with: across the spread, or at its own side's touch."""
    if policy is Policy.MARKETABLE:
        return worst_price(side, quote, instrument)
    return quote.bid if side is Side.BUY else quote.ask


def worst_price(side: Side, quote: Quote, instrument: Instrument) -> Decimal:
    """Return the price beyond which an order never goes: the far touch and REACH."""
    if side is Side.BUY:
        return round_price(quote.ask * (1 + REACH), instrument, side)
    return round_price(quote.bid * (1 - REACH), instrument, side)


def follow(
    order: Order,
    quote: Quote | None,
    *,
    state: State,
    now: datetime,
    patience: timedelta,
    stopping: bool = False,
) -> Step:
    """Decide what becomes of an order that rests.

    Args:
        order: The order; `worst` is as far as it may go, `updated_at` when it last changed.
        quote: The best prices, our own order's among them, if they can be trusted.
        state: The trading state; a halt takes entries off the book at once.
        now: The exchange's time.
        patience: How long it may rest.
        stopping: Nobody will look after it any more: take it off.
    """
    idle = now - (order.updated_at or order.created_at)
    why = "the trader stops" if stopping else _ending(order, state, now, patience)
    if why:
        again = order.cancelling and idle < CANCEL_EVERY
        return Keep() if again else Cancel(reason=why)
    settled = order.status is Status.OPEN and not order.cancelling
    if quote is None or order.worst is None or not settled or idle < AMEND_EVERY:
        return Keep()
    if order.side is Side.BUY:
        touch = min(quote.bid, order.worst)
        return Amend(limit=touch) if touch > order.limit else Keep()
    touch = max(quote.ask, order.worst)
    return Amend(limit=touch) if touch < order.limit else Keep()


def _ending(order: Order, state: State, now: datetime, patience: timedelta) -> str | None:
    if state == "halted":
        return "trading is halted"
    if state == "reducing" and order.side is Side.BUY:
        return "only orders that reduce may rest"
    if now - order.created_at >= patience:
        return f"it rested for {patience.total_seconds():g} s"
    return None
