"""The record of what was believed and decided, and of who stopped or changed what.

Like the journal of orders, every function works in the caller's transaction.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from market.instruments import Instrument
from sql.tables import (
    HaltRow,
    InstrumentRow,
    TraderStatusRow,
)
from sql.trip import Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from trader.strategy import Wanted


# What is written between a bar's end and its order is spelt out: SQLAlchemy would put an insert
# that may meet a conflict into words anew each time, which takes longer than PostgreSQL does.
PREDICTION = """
    INSERT INTO predictions (symbol, interval_seconds, bar_start, model_version, role, probability,
                             horizon_bars, feature_hash, features, at)
    VALUES (:symbol, :interval_seconds, :bar_start, :model_version, :role, :probability,
            :horizon_bars, :feature_hash, CAST(:features AS jsonb), :at)
    ON CONFLICT (symbol, interval_seconds, bar_start, model_version) DO NOTHING
"""
# What changes whenever an order, a halt or an adjustment does. Ids are taken before a transaction
# commits, and so may appear late: not the newest tells that something was added, but the sum of
# the newest ones.
STAMP = """
    SELECT concat((SELECT sum(id)
                   FROM (SELECT id FROM order_events ORDER BY id DESC LIMIT 100) AS newest),
                  ' ', (SELECT max(id) FROM adjustments), ' ', count(*), ' ', count(resumed_at))
    FROM halts
"""
DECISION = """
    INSERT INTO decisions (id, symbol, bar_start, prediction_id, action, wanted, held,
                           expected_value, cost, reason_code, reason, inputs, at)
    SELECT :id, CAST(:symbol AS varchar), CAST(:bar_start AS timestamptz),
           (SELECT id FROM predictions
            WHERE symbol = :symbol AND interval_seconds = :interval_seconds
                  AND bar_start = :bar_start AND model_version = :model_version),
           :action, CAST(:wanted AS numeric), CAST(:held AS numeric),
           CAST(:expected_value AS double precision), CAST(:cost AS double precision),
           :reason_code, :reason, CAST(:inputs AS jsonb), CAST(:at AS timestamptz)
    WHERE ({stamp}) = :stamp
    ON CONFLICT (id) DO NOTHING RETURNING id
""".replace("{stamp}", STAMP)
# Of a market and a view, what a decision's inputs need not repeat: it is in other rows.
ELSEWHERE = {"instrument", "limits", "sent", "acts", "appetite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A stop of trading that a person has to lift."""

    id: int
    reason_code: str
    reason: str
    who: str
    at: datetime


def stamp(session: Session) -> str:
    """Return what changes whenever an order, a halt or an adjustment does."""
    return str(session.scalar(text(STAMP)))


def decision_id(symbol: str, bar_start: datetime) -> str:
    """Name the decision on a bar; the same bar always has the same one."""
    return f"{symbol.replace('/', '-').lower()}-{bar_start:%Y%m%dT%H%M%SZ}"


def prediction(
    *,
    symbol: str,
    interval_seconds: int,
    bar_start: datetime,
    model_version: int,
    role: str,
    probability: float,
    horizon_bars: int,
    feature_hash: str,
    features: Sequence[float],
    at: datetime,
) -> Statement:
    """Write down a score before its outcome exists; the first one of a bar stands."""
    return Statement(
        PREDICTION,
        {
            "symbol": symbol,
            "interval_seconds": interval_seconds,
            "bar_start": bar_start,
            "model_version": model_version,
            "role": role,
            "probability": probability,
            "horizon_bars": horizon_bars,
            "feature_hash": feature_hash,
            "features": json.dumps([float(value) for value in features]),
            "at": at,
        },
    )


def decision(
    wanted: Wanted,
    *,
    symbol: str,
    bar_start: datetime,
    inputs: dict[str, Any],
    at: datetime,
    stamp: str,
    scored: tuple[int, int] | None = None,
    suffix: str = "",
) -> Statement:
    """Write down what was decided on a bar, also when it was to do nothing.

    Args:
        wanted: The decision.
        symbol: The market.
        bar_start: The bar.
        inputs: What was known.
        at: When it was decided.
        stamp: What STAMP gave when the account was read that the decision goes by.
        scored: The model's version and its bars' seconds, whose prediction it follows.
        suffix: Tells a later decision on the same bar from its first.

    Returns:
        What writes it, and gives its id; None if this bar was decided before, or on an account
        that is no longer so: do not act then.
    """
    version, seconds = scored or (None, None)
    return Statement(
        DECISION,
        {
            "id": decision_id(symbol, bar_start) + suffix,
            "symbol": symbol,
            "bar_start": bar_start,
            "model_version": version,
            "interval_seconds": seconds,
            "action": wanted.action,
            "wanted": wanted.target,
            "held": wanted.held,
            "expected_value": wanted.expected_value,
            "cost": wanted.cost,
            "reason_code": wanted.reason_code,
            "reason": wanted.reason,
            "inputs": json.dumps(inputs),
            "at": at,
            "stamp": stamp,
        },
    )


def record_trader_status(
    session: Session,
    *,
    account: str,
    process_id: int,
    state: str,
    detail: dict[str, Any],
    at: datetime,
) -> None:
    """Replace what the live trader last said of itself."""
    news = {"process_id": process_id, "state": state, "detail": detail, "at": at}
    session.execute(
        insert(TraderStatusRow)
        .values(account=account, **news)
        .on_conflict_do_update(index_elements=[TraderStatusRow.account], set_=news)
    )


def record_instruments(session: Session, instruments: Iterable[Instrument], at: datetime) -> None:
    """Replace what is known of these markets."""
    for instrument in instruments:
        fields = asdict(instrument) | {"updated_at": at}
        session.execute(
            insert(InstrumentRow)
            .values(fields)
            .on_conflict_do_update(index_elements=[InstrumentRow.symbol], set_=fields)
        )


def instruments(session: Session) -> dict[str, Instrument]:
    """Return the markets as the exchange last described them, by symbol."""
    names = Instrument.__dataclass_fields__
    return {
        row.symbol: Instrument(**{name: getattr(row, name) for name in names})
        for row in session.scalars(select(InstrumentRow))
    }


def halt(session: Session, *, reason_code: str, reason: str, who: str, at: datetime) -> int:
    """Stop trading until a person resumes; a stop for the same cause is not repeated.

    One that somebody is lifting at this moment is waited for, and does not count any more.
    """
    standing = session.scalar(
        select(HaltRow.id)
        .where(HaltRow.resumed_at.is_(None), HaltRow.reason_code == reason_code)
        .with_for_update(read=True)
    )
    if standing is not None:
        return standing
    row = HaltRow(reason_code=reason_code, reason=reason, who=who, at=at)
    session.add(row)
    session.flush()
    return row.id


def resume(session: Session, *, reason: str, who: str, at: datetime) -> list[Halt]:
    """Lift the halts that stand now, with a person's reason, and return them.

    One that is raised meanwhile, also for the same cause, was seen by nobody, and stands.
    """
    if not reason.strip():
        raise ValueError("resuming needs a reason")
    lifted = current_halts(session, lock=True)
    session.execute(
        update(HaltRow)
        .where(HaltRow.id.in_([halt.id for halt in lifted]))
        .values(resumed_at=at, resumed_by=who, resume_reason=reason)
    )
    return lifted


def current_halts(session: Session, *, lock: bool = False) -> list[Halt]:
    """Return the halts nobody has lifted, oldest first; locked, nobody else lifts or joins them."""
    query = select(HaltRow).where(HaltRow.resumed_at.is_(None)).order_by(HaltRow.at, HaltRow.id)
    rows = session.scalars(query.with_for_update() if lock else query)
    return [
        Halt(id=row.id, reason_code=row.reason_code, reason=row.reason, who=row.who, at=row.at)
        for row in rows
    ]


def current_halt(session: Session) -> Halt | None:
    """Return the oldest halt nobody has lifted."""
    return next(iter(current_halts(session)), None)


def plain(given: Any) -> dict[str, Any]:
    """Put what was known into words for JSON: amounts and times exactly as they were."""
    return {
        field.name: _word(getattr(given, field.name))
        for field in fields(given)
        if field.name not in ELSEWHERE
    }


def _word(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return plain(value)
