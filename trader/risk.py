"""What may be sent: sixteen checks every order must pass, each with codes of its own.

Checks run in order and the first that fails refuses. Whatever is missing or makes no
sense refuses too. Cancelling needs nobody's leave. docs/risk.md has the limits, and how
often each would trip by chance.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from market.instruments import Side
from trader.limits import COSTS, Allowed, Refused, State, pressure, senseless

if TYPE_CHECKING:
    from trader.limits import Claim, Limits, Proposal, Standing, Verdict, View

ZERO = timedelta(0)
MINUTE = timedelta(minutes=1)
# What the exchange takes in each of its modes: marketable orders, and resting ones.
MARKETABLE_IN = frozenset({"online", "limit_only"})
RESTING_IN = MARKETABLE_IN | {"post_only"}


def check(order: Proposal, view: View) -> Verdict:
    """Judge an order against everything that is known; the first failure decides."""
    for test in CHECKS:
        refused = test(order, view)
        if refused is not None:
            return refused
    return Allowed()


def reduces(order: Proposal, view: View) -> bool:
    """Tell whether an order can only make the position smaller, whatever else still trades."""
    return order.side is Side.SELL and order.quantity <= view.position - view.selling


def trading_state(order: Proposal, view: View) -> Refused | None:
    """Halted, nothing is sent; reducing, only what makes the position smaller."""
    if wrong := senseless(order, view):
        return _no("not_finite", f"{wrong} is not a finite number")
    if view.state is State.HALTED:
        return _no("halted", "trading is halted until a person resumes it")
    if view.state is State.REDUCING and not reduces(order, view):
        return _no("reducing_only", f"only orders that reduce the {view.position} held may go")
    return None


def amounts(order: Proposal, view: View) -> Refused | None:
    """Amounts are positive, on the market's grid, and at least its minimum."""
    instrument = view.instrument
    if order.symbol != instrument.symbol:
        return _no("wrong_market", f"{order.symbol} was judged as {instrument.symbol}")
    for name, amount, decimals in (
        ("quantity", order.quantity, instrument.quantity_decimals),
        ("limit", order.limit, instrument.price_decimals),
    ):
        if amount <= 0:
            return _no("not_positive", f"a {name} of {amount}")
        if amount != round(amount, decimals):
            return _no("precision", f"a {name} of {amount} has more than {decimals} decimals")
    if order.quantity < instrument.quantity_min:
        return _no("below_minimum", f"{order.quantity} is less than {instrument.quantity_min}")
    if order.value < instrument.cost_min:
        return _no("below_minimum", f"{order.value} is worth less than {instrument.cost_min}")
    return None


def freshness(order: Proposal, view: View) -> Refused | None:
    """The book is verified and new, and the model saw the bar that has just closed."""
    # Without a claim there is no bar to be stale; the last check lets only a closing pass.
    return _fresh_book(view) or (None if order.claim is None else _fresh_bar(order.claim, view))


def clock(_order: Proposal, view: View) -> Refused | None:
    """Our clock and the exchange's agree, by the median of its last 50 messages."""
    skew, most = view.clock_skew, view.limits.max_clock_skew
    if skew is not None and abs(skew) <= most:
        return None
    said = "not known" if skew is None else f"{skew.total_seconds():+.3f} s"
    return _no("clock_skew", f"our clock's skew is {said}, at most {most.total_seconds():g} s")


def collar(order: Proposal, view: View) -> Refused | None:
    """The limit is near the middle of a two-sided book; there are no market orders."""
    if view.quote is None:
        return _no("no_quote", "there is no two-sided book")
    limits, middle = view.limits, view.quote.middle
    widest = max(
        limits.collar,
        limits.collar_spreads * (view.quote.ask - view.quote.bid) / middle,
        limits.collar_deviations * Decimal(view.volatility or 0),
    )
    distance = abs(order.limit / middle - 1)
    if distance > widest:
        return _no("collar", f"{order.limit} is {distance:.3%} from {middle}, at most {widest:.3%}")
    return None


def fat_finger(order: Proposal, view: View) -> Refused | None:
    """One order is small beside our limit, a day's volume and the book it meets."""
    most = view.limits.order_cap(
        depth=view.ask_depth if order.side is Side.BUY else view.bid_depth,
        day_volume=view.day_volume,
        reduces=reduces(order, view),
    )
    if order.value > most:
        return _no("order_size", f"{order.value:.2f} in one order, at most {most:.2f} here and now")
    return None


def exposure(order: Proposal, view: View) -> Refused | None:
    """What is held and on order stays within limits, in this market and in all; never short."""
    if order.side is Side.SELL:
        left = view.position - view.selling - order.quantity
        if left < 0:
            return _no("oversold", f"{order.quantity} is more than the {view.position} held")
        return None
    value = (view.position + view.buying + order.quantity) * order.limit
    most = view.limits.max_position_value
    if value > most:
        return _no("max_position", f"{value:.2f} would be held or ordered, at most {most}")
    if view.elsewhere is None:
        return _no("max_gross", "what other markets hold has no known price")
    gross, most = value + view.elsewhere, view.limits.max_gross_value
    if gross > most:
        return _no("max_gross", f"{gross:.2f} would be held or ordered in all, at most {most}")
    return None


def cash(order: Proposal, view: View) -> Refused | None:
    """The cash that no other order may need pays for the order and its fee."""
    if order.side is Side.SELL:
        return None
    fee = view.instrument.taker_fee
    if fee is None:
        return _no("fee_unknown", f"the taker fee of {view.instrument.symbol} is not known")
    needed, free = order.value * (1 + fee), view.cash - view.promised * (1 + fee)
    if needed > free:
        return _no("cash", f"{needed:.2f} is needed with fees, {free:.2f} is free")
    return None


def duplicate(order: Proposal, view: View) -> Refused | None:
    """No decision is sent twice, ever, and no twin of an order just sent."""
    if view.decided:
        return _no("duplicate", f"decision {order.decision_id} has sent an order already")
    for sent in view.sent:
        same = (sent.symbol, sent.side, sent.quantity, sent.limit)
        if (
            same == (order.symbol, order.side, order.quantity, order.limit)
            and sent.age <= view.limits.repeat_window
        ):
            return _no("duplicate", f"the same order went {sent.age.total_seconds():.1f} s ago")
    return None


def throttle(order: Proposal, view: View) -> Refused | None:
    """We ask little of the exchange: orders a minute, its own counter, changes an order."""
    limits = view.limits
    recent = sum(sent.age < MINUTE for sent in view.sent)
    if recent >= limits.max_orders_per_minute:
        return _no("throttle", f"{recent} orders went within a minute")
    counted = pressure(view.acts) + COSTS["intended"]
    if counted > limits.max_pressure:
        most = limits.max_pressure
        return _no("throttle", f"the exchange would count {counted:.0f}, at most {most:g}")
    changes = sum(act.kind != "intended" for act in view.acts)
    orders = len(view.acts) - changes
    if changes > limits.max_changes_per_order * (orders + 1) and not reduces(order, view):
        return _no("cancel_ratio", f"{changes} changes to {orders} orders within an hour")
    return None


def repeated_execution(order: Proposal, view: View) -> Refused | None:
    """A strategy that enters again and again is stopped until a person allows it."""
    if view.entries < view.limits.max_entries_per_hour or reduces(order, view):
        return None
    return _no("repeated_execution", f"{view.entries} entries within an hour")


def losses(order: Proposal, view: View) -> Refused | None:
    """The day's loss and the drawdown, positions at their present price, are bounded."""
    if reduces(order, view):
        return None
    if view.standing is None:
        return _no("equity_unknown", "a position has no known price")
    return breach(view.standing, view.limits)


def breach(standing: Standing, limits: Limits) -> Refused | None:
    """Return which limit on losses the account has reached, if any."""
    for code, lost, most in (
        ("daily_loss", standing.lost_today, limits.max_daily_loss),
        ("drawdown", standing.drawdown, limits.max_drawdown),
    ):
        if lost >= most:
            return _no(code, f"{lost:.2f} was lost, positions at their price, at most {most}")
    return None


def exchange_status(order: Proposal, view: View) -> Refused | None:
    """The exchange is in a mode that takes such an order, and reports to us."""
    if view.exchange_status in (RESTING_IN if order.post_only else MARKETABLE_IN):
        return None
    return _no("exchange_status", f"the exchange is {view.exchange_status or 'silent'}, not online")


def deadline(order: Proposal, view: View) -> Refused | None:
    """The exchange itself refuses the order if it comes late."""
    shortest, longest = view.limits.shortest_deadline, view.limits.longest_deadline
    if shortest <= order.deadline <= longest:
        return None
    return _no("deadline", f"a deadline of {order.deadline.total_seconds():g} s")


def dead_mans_switch(order: Proposal, view: View) -> Refused | None:
    """An order that rests is cancelled by the exchange should we fall silent."""
    if not order.post_only:
        return None
    age, most = view.switch_age, view.limits.max_switch_age
    if age is not None and ZERO <= age <= most:
        return None
    return _no("switch", "the exchange would not cancel what rests if we fell silent")


def model(order: Proposal, view: View) -> Refused | None:
    """The probability is one, of the features we compute; without one we only close."""
    claim = order.claim
    if claim is None:
        return None if reduces(order, view) else _no("model", "no model stands behind the order")
    if not 0 < claim.probability < 1:
        return _no("model", f"{claim.probability} is not a probability")
    if claim.feature_hash != view.feature_hash:
        return _no("model", "the model was made for other features than we compute")
    return None


CHECKS = (
    trading_state,
    amounts,
    freshness,
    clock,
    collar,
    fat_finger,
    exposure,
    cash,
    duplicate,
    throttle,
    repeated_execution,
    losses,
    exchange_status,
    deadline,
    dead_mans_switch,
    model,
)


def _fresh_book(view: View) -> Refused | None:
    if not view.trusted:
        return _no("untrusted_feed", "the book is between a gap and its next snapshot")
    if view.quote is None or view.quote_age is None:
        return _no("no_quote", "there is no two-sided book")
    if not ZERO <= view.quote_age <= view.limits.max_quote_age:
        return _no("stale_quote", f"the book is {view.quote_age.total_seconds():.1f} s old")
    return None


def _fresh_bar(claim: Claim, view: View) -> Refused | None:
    oldest = view.interval * view.limits.max_bar_age
    if view.bar_age is None or not ZERO <= view.bar_age <= oldest:
        age = "unknown" if view.bar_age is None else f"{view.bar_age.total_seconds():.0f} s"
        return _no("stale_bar", f"the bar's age is {age}, at most {oldest.total_seconds():.0f} s")
    if claim.bar != view.bar:
        return _no("stale_bar", f"the model saw the bar of {claim.bar}, not of {view.bar}")
    return None


def _no(code: str, reason: str) -> Refused:
    return Refused(code=code, reason=reason)
