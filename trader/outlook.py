"""Everything that risk looks at, gathered from the record, a desk and the circumstances.

Works in the caller's transaction and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from market import features
from market.instruments import Side
from sql.tables import DecisionRow, OrderEventRow, OrderRow, PriceBarRow
from trader import accounts, journal, record
from trader.execution import worst_price
from trader.limits import Act, Sent, View, state_for
from trader.strategy import Situation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from trader.desk import Desk, Score
    from trader.execution import Policy
    from trader.limits import Limits, Standing, State
    from trader.orders import Order
    from trader.sizing import Appetite

NOTHING = Decimal(0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPEATS_SEEN = timedelta(minutes=1)
OUR_ACTS = ("intended", "amending", "cancelling")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the record says of the account at one moment, read once for all who ask.

    `standing` is None where something is held that no price is known of.
    """

    state: State
    totals: Mapping[str, tuple[Decimal, Decimal]]
    held: Mapping[str, Decimal]
    cash: Decimal
    pending: tuple[Order, ...]
    standing: Standing | None
    lifted: Mapping[str, datetime]
    day_volume: Decimal | None

    def under_way(self, symbol: str) -> bool:
        """Tell whether an order of this market may still trade."""
        return any(order.symbol == symbol for order in self.pending)


def open_books(session: Session, desk: Desk, around: Circumstances) -> Books:
    """Read what the record says of the account, for a decision on this desk's market."""
    totals, lifted = accounts.totals(session), accounts.lifted(session)
    profit = accounts.profit(totals, around.marks)
    over_losses = [lifted[code] for code in ("daily_loss", "drawdown") if code in lifted]
    vouched = max(over_losses, default=None)
    return Books(
        state=state(session),
        totals=totals,
        held={symbol: quantity for symbol, (quantity, _) in totals.items()},
        cash=accounts.ledger_balances(session).get(desk.instrument.quote, NOTHING),
        pending=tuple(journal.unsettled_orders(session)),
        standing=None
        if profit is None
        else accounts.standing(session, profit, around.now, vouched),
        lifted=lifted,
        day_volume=_day_volume(session, desk, around.now),
    )


def state(session: Session) -> State:
    """Return the trading state that the standing halts leave."""
    return state_for(halt.reason_code for halt in record.current_halts(session))


def situation(
    session: Session,
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
        bars_held=_bars_held(session, desk, contract.horizon_bars),
        under_way=books.under_way(desk.symbol),
        cash=books.cash,
        volatility=desk.volatility.over(DAY.total_seconds(), desk.interval.total_seconds()),
        appetite=around.appetite,
        max_position_value=limits.max_position_value,
        most_to_buy=_room(desk, books, around),
        most_to_sell=limits.order_cap(
            depth=desk.bid_depth, day_volume=books.day_volume, reduces=True
        ),
    )


def view(
    session: Session, desk: Desk, around: Circumstances, books: Books, decision_id: str
) -> View:
    """Return what is known at this moment about an order of this desk's market."""
    here = [order for order in books.pending if order.symbol == desk.symbol]
    buying = [order for order in books.pending if order.side is Side.BUY]
    bar = desk.last_bar
    return View(
        state=books.state,
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
        day_volume=books.day_volume,
        bid_depth=desk.bid_depth,
        ask_depth=desk.ask_depth,
        position=books.held.get(desk.symbol, NOTHING),
        buying=sum((o.reserved for o in here if o.side is Side.BUY), NOTHING),
        selling=sum((o.reserved for o in here if o.side is Side.SELL), NOTHING),
        elsewhere=_elsewhere(desk.symbol, books, around.marks),
        cash=books.cash,
        promised=sum((order.reserved * order.limit for order in buying), NOTHING),
        standing=books.standing,
        entries=_entries(session, desk.symbol, books, around.now),
        decided=session.scalar(_any_order(decision_id)) is not None,
        sent=_sent(session, around.now),
        acts=_acts(session, desk.symbol, around.now),
        exchange_status=around.exchange_status,
        switch_age=around.switch_age,
    )


def _bars_held(session: Session, desk: Desk, horizon_bars: int) -> int:
    """Count bars since the last decision that bought; without one the horizon has passed."""
    bought = session.scalar(
        select(func.max(DecisionRow.bar_start))
        .join(OrderRow, OrderRow.decision_id == DecisionRow.id)
        .where(DecisionRow.symbol == desk.symbol, OrderRow.side == Side.BUY, OrderRow.filled > 0)
    )
    if bought is None or desk.last_bar is None:
        return horizon_bars
    return (desk.last_bar.start - bought) // desk.interval


def _day_volume(session: Session, desk: Desk, now: datetime) -> Decimal | None:
    return session.scalar(
        select(func.sum(PriceBarRow.volume * PriceBarRow.close)).where(
            PriceBarRow.symbol == desk.symbol,
            PriceBarRow.interval_seconds == desk.interval.total_seconds(),
            PriceBarRow.start >= now - DAY,
        )
    )


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
        day_volume=books.day_volume,
    )


def _entries(session: Session, symbol: str, books: Books, now: datetime) -> int:
    since = max(filter(None, (now - HOUR, books.lifted.get("repeated_execution"))))
    count = session.scalar(
        select(func.count()).where(
            OrderRow.symbol == symbol,
            OrderRow.side == Side.BUY,
            OrderRow.filled > 0,
            OrderRow.created_at > since,
        )
    )
    return count or 0


def _any_order(decision_id: str) -> Select[tuple[str]]:
    return select(OrderRow.id).where(OrderRow.decision_id == decision_id).limit(1)


def _sent(session: Session, now: datetime) -> tuple[Sent, ...]:
    return tuple(
        Sent(
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            limit=order.limit,
            age=now - order.created_at,
        )
        for order in journal.orders_since(session, now - REPEATS_SEEN)
    )


def _acts(session: Session, symbol: str, now: datetime) -> tuple[Act, ...]:
    rows = session.execute(
        select(OrderEventRow.kind, OrderEventRow.at)
        .join(OrderRow, OrderRow.id == OrderEventRow.order_id)
        .where(
            OrderRow.symbol == symbol,
            OrderEventRow.kind.in_(OUR_ACTS),
            OrderEventRow.at > now - HOUR,
        )
    )
    return tuple(Act(kind=kind, age=now - at) for kind, at in rows)
