"""What happens when a bar has closed: score it, decide, check, and write all of it down.

Everything works in the caller's transaction. An order comes back only once its decision
and its intent are in it, so that committing and then sending is all that is left to do. They
are written only if the account is still what it was when it was read. What no order has to
wait for, the bar itself and what the account is worth, is kept after that.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from market import history
from sql import trip
from sql.tables import OrderRow
from trader import accounts, outlook, record, risk, strategy
from trader.execution import Policy
from trader.limits import LATCHING_CODES, Refused, State
from trader.memory import Memory
from trader.supervision import Supervision
from trader.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from market.bars import Bar
    from sql.trip import Statement
    from trader.desk import Desk, Score
    from trader.orders import Order
    from trader.outlook import Circumstances
    from trader.record import Halt
    from trader.strategy import Wanted

NOTHING = Decimal(0)


def close_bar(
    session: Session, desk: Desk, bar: Bar, around: Circumstances, memory: Memory | None = None
) -> Order | None:
    """Take a closed bar in, decide, and return the order to send, if there is one.

    What the memory holds for the bar's end is not read again unless the record has changed.
    """
    memory = memory or Memory()
    books = outlook.open_books(session, desk, around, memory=memory, at=bar.end, unseen=True)
    beside = memory.beside(session, desk, bar.start)
    scores = Supervision(session, desk, around, books).scores(desk.take(bar, beside))
    leading = next((score for score in scores if score.model.role == "production"), None)
    desk.leading, desk.worked = leading, None
    turn = Turn(session, desk, around, books, memory, bar.end, leading)
    written = [turn.prediction(score) for score in scores]
    if leading is not None:
        return _decide(turn, around.policy, written)
    desk.last_word = desk.without_a_score()
    if written:
        trip.run(session, written)
    return None


def keep_bar(
    session: Session, desk: Desk, bar: Bar, around: Circumstances, memory: Memory | None = None
) -> None:
    """Write a closed bar down and what the account was worth; halt where that lost too much."""
    memory = memory or Memory()
    books = outlook.open_books(session, desk, around, memory=memory, at=bar.end)
    written, standing = history.recording(bar), books.standing
    if standing is not None:
        memory.marked(bar.end)
        written.append(accounts.equity_mark(bar.end, standing.profit))
    trip.run(session, written)
    if standing is not None and books.account.state is State.ACTIVE:
        _latch(session, desk, around, risk.breach(standing, around.limits))


def decide_again(
    session: Session, desk: Desk, around: Circumstances, memory: Memory | None = None
) -> Order | None:
    """Decide once more on the last bar, and take what is there: resting has not filled us."""
    if desk.leading is None:
        return None
    memory = memory or Memory()
    books = outlook.open_books(session, desk, around, memory=memory)
    turn = Turn(session, desk, around, books, memory, score=desk.leading, suffix="-again")
    return _decide(turn, Policy.MARKETABLE)


def flatten(
    session: Session,
    desk: Desk,
    around: Circumstances,
    halt: Halt,
    memory: Memory | None = None,
) -> Order | None:
    """Sell what the market's position still is, because a person said so.

    Returns:
        The order to send; None while one is under way, nothing is left to be sold, the account
        has just changed, or risk refuses, which is written down once a reason.
    """
    books = outlook.open_books(session, desk, around, memory=memory)
    held = books.held.get(desk.symbol, NOTHING)
    least = desk.instrument.quantity_min
    if held < least or desk.quote is None or books.under_way(desk.symbol):
        return None
    sold = f"-flatten-{halt.id}"
    number = session.scalar(
        select(func.count()).where(
            OrderRow.symbol == desk.symbol, OrderRow.decision_id.contains(f"{sold}-")
        )
    )
    policy = Policy.MARKETABLE if number else around.policy
    most = around.limits.order_cap(depth=desk.bid_depth, day_volume=None, reduces=True)
    wanted = strategy.close_out(
        desk.instrument, desk.quote, policy, held=held, most=most, why=halt.reason
    )
    turn = Turn(session, desk, around, books, memory or Memory(), suffix=f"{sold}-{number}")
    verdict, view = turn.judge(wanted)
    if isinstance(verdict, Refused):
        turn = replace(turn, suffix=f"{turn.suffix}-{verdict.code}")
        wanted = _refused(wanted, verdict)
    order = turn.order(wanted)
    return order if turn.record(wanted, record.plain(view), order) else None


def _decide(turn: Turn, policy: Policy, written: Sequence[Statement] = ()) -> Order | None:
    """Decide until the account holds still; on one that is no longer so nothing is written."""
    wanted, inputs, refused = _weigh(turn, policy)
    order = turn.order(wanted)
    if not turn.record(wanted, inputs, order, written):
        if turn.memory.holds(turn.session, turn.books.account):
            return None
        return _decide(turn.renewed(), policy, written)
    _latch(turn.session, turn.desk, turn.around, refused)
    return order


def _weigh(turn: Turn, policy: Policy) -> tuple[Wanted, dict[str, Any], Refused | None]:
    desk, score, refused = turn.desk, turn.score, None
    assert score is not None
    held = turn.books.held.get(desk.symbol, NOTHING)
    inputs = _origin(score)
    if desk.quote is None:
        wanted = strategy.nothing(held, "no_quote", "there is no two-sided book")
    elif desk.instrument.taker_fee is None or desk.instrument.maker_fee is None:
        wanted = strategy.nothing(held, "fee_unknown", "the account's fees are not known")
    else:
        now = outlook.situation(desk, turn.around, turn.books, score=score, policy=policy)
        wanted, view = strategy.decide(now), None
        if wanted.side is not None:
            verdict, view = turn.judge(wanted)
            if isinstance(verdict, Refused):
                wanted, refused = _refused(wanted, verdict), verdict
        inputs |= record.plain(now) | ({} if view is None else {"risk": record.plain(view)})
    return wanted, inputs, refused


def _refused(wanted: Wanted, verdict: Refused) -> Wanted:
    return replace(
        wanted,
        action="none",
        target=wanted.held,
        reason_code=verdict.code,
        reason=f"{wanted.reason}; refused: {verdict.reason}",
    )


def _latch(session: Session, desk: Desk, around: Circumstances, verdict: Refused | None) -> None:
    if verdict is not None and verdict.code in LATCHING_CODES:
        record.halt(
            session,
            reason_code=verdict.code,
            reason=f"{desk.symbol}: {verdict.reason}",
            who="trader",
            at=around.now,
        )


def _origin(score: Score) -> dict[str, Any]:
    return {
        "model_version": score.model.version,
        "run_id": score.model.run_id,
        "artifact_sha256": score.model.artifact_sha256,
        "probability": score.probability,
    }
