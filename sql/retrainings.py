"""The record of retrainings, and what one needs to know of its market.

Every function takes the caller's session and never commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from sql.tables import InstrumentRow, PriceBarRow, RetrainingJobRow

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy.orm import Session


def open_job(session: Session, job_id: str, *, symbol: str, trigger: str, at: datetime) -> None:
    """Write down that a retraining began; its retry continues the same job."""
    session.execute(
        insert(RetrainingJobRow)
        .values(id=job_id, symbol=symbol, trigger=trigger, state="running", started_at=at)
        .on_conflict_do_update(
            index_elements=[RetrainingJobRow.id],
            set_={"state": "running", "finished_at": None, "reason": None},
        )
    )


def close_job(
    session: Session,
    job_id: str,
    *,
    at: datetime,
    passed: bool,
    reason: str,
    data_hash: str | None = None,
    run_id: str | None = None,
    version: int | None = None,
) -> None:
    """Write down how a retraining ended; a refusal is an end like another."""
    session.execute(
        update(RetrainingJobRow)
        .where(RetrainingJobRow.id == job_id)
        .values(
            state="done",
            finished_at=at,
            passed=passed,
            reason=reason,
            data_hash=data_hash,
            run_id=run_id,
            version=version,
        )
    )


def fail_job(session: Session, job_id: str, *, at: datetime, reason: str) -> None:
    """Write down that a retraining broke off; one that ended is left alone."""
    session.execute(
        update(RetrainingJobRow)
        .where(RetrainingJobRow.id == job_id, RetrainingJobRow.state == "running")
        .values(state="failed", finished_at=at, reason=reason)
    )


def taker_fee(session: Session, symbol: str) -> Decimal | None:
    """Return the account's taker fee on a market, if the exchange has told it."""
    return session.scalar(select(InstrumentRow.taker_fee).where(InstrumentRow.symbol == symbol))


def bars_since_last(session: Session, symbol: str, interval_seconds: int) -> int | None:
    """Return how many bars came to the record since the last retraining that ended began.

    Returns:
        The number; None if no retraining of the market ever ended.
    """
    last = session.scalar(
        select(func.max(RetrainingJobRow.started_at)).where(
            RetrainingJobRow.symbol == symbol, RetrainingJobRow.state == "done"
        )
    )
    if last is None:
        return None
    return session.scalar(
        select(func.count()).where(
            PriceBarRow.symbol == symbol,
            PriceBarRow.interval_seconds == interval_seconds,
            PriceBarRow.recorded_at > last,
        )
    )
