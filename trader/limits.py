"""What risk knows and compares: the limits, the order proposed, and the view at that moment.

Ages and times are the exchange's, except a quote's age, which our monotonic clock measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from market.instruments import Instrument, Quote, Side

# Halts for these reasons still let a position be closed; any other lets nothing be sent.
FLATTEN = "flatten"
REDUCING_CODES = frozenset({"daily_loss", "drawdown", "repeated_execution", "model", FLATTEN})
# Refusals that latch a halt: a person has to look before the next entry.
LATCHING_CODES = REDUCING_CODES - {FLATTEN}
# What each act costs at worst on the exchange's own counter for a market, and how fast the
# counter of its smallest accounts forgets, a second.
COSTS = {"intended": 1.0, "amending": 4.0, "cancelling": 8.0}
DECAY = 1.0
ZERO = timedelta(0)


class State(StrEnum):
    """How much trading is allowed; cancelling always is."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the account may do; docs/risk.md says how often each would trip by chance.

    Values are in the quote currency.
    """

    max_position_value: Decimal = Decimal(1000)
    max_gross_value: Decimal = Decimal(1500)
    max_order_value: Decimal = Decimal(1000)
    volume_share: Decimal = Decimal("0.01")  # of what a market trades within 24 hours
    depth_share: Decimal = Decimal("0.25")  # of the ten best levels that an order meets
    max_daily_loss: Decimal = Decimal(300)
    max_drawdown: Decimal = Decimal(1250)
    max_entries_per_hour: int = 12
    max_quote_age: timedelta = timedelta(seconds=2)
    max_bar_age: float = 1.5  # in bars
    max_clock_skew: timedelta = timedelta(seconds=1)
    collar: Decimal = Decimal("0.005")  # the least; or, if that is more, so many of these:
    collar_spreads: int = 3
    collar_deviations: int = 4  # of one minute
    repeat_window: timedelta = timedelta(seconds=2)
    max_orders_per_minute: int = 10
    max_pressure: float = 30.0  # half of what the exchange bears from its smallest accounts
    max_changes_per_order: int = 10
    shortest_deadline: timedelta = timedelta(seconds=0.5)
    longest_deadline: timedelta = timedelta(seconds=60)
    max_switch_age: timedelta = timedelta(seconds=60)
    # Beyond these a model has to give way to the one before it.
    max_model_loss: Decimal = Decimal(250)  # since its promotion
    max_prediction_seconds: float = 0.02  # of CPU time

    def order_cap(
        self, *, depth: Decimal | None, day_volume: Decimal | None, reduces: bool
    ) -> Decimal:
        """Return the largest value one order may have; what is not known allows nothing.

        Closing is bound by what the book can take only: a position is not an error of size.
        """
        if depth is None or (day_volume is None and not reduces):
            return Decimal(0)
        fits = self.depth_share * depth
        if reduces or day_volume is None:
            return fits
        return min(self.max_order_value, self.volume_share * day_volume, fits)

    def room(
        self,
        *,
        price: Decimal,
        held: Decimal,
        elsewhere: Decimal | None,
        depth: Decimal | None,
        day_volume: Decimal | None,
    ) -> Decimal:
        """Return what one order to buy may cost within every limit on size.

        Args:
            price: The most it may pay for each.
            held: What the market's position is.
            elsewhere: The value held and on order in other markets; None allows nothing.
            depth: The value of the ten best levels that it meets.
            day_volume: What the market traded within 24 hours, in money.
        """
        if elsewhere is None:
            return Decimal(0)
        cap = self.order_cap(depth=depth, day_volume=day_volume, reduces=False)
        here = held * price
        return min(cap, self.max_position_value - here, self.max_gross_value - here - elsewhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a model said, about which bar, and of which features it was computed."""

    probability: float
    bar: datetime
    feature_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order that somebody would like to send; without a claim it may only reduce."""

    decision_id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal
    deadline: timedelta
    claim: Claim | None
    post_only: bool = False

    @property
    def value(self) -> Decimal:
        """The most the order can cost or bring, before fees."""
        return self.quantity * self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An order that was sent within the last minute; `age` is how long ago."""

    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something we asked of the market's engine within the last hour."""

    kind: str  # intended, amending or cancelling
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The account's profit with every position at its present price, after fees.

    `opening` is what it was when the day began and `peak` the most it was within 30 days,
    both counted anew from a halt that a person has lifted.
    """

    profit: Decimal
    opening: Decimal
    peak: Decimal

    @property
    def lost_today(self) -> Decimal:
        """How much less than when the day began."""
        return self.opening - self.profit

    @property
    def drawdown(self) -> Decimal:
        """How much less than at its best."""
        return self.peak - self.profit


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known at the moment of the check; None means that it is not known.

    `position` is the strategy's own quantity of the symbol, `buying` and `selling` what our
    orders that may still trade could add and take away, unknown ones in full. `elsewhere` is
    the value held and on order to buy in all other markets. `cash` is the quote currency we
    hold, `promised` what orders that may still trade would cost. `bid_depth` and `ask_depth`
    are the values of the ten best levels, `volatility` the deviation of a minute's return.
    """

    state: State
    instrument: Instrument
    limits: Limits
    interval: timedelta
    quote: Quote | None
    quote_age: timedelta | None
    trusted: bool
    bar: datetime | None
    bar_age: timedelta | None
    feature_hash: str
    clock_skew: timedelta | None
    volatility: float | None
    day_volume: Decimal | None
    bid_depth: Decimal | None
    ask_depth: Decimal | None
    position: Decimal
    buying: Decimal
    selling: Decimal
    elsewhere: Decimal | None
    cash: Decimal
    promised: Decimal
    standing: Standing | None
    entries: int
    decided: bool
    sent: tuple[Sent, ...]
    acts: tuple[Act, ...]
    exchange_status: str
    switch_age: timedelta | None


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


# Whatever must be finite is a field of one of these.
NAMES = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (Proposal, Claim, View, Limits, Standing, Sent)
}


def senseless(order: Proposal, view: View) -> str | None:
    """Name the first number, of an order or of what is known, that is infinite or none at all."""
    for given in (order, order.claim, view, view.limits, view.standing, *view.sent):
        for name in NAMES[type(given)] if given is not None else ():
            value = getattr(given, name)
            exact = isinstance(value, Decimal) and not value.is_finite()
            if exact or (isinstance(value, float) and not math.isfinite(value)):
                return f"{name} of {value}"
    return None


def pressure(acts: Iterable[Act]) -> float:
    """Return the exchange's counter after these acts, had each cost what it may at worst."""
    counted, before = 0.0, None
    for act in sorted(acts, key=lambda act: act.age, reverse=True):
        counted = _decayed(counted, before, act.age) + COSTS[act.kind]
        before = act.age
    return _decayed(counted, before, ZERO)


def _decayed(counted: float, before: timedelta | None, age: timedelta) -> float:
    passed = ZERO if before is None else before - age
    return max(0.0, counted - DECAY * passed.total_seconds())
