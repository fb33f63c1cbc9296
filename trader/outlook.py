"""Everything that risk looks at, gathered from the record, a desk and the circumstances.

Only `open_books` reads; it works in the caller's transaction and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from market import features
from market.instruments import Side
from trader import accounts
from trader.execution import worst_price
from trader.limits import Act, Sent, View
from trader.memory import Memory
from trader.strategy import Situation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from trader.desk import Desk, Score
    from trader.execution import Policy
    from trader.limits import Limits, Standing
    from trader.memory import Account, Market
    from trader.orders import Order
    from trader.sizing import Appetite

NOTHING = Decimal(0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPEATS_SEEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the shell knows beside the market: the time, the account's state, the limits.

    `marks` are the present prices of the markets, `patience` is how long an order may rest,
    `stopping` means that nothing may rest any more.
    """

    now: datetime
    quote_age: timedelta | None
    exchange_status: str
    deadline: timedelta
    limits: Limits
    policy: Policy
    patience: timedelta
    appetite: Appetite
    marks: Mapping[str, Decimal]
    clock_skew: timedelta | None
    switch_age: timedelta | None
    stopping: bool = False

    @property
    def fresh(self) -> bool:
        """Whether the quote is new enough for an order to be priced by it."""
        age = self.quote_age
        return age is not None and timedelta(0) <= age <= self.limits.max_quote_age


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the record says of the account at one moment, and what that is worth.

    `standing` is None where something is held that no price is known of.
    """

    account: Account
    market: Market
    held: Mapping[str, Decimal]
    cash: Decimal
    standing: Standing | None

    @property
    def pending(self) -> tuple[Order, ...]:
        """Return the orders that may still trade as far as we know."""
        return self.account.pending

    def under_way(self, symbol: str) -> bool:
        """Tell whether an order of this market may still trade."""
        return any(order.symbol == symbol for order in self.pending)


def open_books(
    session: Session,
    desk: Desk,
    around: Circumstances,
    *,
    memory: Memory | None = None,
    at: datetime | None = None,
    unseen: bool = False,
) -> Books:
    """Read what the record says of the account, for a decision on this desk's market.

    Args:
        session: The record.
        desk: The market's.
        around: What else is known.
        memory: What was read before; without it everything is read.
        at: When the bar ended that is decided on; now where it is about none.
        unseen: Whether to take what was read before without looking if it still holds.
    """
    memory = memory or Memory()
    read = memory.recall if unseen else memory.look
    account, market = read(session, desk, at or around.now)
    sums = account.sums
    profit = accounts.profit(sums.totals, around.marks)
    return Books(
        account=account,
        market=market,
        held=sums.held,
        cash=sums.balances.get(desk.instrument.quote, NOTHING),
        standing=None
        if profit is None
        else accounts.standing(profit, account.opening, account.best),
    )


def situation(
    desk: Desk,
    around: Circumstances,
    books: Books,
    *,
    score: Score,
    policy: Policy,
) -> Situation:
    """Return what a decision on the desk's last bar goes by."""
    assert desk.quote is not None
    contract, limits = score.model.served.contract, around.limits
    return Situation(
        instrument=desk.instrument,
        quote=desk.quote,
        policy=policy,
        probability=score.probability,
        base_rate=contract.base_rate,
        gain=contract.gain,
        loss=contract.loss,
        horizon_bars=contract.horizon_bars,
        held=books.held.get(desk.symbol, NOTHING),
        bars_held=_bars_held(books, desk, contract.horizon_bars),
        under_way=books.under_way(desk.symbol),
        cash=books.cash,
        volatility=desk.volatility.over(DAY.total_seconds(), desk.interval.total_seconds()),
        appetite=around.appetite,
        max_position_value=limits.max_position_value,
        most_to_buy=_room(desk, books, around),
        most_to_sell=limits.order_cap(
            depth=desk.bid_depth, day_volume=books.market.day_volume, reduces=True
        ),
    )


def view(desk: Desk, around: Circumstances, books: Books, decision_id: str) -> View:
    """Return what is known at this moment about an order of this desk's market."""
    here = [order for order in books.pending if order.symbol == desk.symbol]
    buying = [order for order in books.pending if order.side is Side.BUY]
    bar = desk.last_bar
    return View(
        state=books.account.state,
        instrument=desk.instrument,
        limits=around.limits,
        interval=desk.interval,
        quote=desk.quote,
        quote_age=around.quote_age,
        trusted=desk.trusted,
        bar=None if bar is None else bar.start,
        bar_age=None if bar is None else around.now - bar.end,
        feature_hash=features.HASH,
        clock_skew=around.clock_skew,
        volatility=desk.volatility.over(60, desk.interval.total_seconds()),
        day_volume=books.market.day_volume,
        bid_depth=desk.bid_depth,
        ask_depth=desk.ask_depth,
        position=books.held.get(desk.symbol, NOTHING),
        buying=sum((o.reserved for o in here if o.side is Side.BUY), NOTHING),
        selling=sum((o.reserved for o in here if o.side is Side.SELL), NOTHING),
        elsewhere=_elsewhere(desk.symbol, books, around.marks),
        cash=books.cash,
        promised=sum((order.reserved * order.limit for order in buying), NOTHING),
        standing=books.standing,
        entries=_entries(desk.symbol, books, around.now),
        decided=any(order.decision_id == decision_id for order in books.account.recent),
        sent=_sent(books, around.now),
        acts=_acts(books, around.now),
        exchange_status=around.exchange_status,
        switch_age=around.switch_age,
    )


def _bars_held(books: Books, desk: Desk, horizon_bars: int) -> int:
    """Count bars since the last decision that bought; without one the horizon has passed."""
    if books.market.bought is None or desk.last_bar is None:
        return horizon_bars
    return (desk.last_bar.start - books.market.bought) // desk.interval


def _elsewhere(symbol: str, books: Books, marks: Mapping[str, Decimal]) -> Decimal | None:
    total = NOTHING
    for order in books.pending:
        if order.symbol != symbol and order.side is Side.BUY:
            total += order.reserved * order.limit
    for other, quantity in books.held.items():
        if other == symbol or quantity <= 0:
            continue
        if other not in marks:
            return None
        total += quantity * marks[other]
    return total


def _room(desk: Desk, books: Books, around: Circumstances) -> Decimal:
    """Return what one order to buy may cost within every limit on size."""
    assert desk.quote is not None
    return around.limits.room(
        price=worst_price(Side.BUY, desk.quote, desk.instrument),
        held=books.held.get(desk.symbol, NOTHING),
        elsewhere=_elsewhere(desk.symbol, books, around.marks),
        depth=desk.ask_depth,
        day_volume=books.market.day_volume,
    )


def _entries(symbol: str, books: Books, now: datetime) -> int:
    since = max(filter(None, (now - HOUR, books.account.lifted.get("repeated_execution"))))
    return sum(
        order.symbol == symbol
        and order.side is Side.BUY
        and order.filled > 0
        and order.created_at > since
        for order in books.account.recent
    )


def _sent(books: Books, now: datetime) -> tuple[Sent, ...]:
    return tuple(
        Sent(
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            limit=order.limit,
            age=now - order.created_at,
        )
        for order in books.account.recent
        if order.created_at >= now - REPEATS_SEEN
    )


def _acts(books: Books, now: datetime) -> tuple[Act, ...]:
    return tuple(Act(kind=kind, age=now - at) for kind, at in books.market.acts if at > now - HOUR)
