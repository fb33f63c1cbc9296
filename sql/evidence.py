"""Experiments, drift and the scores they rest on.

Every function takes the caller's session and never commits. Those that write do
nothing the second time, so a flow may be run twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from sql.tables import (
    DriftResultRow,
    ExperimentLookRow,
    ExperimentRow,
    OutcomeRow,
    PredictionRow,
    PriceBarRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScore:
    """Both models' probabilities for one bar, and what came of it; None where missing."""

    bar_start: datetime
    control: float | None
    treatment: float | None
    forward_return: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBar:
    """One model's probability for a bar, the features it saw, and what came of it."""

    bar_start: datetime
    probability: float
    features: list[float]
    horizon_bars: int
    forward_return: float | None


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


def paired_scores(
    session: Session, experiment: ExperimentRow, until: datetime
) -> list[PairedScore]:
    """Read both versions' scores of every bar since the start, oldest first.

    A bar that only one of them scored is there too: leaving it out would hide that the
    comparison is lopsided.
    """
    control = _scores(experiment, experiment.control_version, until)
    treatment = _scores(experiment, experiment.treatment_version, until)
    bar_start = func.coalesce(control.c.bar_start, treatment.c.bar_start)
    both = control.join(treatment, control.c.bar_start == treatment.c.bar_start, full=True)
    rows = session.execute(
        select(bar_start, control.c.probability, treatment.c.probability, OutcomeRow.forward_return)
        .select_from(both)
        .outerjoin(
            OutcomeRow,
            and_(
                OutcomeRow.symbol == experiment.symbol,
                OutcomeRow.interval_seconds == experiment.interval_seconds,
                OutcomeRow.horizon_bars == experiment.horizon_bars,
                OutcomeRow.bar_start == bar_start,
            ),
        )
        .order_by(bar_start)
    )
    return [
        PairedScore(bar_start=start, control=c, treatment=t, forward_return=outcome)
        for start, c, t, outcome in rows
    ]


def scored_bars(
    session: Session,
    *,
    symbol: str,
    interval_seconds: int,
    model_version: int,
    start: datetime,
    end: datetime,
) -> list[ScoredBar]:
    """Read a version's scores of the bars that begin in [start, end), oldest first."""
    score = aliased(PredictionRow)
    rows = session.execute(
        select(
            score.bar_start,
            score.probability,
            score.features,
            score.horizon_bars,
            OutcomeRow.forward_return,
        )
        .outerjoin(
            OutcomeRow,
            and_(
                OutcomeRow.symbol == score.symbol,
                OutcomeRow.interval_seconds == score.interval_seconds,
                OutcomeRow.horizon_bars == score.horizon_bars,
                OutcomeRow.bar_start == score.bar_start,
            ),
        )
        .where(
            score.symbol == symbol,
            score.interval_seconds == interval_seconds,
            score.model_version == model_version,
            score.bar_start >= start,
            score.bar_start < end,
        )
        .order_by(score.bar_start)
    )
    return [
        ScoredBar(
            bar_start=at,
            probability=probability,
            features=features,
            horizon_bars=horizon,
            forward_return=outcome,
        )
        for at, probability, features, horizon, outcome in rows
    ]


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


def _scores(experiment: ExperimentRow, version: int, until: datetime) -> Any:
    return (
        select(PredictionRow.bar_start, PredictionRow.probability)
        .where(
            PredictionRow.symbol == experiment.symbol,
            PredictionRow.interval_seconds == experiment.interval_seconds,
            PredictionRow.horizon_bars == experiment.horizon_bars,
            PredictionRow.model_version == version,
            PredictionRow.bar_start >= experiment.started_at,
            PredictionRow.bar_start < until,
        )
        .subquery()
    )
