"""Experiments and drift on record.

Every function takes the caller's session and never commits. Those that write do
nothing the second time, so a flow may be run twice.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from sql.tables import (
    DriftResultRow,
    ExperimentLookRow,
    ExperimentRow,
    PriceBarRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session


def running_experiment(session: Session, symbol: str) -> ExperimentRow | None:
    """Return the symbol's experiment that has not ended, if there is one."""
    return session.scalars(
        select(ExperimentRow).where(
            ExperimentRow.symbol == symbol, ExperimentRow.state == "running"
        )
    ).one_or_none()


def start_experiment(
    session: Session,
    *,
    symbol: str,
    control_version: int,
    treatment_version: int,
    interval_seconds: int,
    horizon_bars: int,
    cost: float,
    block_bars: int,
    alpha: float,
    planned_units: int,
    cap_units: int,
    at: datetime,
    metric: str = "log_loss",
    hypothesis: str | None = None,
) -> str | None:
    """Start a comparison of two versions on terms that never change afterwards.

    The terms come from `experiments.planning.terms`; `cost` is the return above which
    an outcome counts as a rise, and must be the one both models were trained for.

    Returns:
        The experiment's id, also if this very comparison is running already; None if
        another one is running for the symbol.
    """
    market = symbol.lower().replace("/", "-")
    session.execute(
        insert(ExperimentRow)
        .values(
            id=f"{market}-v{treatment_version}-against-v{control_version}-{at:%Y%m%dT%H%M%S}",
            symbol=symbol,
            hypothesis=hypothesis
            or f"version {treatment_version} forecasts {symbol} better than {control_version}",
            metric=metric,
            control_version=control_version,
            treatment_version=treatment_version,
            interval_seconds=interval_seconds,
            horizon_bars=horizon_bars,
            cost=cost,
            block_bars=block_bars,
            alpha=alpha,
            planned_units=planned_units,
            cap_units=cap_units,
            started_at=at,
            state="running",
        )
        .on_conflict_do_nothing()
    )
    running = running_experiment(session, symbol)
    if running is None:
        return None
    versions = (running.control_version, running.treatment_version)
    return running.id if versions == (control_version, treatment_version) else None


def stop_experiment(session: Session, experiment_id: str, *, at: datetime, conclusion: str) -> bool:
    """End an experiment with its conclusion.

    Returns:
        Whether it was still running.
    """
    stopped = session.execute(
        update(ExperimentRow)
        .where(ExperimentRow.id == experiment_id, ExperimentRow.state == "running")
        .values(state="stopped", stopped_at=at, conclusion=conclusion)
        .returning(ExperimentRow.id)
    )
    return stopped.first() is not None


def record_look(
    session: Session,
    experiment_id: str,
    *,
    at: datetime,
    units: int,
    effect: float | None,
    low: float | None,
    high: float | None,
    p_value: float | None,
    verdict: str,
    reason: str,
) -> bool:
    """Write down what an experiment showed at a time, once.

    Returns:
        Whether the look was new.
    """
    known = select(ExperimentLookRow.id).where(
        ExperimentLookRow.experiment_id == experiment_id, ExperimentLookRow.at == at
    )
    if session.scalar(known) is not None:
        return False
    session.add(
        ExperimentLookRow(
            experiment_id=experiment_id,
            at=at,
            units=units,
            effect=effect,
            low=low,
            high=high,
            p_value=p_value,
            verdict=verdict,
            reason=reason,
        )
    )
    session.flush()
    return True


def record_ends(session: Session, symbol: str, interval_seconds: int) -> datetime | None:
    """Return the end of the newest bar on record, which is as far as the record goes.

    The exchange's clock stamped it; the wall clock may be elsewhere.
    """
    newest = session.scalar(
        select(func.max(PriceBarRow.start)).where(
            PriceBarRow.symbol == symbol, PriceBarRow.interval_seconds == interval_seconds
        )
    )
    return None if newest is None else newest + timedelta(seconds=interval_seconds)


def record_drift(
    session: Session,
    *,
    symbol: str,
    model_version: int,
    kind: str,
    window_start: datetime,
    window_end: datetime,
    statistic: float | None,
    threshold: float | None,
    alarm: bool,
    reason: str,
    detail: Mapping[str, Any],
    at: datetime,
) -> bool:
    """Write down one kind of drift over one window, once.

    Returns:
        Whether the result was new.
    """
    known = select(DriftResultRow.id).where(
        DriftResultRow.symbol == symbol,
        DriftResultRow.model_version == model_version,
        DriftResultRow.kind == kind,
        DriftResultRow.window_start == window_start,
        DriftResultRow.window_end == window_end,
    )
    if session.scalar(known) is not None:
        return False
    session.add(
        DriftResultRow(
            symbol=symbol,
            model_version=model_version,
            kind=kind,
            window_start=window_start,
            window_end=window_end,
            statistic=statistic,
            threshold=threshold,
            alarm=alarm,
            reason=reason,
            detail=dict(detail),
            at=at,
        )
    )
    session.flush()
    return True
