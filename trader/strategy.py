"""What position to want: long or flat, and only where the edge pays for itself.

Everything is per unit of money put in. A model's probability of a rise beyond cost is
weighed with the mean forward return of the bars that did rise so (`gain`) and the mean
loss of those that did not (`loss`), both gross:

    edge = p * gain - (1 - p) * loss          expected value = edge - cost

How much to put in is trader/sizing.py's; how the order is worked, trader/execution.py's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from market.instruments import Instrument, Quote, Side, round_down
from trader.execution import Policy, opening_limit, worst_price
from trader.sizing import Appetite, Size, size

if TYPE_CHECKING:
    from collections.abc import Callable

Action = Literal["buy", "sell", "none"]
ZERO = Decimal(0)

# What must be left of the expected value after every cost before money is put in.
MARGIN = 0.0005
# The part of the free cash one order may use; the rest is for fees and price moves.
CASH_SHARE = Decimal("0.95")
# A position is not adjusted for less than this part of it: it would cost more than it mends.
BAND = Decimal("0.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known when a bar has closed; `gain`, `loss` and `base_rate` are the model's.

    `held` is the strategy's own quantity and `bars_held` how long since it was opened,
    `under_way` whether an order of this market may still trade. `volatility` is the
    deviation of a day's return. `most_to_buy` and `most_to_sell` are what one order may be
    worth.
    """

    instrument: Instrument
    quote: Quote
    policy: Policy
    probability: float
    base_rate: float
    gain: float
    loss: float
    horizon_bars: int
    held: Decimal
    bars_held: int
    under_way: bool
    cash: Decimal
    volatility: float | None
    appetite: Appetite
    max_position_value: Decimal
    most_to_buy: Decimal
    most_to_sell: Decimal

    def __post_init__(self) -> None:
        if not (0 < self.probability < 1 and 0 < self.base_rate < 1):
            raise ValueError(f"not a probability: {self.probability} or {self.base_rate}")
        if not (math.isfinite(self.gain) and math.isfinite(self.loss)):
            raise ValueError(f"gain and loss must be finite: {self.gain}, {self.loss}")
        if self.instrument.taker_fee is None or self.instrument.maker_fee is None:
            raise ValueError(f"the fees of {self.instrument.symbol} are not known")

    @property
    def edge(self) -> float:
        """The expected return over the horizon, before any cost."""
        return self.probability * self.gain - (1 - self.probability) * self.loss

    @property
    def way_out(self) -> float:
        """What it costs to get out at once; an order that rests may not find a buyer."""
        return float(self.instrument.taker_fee or 0) + self.quote.spread / 2

    @property
    def round_trip(self) -> float:
        """What it costs to get in as orders are worked, and out again at once."""
        if self.policy is Policy.POST_ONLY:
            return float(self.instrument.maker_fee or 0) + self.way_out
        return 2 * self.way_out

    @property
    def sized(self) -> Size:
        """What share of the money the edge is worth."""
        cost = self.round_trip
        return size(
            self.probability,
            base_rate=self.base_rate,
            gain=self.gain - cost,
            loss=self.loss + cost,
            volatility=self.volatility,
            appetite=self.appetite,
        )

    @property
    def money(self) -> Decimal:
        """What there is to trade with: the cash and the position."""
        return self.cash + self.held * self.quote.bid

    def most(self, sized: Size) -> Decimal:
        """Return the largest position that limit and volatility allow, in money."""
        return min(self.max_position_value, self.money * Decimal(sized.budget))

    def wanted(self, sized: Size) -> Decimal:
        """Return the position that the edge is worth, in money."""
        return min(self.most(sized), self.money * Decimal(sized.share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A decision with its reason; an order follows only if `action` is not none.

    The order may be moved up to `worst` if it rests.
    """

    action: Action
    target: Decimal
    held: Decimal
    quantity: Decimal
    limit: Decimal | None
    worst: Decimal | None
    expected_value: float | None
    cost: float | None
    reason_code: str
    reason: str

    @property
    def side(self) -> Side | None:
        """Which side the order is on, if there is one."""
        return None if self.action == "none" else Side(self.action)


def nothing(held: Decimal, code: str, reason: str) -> Wanted:
    """Decide to do nothing, for want of what a decision needs."""
    return Wanted(
        action="none",
        target=held,
        held=held,
        quantity=ZERO,
        limit=None,
        worst=None,
        expected_value=None,
        cost=None,
        reason_code=code,
        reason=reason,
    )


def decide(now: Situation, *, margin: float = MARGIN) -> Wanted:
    """Decide on one closed bar, with a sentence that holds the numbers.

    What is too little to be sold counts as nothing held. A position is left when its
    horizon has passed and the edge no longer pays for the way out, or earlier when the
    model expects a loss larger than that. Within its horizon it is trimmed to what the
    market's volatility allows, or added to on an edge that pays for another round trip.
    """
    if now.under_way:
        return _writer(now, now.edge - now.round_trip, now.round_trip)(
            "none", ZERO, "under_way", f"{_edge(now)}; an order of this market may still trade"
        )
    if now.held < now.instrument.quantity_min:
        return _enter(now, margin, ZERO, "no_edge")
    return _stay_or_leave(now, margin)


def close_out(
    instrument: Instrument, quote: Quote, policy: Policy, *, held: Decimal, most: Decimal, why: str
) -> Wanted:
    """Sell what is held because a person said so, as much as one order may."""
    limit = opening_limit(policy, Side.SELL, quote, instrument)
    quantity = round_down(min(held, most / limit), instrument.quantity_decimals)
    return Wanted(
        action="sell",
        target=held - quantity,
        held=held,
        quantity=quantity,
        limit=limit,
        worst=worst_price(Side.SELL, quote, instrument) if policy is Policy.POST_ONLY else None,
        expected_value=None,
        cost=None,
        reason_code="flatten",
        reason=f"{why}; sell {quantity} of {held} held, {policy}",
    )


def _enter(now: Situation, margin: float, have: Decimal, otherwise: str) -> Wanted:
    cost = now.round_trip
    value = now.edge - cost
    say = _writer(now, value, cost)
    terms = f"{_edge(now)} less a round trip of {cost:.3%} leaves {value:+.3%}"
    if value <= margin:
        return say("none", ZERO, otherwise, f"{terms}; at least {margin:.3%} is wanted")
    sized = now.sized
    worth = now.wanted(sized)
    wanted = f"{terms}; Kelly's stake {sized.kelly:.2f}, budget {sized.budget:.2f}"
    if worth <= have * (1 + BAND):
        code = otherwise if have else "no_stake"
        return say("none", ZERO, code, f"{wanted}: {worth:.2f} wanted, {have:.2f} held")
    limit = opening_limit(now.policy, Side.BUY, now.quote, now.instrument)
    money = min(worth - have, now.most_to_buy, now.cash * CASH_SHARE)
    quantity = round_down(max(money, ZERO) / limit, now.instrument.quantity_decimals)
    if quantity < now.instrument.quantity_min or quantity * limit < now.instrument.cost_min:
        return say("none", ZERO, "too_small", f"{wanted}; {money:.2f} buys less than a lot")
    code = "add" if have else "edge"
    return say("buy", quantity, code, f"{wanted}; buy {quantity} at {limit}, {now.policy}")


def _stay_or_leave(now: Situation, margin: float) -> Wanted:
    edge, cost = now.edge, now.way_out
    value = edge - cost
    say = _writer(now, value, cost)
    terms = f"held {now.bars_held} of {now.horizon_bars} bars; {_edge(now)}"
    if edge <= -cost:
        return _sell(now, now.held, "turned", f"{terms}, a loss beyond {cost:.3%}")
    if now.bars_held >= now.horizon_bars:
        if value > 0:
            ending = f"more than the way out of {cost:.3%}; hold on"
            return say("none", ZERO, "renewed", f"{terms}, {ending}")
        return _sell(now, now.held, "horizon", f"{terms}, not worth the {cost:.3%} to leave")
    worth, most = now.held * now.quote.bid, now.most(now.sized)
    if worth > most * (1 + BAND):
        excess = now.held - most / now.quote.bid
        return _sell(now, excess, "trim", f"{terms}; {worth:.2f} held, {most:.2f} allowed")
    return _enter(now, margin, worth, "holding")


def _sell(now: Situation, quantity: Decimal, code: str, why: str) -> Wanted:
    say = _writer(now, now.edge - now.way_out, now.way_out)
    limit = opening_limit(now.policy, Side.SELL, now.quote, now.instrument)
    fits = min(quantity, now.held, now.most_to_sell / limit)
    quantity = round_down(max(fits, ZERO), now.instrument.quantity_decimals)
    if quantity < now.instrument.quantity_min:
        return say("none", ZERO, "too_small", f"{why}; {quantity} is less than a lot")
    return say("sell", quantity, code, f"{why}; sell {quantity} at {limit}, {now.policy}")


def _edge(now: Situation) -> str:
    return (
        f"p {now.probability:.3f} of {now.gain:+.3%} against {-now.loss:+.3%} "
        f"is an edge of {now.edge:+.3%}"
    )


def _writer(now: Situation, value: float, cost: float) -> Callable[..., Wanted]:
    def say(action: Action, quantity: Decimal, code: str, reason: str) -> Wanted:
        side = None if action == "none" else Side(action)
        change = {"buy": quantity, "sell": -quantity, "none": ZERO}[action]
        rests = side is not None and now.policy is Policy.POST_ONLY
        return Wanted(
            action=action,
            target=now.held + change,
            held=now.held,
            quantity=quantity,
            limit=None
            if side is None
            else opening_limit(now.policy, side, now.quote, now.instrument),
            worst=worst_price(side, now.quote, now.instrument) if rests and side else None,
            expected_value=value,
            cost=cost,
            reason_code=code,
            reason=reason,
        )

    return say
