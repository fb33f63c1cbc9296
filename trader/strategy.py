"""What position to want: long or flat, and only where the edge pays for itself.

Everything is per unit of money put in. A model's probability of a rise beyond cost is
weighed with the mean forward return of the bars that did rise so (`gain`) and the mean
loss of those that did not (`loss`), both gross:

    edge = p * gain - (1 - p) * loss          expected value = edge - cost
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from trader.market import Instrument, Quote, Side, round_down, round_price

if TYPE_CHECKING:
    from collections.abc import Callable

Action = Literal["buy", "sell", "none"]
ZERO = Decimal(0)

# How far beyond the best price an order may reach; half the collar that risk enforces.
REACH = Decimal("0.0025")
# What must be left of the expected value after every cost before money is put in.
MARGIN = 0.0005
# The part of the free cash one order may use; the rest is for fees and price moves.
CASH_SHARE = Decimal("0.95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known when a bar has closed; `gain` and `loss` are the model's, gross.

    `held` is the strategy's own quantity and `bars_held` how long since it was opened.
    """

    instrument: Instrument
    quote: Quote
    probability: float
    gain: float
    loss: float
    horizon_bars: int
    held: Decimal
    bars_held: int
    cash: Decimal
    max_position_value: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.probability < 1:
            raise ValueError(f"not a probability: {self.probability}")
        if not (math.isfinite(self.gain) and math.isfinite(self.loss)):
            raise ValueError(f"gain and loss must be finite: {self.gain}, {self.loss}")
        if self.instrument.taker_fee is None:
            raise ValueError(f"the taker fee of {self.instrument.symbol} is not known")

    @property
    def fee(self) -> float:
        """The real taker fee, as a fraction."""
        return float(self.instrument.taker_fee or 0)

    @property
    def edge(self) -> float:
        """The expected return over the horizon, before any cost."""
        return self.probability * self.gain - (1 - self.probability) * self.loss

    @property
    def round_trip(self) -> float:
        """What it costs to get in and out again."""
        return 2 * self.fee + self.quote.spread

    @property
    def way_out(self) -> float:
        """What it costs to get out."""
        return self.fee + self.quote.spread / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A decision with its reason; an order follows only if `action` is not none."""

    action: Action
    target: Decimal
    held: Decimal
    quantity: Decimal
    limit: Decimal | None
    expected_value: float
    cost: float
    reason_code: str
    reason: str

    @property
    def side(self) -> Side | None:
        """Which side the order is on, if there is one."""
        return None if self.action == "none" else Side(self.action)


def decide(now: Situation, *, margin: float = MARGIN, reach: Decimal = REACH) -> Wanted:
    """Decide on one closed bar, with a sentence that holds the numbers.

    What is too little to be sold counts as nothing held. A position is left when its
    horizon has passed and the edge no longer pays for the way out, or earlier when the
    model expects a loss larger than that.
    """
    if now.held < now.instrument.quantity_min:
        return _entry(now, margin, reach)
    return _exit(now, reach)


def _entry(now: Situation, margin: float, reach: Decimal) -> Wanted:
    value = now.edge - now.round_trip
    say = _writer(now, value, now.round_trip)
    terms = f"{_edge(now)} less a round trip of {now.round_trip:.3%} leaves {value:+.3%}"
    if value <= margin:
        return say("none", ZERO, None, "no_edge", f"{terms}; at least {margin:.3%} is wanted")
    limit = round_price(now.quote.ask * (1 + reach), now.instrument, Side.BUY)
    money = min(now.max_position_value, now.cash * CASH_SHARE)
    quantity = round_down(max(money, ZERO) / limit, now.instrument.quantity_decimals)
    if quantity < now.instrument.quantity_min or quantity * limit < now.instrument.cost_min:
        return say("none", ZERO, None, "too_small", f"{terms}; {money:.2f} buys less than a lot")
    return say("buy", quantity, limit, "edge", f"{terms}; buy {quantity} up to {limit}")


def _exit(now: Situation, reach: Decimal) -> Wanted:
    value = now.edge - now.way_out
    say = _writer(now, value, now.way_out)
    terms = f"held {now.bars_held} of {now.horizon_bars} bars; {_edge(now)}"
    limit = round_price(now.quote.bid * (1 - reach), now.instrument, Side.SELL)
    quantity = round_down(now.held, now.instrument.quantity_decimals)
    if now.edge <= -now.way_out:
        ending = f"a loss beyond the way out of {now.way_out:.3%}; sell {quantity} down to {limit}"
        return say("sell", quantity, limit, "turned", f"{terms}, {ending}")
    if now.bars_held < now.horizon_bars:
        return say("none", ZERO, None, "holding", f"{terms}; the horizon has not passed")
    if value > 0:
        ending = f"more than the way out of {now.way_out:.3%}; hold on"
        return say("none", ZERO, None, "renewed", f"{terms}, {ending}")
    ending = f"not worth the way out of {now.way_out:.3%}; sell {quantity} down to {limit}"
    return say("sell", quantity, limit, "horizon", f"{terms}, {ending}")


def _edge(now: Situation) -> str:
    return (
        f"p {now.probability:.3f} of {now.gain:+.3%} against {-now.loss:+.3%} "
        f"is an edge of {now.edge:+.3%}"
    )


def _writer(now: Situation, value: float, cost: float) -> Callable[..., Wanted]:
    def say(
        action: Action, quantity: Decimal, limit: Decimal | None, code: str, reason: str
    ) -> Wanted:
        change = {"buy": quantity, "sell": -quantity, "none": ZERO}[action]
        return Wanted(
            action=action,
            target=now.held + change,
            held=now.held,
            quantity=quantity,
            limit=limit,
            expected_value=value,
            cost=cost,
            reason_code=code,
            reason=reason,
        )

    return say
