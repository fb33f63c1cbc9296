"""What happens when a bar has closed: score it, decide, check, and write all of it down.

Everything is one transaction, the caller's. An order comes back only once its decision
and its intent are in it, so that committing and then sending is all that is left to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from sql.tables import DecisionRow, OrderRow
from trader import accounts, history, journal, record, risk, strategy
from trader.market import Side
from trader.orders import Order, client_order_id

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from trader.bars import Bar
    from trader.desk import Desk, Score
    from trader.risk import Limits
    from trader.strategy import Wanted

NOTHING = Decimal(0)
FIRST_ATTEMPT = 1
REPEATS_SEEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the shell knows beside the market: the time, the account's state, the limits."""

    now: datetime
    quote_age: timedelta | None
    exchange_status: str
    deadline: timedelta
    limits: Limits


@dataclass(frozen=True, slots=True)
class _Turn:
    session: Session
    desk: Desk
    bar: Bar
    around: Circumstances


def close_bar(session: Session, desk: Desk, bar: Bar, around: Circumstances) -> Order | None:
    """Take a closed bar in and return the order to send, if there is one."""
    turn = _Turn(session, desk, bar, around)
    beside = history.closes_beside(session, bar.symbol, bar.interval, bar.start)
    scores = desk.score(bar, beside)
    ids = {score.model.version: _record_score(turn, score) for score in scores}
    leading = next((score for score in scores if score.model.role == "production"), None)
    if leading is None:
        desk.last_word = "warming up" if "production" in desk.models else "no production model"
        return None
    if desk.quote is None or desk.instrument.taker_fee is None:
        desk.last_word = "no quote" if desk.quote is None else "the taker fee is not known"
        return None
    now = _situation(turn, leading)
    wanted = _checked(turn, leading, strategy.decide(now))
    if wanted.reason_code == "daily_loss":
        _halt_entries(turn, wanted)
    desk.last_word = wanted.reason
    decided = record.record_decision(
        session,
        wanted,
        symbol=desk.symbol,
        bar_start=bar.start,
        prediction_id=ids[leading.model.version],
        inputs=_inputs(now, leading, around),
        at=around.now,
    )
    return None if decided is None else _intend(turn, decided, wanted)


def _checked(turn: _Turn, score: Score, wanted: Wanted) -> Wanted:
    verdict = _judge(turn, score, wanted)
    if isinstance(verdict, risk.Allowed):
        return wanted
    return replace(
        wanted,
        action="none",
        target=wanted.held,
        reason_code=verdict.code,
        reason=f"{wanted.reason}; refused: {verdict.reason}",
    )


def _halt_entries(turn: _Turn, wanted: Wanted) -> None:
    record.halt(
        turn.session,
        reason_code=wanted.reason_code,
        reason=wanted.reason,
        who="trader",
        at=turn.around.now,
    )


def _intend(turn: _Turn, decision_id: str, wanted: Wanted) -> Order | None:
    if wanted.side is None or wanted.limit is None:
        return None
    order = Order(
        id=client_order_id(decision_id, FIRST_ATTEMPT),
        decision_id=decision_id,
        symbol=turn.desk.symbol,
        side=wanted.side,
        quantity=wanted.quantity,
        limit=wanted.limit,
        created_at=turn.around.now,
        deadline=turn.around.now + turn.around.deadline,
    )
    return order if journal.record_intent(turn.session, order) else None


def _record_score(turn: _Turn, score: Score) -> int:
    contract = score.model.served.contract
    return record.record_prediction(
        turn.session,
        symbol=turn.bar.symbol,
        interval_seconds=contract.interval_seconds,
        bar_start=turn.bar.start,
        model_version=score.model.version,
        role=score.model.role,
        probability=score.probability,
        horizon_bars=contract.horizon_bars,
        feature_hash=contract.feature_hash,
        features=score.row.tolist(),
        at=turn.around.now,
    )


def _situation(turn: _Turn, score: Score) -> strategy.Situation:
    session, desk = turn.session, turn.desk
    assert desk.quote is not None
    contract = score.model.served.contract
    held = accounts.held(session, desk.symbol)
    cash = accounts.ledger_balances(session).get(desk.instrument.quote, NOTHING)
    return strategy.Situation(
        instrument=desk.instrument,
        quote=desk.quote,
        probability=score.probability,
        gain=contract.gain,
        loss=contract.loss,
        horizon_bars=contract.horizon_bars,
        held=held,
        bars_held=_bars_held(turn, contract.horizon_bars),
        cash=cash,
        max_position_value=turn.around.limits.max_position_value,
    )


def _bars_held(turn: _Turn, horizon_bars: int) -> int:
    """Count bars since the last decision that bought; without one the horizon has passed."""
    bought = turn.session.scalar(
        select(func.max(DecisionRow.bar_start))
        .join(OrderRow, OrderRow.decision_id == DecisionRow.id)
        .where(
            DecisionRow.symbol == turn.desk.symbol, OrderRow.side == Side.BUY, OrderRow.filled > 0
        )
    )
    return horizon_bars if bought is None else (turn.bar.start - bought) // turn.desk.interval


def _judge(turn: _Turn, score: Score, wanted: Wanted) -> risk.Verdict:
    session, desk, bar, around = turn.session, turn.desk, turn.bar, turn.around
    if wanted.side is None or wanted.limit is None:
        return risk.Allowed()
    pending = journal.unsettled_orders(session)
    here = [order for order in pending if order.symbol == desk.symbol]
    buying = [order for order in pending if order.side is Side.BUY]
    proposal = risk.Proposal(
        decision_id=record.decision_id(desk.symbol, bar.start),
        symbol=desk.symbol,
        side=wanted.side,
        quantity=wanted.quantity,
        limit=wanted.limit,
        probability=score.probability,
    )
    view = risk.View(
        state=risk.state_for(halt.reason_code for halt in record.current_halts(session)),
        instrument=desk.instrument,
        quote=desk.quote,
        quote_age=around.quote_age,
        trusted=desk.trusted,
        bar_age=around.now - bar.end,
        interval=desk.interval,
        position=wanted.held,
        buying=sum((o.reserved for o in here if o.side is Side.BUY), NOTHING),
        selling=sum((o.reserved for o in here if o.side is Side.SELL), NOTHING),
        cash=accounts.ledger_balances(session).get(desk.instrument.quote, NOTHING),
        promised=sum((order.reserved * order.limit for order in buying), NOTHING),
        exchange_status=around.exchange_status,
        realised_today=accounts.realised_since(session, _midnight(around.now)),
        limits=around.limits,
        sent=_sent(session, around.now),
    )
    return risk.check(proposal, view)


def _sent(session: Session, now: datetime) -> tuple[risk.Sent, ...]:
    return tuple(
        risk.Sent(
            decision_id=order.decision_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            limit=order.limit,
            age=now - order.created_at,
        )
        for order in journal.orders_since(session, now - REPEATS_SEEN)
    )


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _inputs(now: strategy.Situation, score: Score, around: Circumstances) -> dict[str, Any]:
    return {
        "model_version": score.model.version,
        "run_id": score.model.run_id,
        "artifact_sha256": score.model.artifact_sha256,
        "probability": now.probability,
        "gain": now.gain,
        "loss": now.loss,
        "bid": str(now.quote.bid),
        "ask": str(now.quote.ask),
        "quote_at": now.quote.at.isoformat(),
        "taker_fee": str(now.instrument.taker_fee),
        "bars_held": now.bars_held,
        "horizon_bars": now.horizon_bars,
        "cash": str(now.cash),
        "exchange_status": around.exchange_status,
    }
