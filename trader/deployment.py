"""Which version trades: taken up or refused, and who asked for it, on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from sql.tables import PromotionRow
from trader import record
from trader.events import ModelEvent, ModelLoaded, ModelRefused, ModelWithdrawn

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy.orm import Session

EVIDENCE = ("gate", "gate_reason", "data_hash", "git_commit", "artifact_sha256")


def take_up(session: Session, interval: timedelta, event: ModelEvent, at: datetime) -> ModelEvent:
    """Write down what becomes of a version and return the event to act on.

    A version made for other bars is refused here, since only the trader knows its own.
    """
    event = _fits(event, interval)
    match event:
        case ModelLoaded():
            _record(session, event, f"the alias {event.role} points at it", at)
            if event.role == "production":
                _record_promotion(session, event, at)
        case ModelRefused():
            _record(session, event, event.reason, at)
        case ModelWithdrawn():
            pass
    return event


def _fits(event: ModelEvent, interval: timedelta) -> ModelEvent:
    if not isinstance(event, ModelLoaded):
        return event
    seconds = event.served.contract.interval_seconds
    if seconds == interval.total_seconds():
        return event
    return ModelRefused(
        symbol=event.symbol,
        role=event.role,
        version=event.version,
        run_id=event.run_id,
        reason=f"it was trained on bars of {seconds} s, this trader's have "
        f"{interval.total_seconds():.0f} s",
    )


def _record(
    session: Session,
    event: ModelLoaded | ModelRefused,
    reason: str,
    at: datetime,
) -> None:
    record.record_deployment(
        session,
        symbol=event.symbol,
        version=event.version,
        action="deployed" if isinstance(event, ModelLoaded) else "refused",
        reason=reason,
        run_id=event.run_id,
        artifact_sha256=event.artifact_sha256 if isinstance(event, ModelLoaded) else None,
        at=at,
    )


def _record_promotion(session: Session, event: ModelLoaded, at: datetime) -> None:
    # Whoever promotes with a reason has not committed it when the alias moves: wait for it.
    session.execute(text("SET LOCAL lock_timeout = '5s'"))
    session.execute(text("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE"))
    latest = session.scalars(
        select(PromotionRow.to_version)
        .where(PromotionRow.symbol == event.symbol)
        .order_by(PromotionRow.id.desc())
        .limit(1)
    ).first()
    if latest == event.version:
        return
    record.record_promotion(
        session,
        symbol=event.symbol,
        from_version=latest,
        to_version=event.version,
        who="somebody in MLflow",
        reason="the alias production was set in MLflow, which keeps no name",
        evidence={key: event.evidence[key] for key in EVIDENCE if key in event.evidence},
        at=at,
    )
