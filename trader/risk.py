"""What may be sent: every check an order must pass, each with a code of its own.

Checks run in order and the first that fails refuses. Whatever is missing or makes no
sense refuses too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from trader.market import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trader.market import Instrument, Quote

ZERO = Decimal(0)
# Halts for these reasons still let a position be closed; any other lets nothing be sent.
REDUCING_CODES = frozenset({"daily_loss"})


class State(StrEnum):
    """How much trading is allowed; cancelling always is."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the account may do; ages are in the time the view's ages are measured in."""

    max_position_value: Decimal
    max_quote_age: timedelta = timedelta(seconds=2)
    max_bar_age: float = 1.5  # in bars
    collar: Decimal = Decimal("0.005")  # from the middle, or three spreads if that is more
    max_orders_per_minute: int = 10
    repeat_window: timedelta = timedelta(seconds=2)
    max_daily_loss: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order that somebody would like to send, and the probability behind it."""

    decision_id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal
    probability: float

    @property
    def value(self) -> Decimal:
        """The most the order can cost or bring, before fees."""
        return self.quantity * self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An order that was sent a while ago; `age` is how long."""

    decision_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known at the moment of the check.

    `position` is the strategy's own quantity of the symbol. `buying` and `selling` are what
    our orders that may still trade could add and take away, unknown ones in full. `cash` is
    the quote currency we hold, `promised` what orders that may still trade would cost. A
    quote or bar age of None means that there is none.
    """

    state: State
    instrument: Instrument
    quote: Quote | None
    quote_age: timedelta | None
    trusted: bool
    bar_age: timedelta | None
    interval: timedelta
    position: Decimal
    buying: Decimal
    selling: Decimal
    cash: Decimal
    promised: Decimal
    exchange_status: str
    realised_today: Decimal
    limits: Limits
    sent: tuple[Sent, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Allowed:
    """The order may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The order must not be sent."""

    code: str
    reason: str


Verdict = Allowed | Refused


def state_for(halt_codes: Iterable[str]) -> State:
    """Return the trading state that standing halts leave."""
    codes = set(halt_codes)
    if not codes:
        return State.ACTIVE
    return State.REDUCING if codes <= REDUCING_CODES else State.HALTED


def check(order: Proposal, view: View) -> Verdict:
    """Judge an order against everything that is known; the first failure decides."""
    for test in CHECKS:
        refused = test(order, view)
        if refused is not None:
            return refused
    return Allowed()


def _trading_state(order: Proposal, view: View) -> Refused | None:
    if view.state is State.HALTED:
        return _no("halted", "trading is halted until a person resumes it")
    if view.state is State.REDUCING and not _reduces(order, view):
        return _no("reducing_only", f"only orders that reduce the {view.position} held may go")
    return None


def _amounts(order: Proposal, view: View) -> Refused | None:
    instrument = view.instrument
    if order.symbol != instrument.symbol:
        return _no("wrong_market", f"{order.symbol} was judged as {instrument.symbol}")
    for name, amount, decimals in (
        ("quantity", order.quantity, instrument.quantity_decimals),
        ("limit", order.limit, instrument.price_decimals),
    ):
        if not (amount.is_finite() and amount > 0):
            return _no("not_positive", f"a {name} of {amount}")
        if amount != round(amount, decimals):
            return _no("precision", f"a {name} of {amount} has more than {decimals} decimals")
    if order.quantity < instrument.quantity_min:
        return _no("below_minimum", f"{order.quantity} is less than {instrument.quantity_min}")
    if order.value < instrument.cost_min:
        return _no("below_minimum", f"{order.value} is worth less than {instrument.cost_min}")
    return None


def _model(order: Proposal, _view: View) -> Refused | None:
    if math.isfinite(order.probability) and 0 < order.probability < 1:
        return None
    return _no("model", f"{order.probability} is not a probability")


def _fresh(_order: Proposal, view: View) -> Refused | None:
    if not view.trusted:
        return _no("untrusted_feed", "the book is between a gap and its next snapshot")
    if view.quote is None or view.quote_age is None:
        return _no("no_quote", "there is no two-sided book")
    if not ZERO_TIME <= view.quote_age <= view.limits.max_quote_age:
        return _no("stale_quote", f"the book is {view.quote_age.total_seconds():.1f} s old")
    oldest = view.interval * view.limits.max_bar_age
    if view.bar_age is None or not ZERO_TIME <= view.bar_age <= oldest:
        age = "unknown" if view.bar_age is None else f"{view.bar_age.total_seconds():.0f} s"
        return _no("stale_bar", f"the bar's age is {age}, at most {oldest.total_seconds():.0f} s")
    return None


def _collar(order: Proposal, view: View) -> Refused | None:
    if view.quote is None:
        return _no("no_quote", "there is no two-sided book")
    middle = view.quote.middle
    widest = max(view.limits.collar, 3 * (view.quote.ask - view.quote.bid) / middle)
    distance = abs(order.limit / middle - 1)
    if distance > widest:
        return _no("collar", f"{order.limit} is {distance:.3%} from {middle}, at most {widest:.3%}")
    return None


def _position(order: Proposal, view: View) -> Refused | None:
    if order.side is Side.SELL:
        left = view.position - view.selling - order.quantity
        if left < 0:
            return _no("oversold", f"{order.quantity} is more than the {view.position} held")
        return None
    value = (view.position + view.buying + order.quantity) * order.limit
    if value > view.limits.max_position_value:
        most = view.limits.max_position_value
        return _no("max_position", f"{value:.2f} would be held or ordered, at most {most}")
    return None


def _cash(order: Proposal, view: View) -> Refused | None:
    if order.side is Side.SELL:
        return None
    fee = view.instrument.taker_fee
    if fee is None:
        return _no("fee_unknown", f"the taker fee of {view.instrument.symbol} is not known")
    needed, free = order.value * (1 + fee), view.cash - view.promised
    if needed > free:
        return _no("cash", f"{needed:.2f} is needed with fees, {free:.2f} is free")
    return None


def _duplicate(order: Proposal, view: View) -> Refused | None:
    for sent in view.sent:
        if sent.decision_id == order.decision_id:
            return _no("duplicate", f"decision {order.decision_id} has sent an order already")
        same = (sent.symbol, sent.side, sent.quantity, sent.limit)
        if (
            same == (order.symbol, order.side, order.quantity, order.limit)
            and sent.age <= view.limits.repeat_window
        ):
            return _no("duplicate", f"the same order went {sent.age.total_seconds():.1f} s ago")
    return None


def _exchange(_order: Proposal, view: View) -> Refused | None:
    if view.exchange_status == "online":
        return None
    return _no("exchange_status", f"the exchange is {view.exchange_status or 'silent'}, not online")


def _throttle(_order: Proposal, view: View) -> Refused | None:
    recent = sum(sent.age < timedelta(minutes=1) for sent in view.sent)
    if recent < view.limits.max_orders_per_minute:
        return None
    return _no("throttle", f"{recent} orders went within a minute")


def _daily_loss(order: Proposal, view: View) -> Refused | None:
    most = view.limits.max_daily_loss
    if most is None or -view.realised_today < most or _reduces(order, view):
        return None
    return _no("daily_loss", f"{-view.realised_today:.2f} was lost today, at most {most}")


CHECKS = (
    _trading_state,
    _amounts,
    _model,
    _exchange,
    _fresh,
    _collar,
    _position,
    _cash,
    _duplicate,
    _throttle,
    _daily_loss,
)
ZERO_TIME = timedelta(0)


def _reduces(order: Proposal, view: View) -> bool:
    return order.side is Side.SELL and order.quantity <= view.position - view.selling


def _no(code: str, reason: str) -> Refused:
    return Refused(code=code, reason=reason)
