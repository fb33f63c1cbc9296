"""The scores models gave and what came of them, bar by bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sql.tables import OutcomeRow, PredictionRow, PriceBarRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from sql.tables import ExperimentRow


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
    forward_return: float | None


def paired_scores(
    session: Session, experiment: ExperimentRow, until: datetime
) -> list[PairedScore]:
    """Read both versions' scores of every bar since the start, oldest first.

    A bar that only one of them scored is there too: leaving it out would hide that the
    comparison is lopsided.
    """
    control, treatment = (
        {bar.bar_start: bar for bar in _of(session, experiment, version, until)}
        for version in (experiment.control_version, experiment.treatment_version)
    )
    return [
        PairedScore(
            bar_start=at,
            control=control[at].probability if at in control else None,
            treatment=treatment[at].probability if at in treatment else None,
            forward_return=(control.get(at) or treatment[at]).forward_return,
        )
        for at in sorted(control.keys() | treatment.keys())
    ]


def scored_bars(
    session: Session,
    *,
    symbol: str,
    interval_seconds: int,
    horizon_bars: int,
    model_version: int,
    start: datetime,
    end: datetime,
) -> list[ScoredBar]:
    """Read a version's scores of the bars that begin in [start, end), oldest first.

    Outcomes are fetched apart and not joined: just after they were settled the planner
    knows nothing of them, and its join took seconds.
    """
    settled = session.execute(
        select(OutcomeRow.bar_start, OutcomeRow.forward_return).where(
            OutcomeRow.symbol == symbol,
            OutcomeRow.interval_seconds == interval_seconds,
            OutcomeRow.horizon_bars == horizon_bars,
            OutcomeRow.bar_start >= start,
            OutcomeRow.bar_start < end,
        )
    )
    outcomes = {row.bar_start: row.forward_return for row in settled}
    rows = session.execute(
        select(PredictionRow.bar_start, PredictionRow.probability, PredictionRow.features)
        .where(
            PredictionRow.symbol == symbol,
            PredictionRow.interval_seconds == interval_seconds,
            PredictionRow.horizon_bars == horizon_bars,
            PredictionRow.model_version == model_version,
            PredictionRow.bar_start >= start,
            PredictionRow.bar_start < end,
        )
        .order_by(PredictionRow.bar_start)
    )
    return [
        ScoredBar(
            bar_start=at,
            probability=probability,
            features=features,
            forward_return=outcomes.get(at),
        )
        for at, probability, features in rows
    ]


def settled_scores(
    session: Session,
    *,
    symbol: str,
    interval_seconds: int,
    horizon_bars: int,
    model_version: int,
    start: datetime,
) -> list[tuple[datetime, float, float]]:
    """Read a version's scores since a bar whose outcomes are known and do not overlap.

    Returns:
        The bar, the probability, and the return until `horizon_bars` later, oldest first.
        The bars' own closes tell it, since outcomes are written down when somebody asks.
    """
    step = interval_seconds * horizon_bars
    said = session.execute(
        select(PredictionRow.bar_start, PredictionRow.probability)
        .where(
            PredictionRow.symbol == symbol,
            PredictionRow.interval_seconds == interval_seconds,
            PredictionRow.horizon_bars == horizon_bars,
            PredictionRow.model_version == model_version,
            PredictionRow.bar_start >= start,
            func.mod(func.extract("epoch", PredictionRow.bar_start), step) == 0,
        )
        .order_by(PredictionRow.bar_start)
    ).all()
    rows = session.execute(
        select(PriceBarRow.start, PriceBarRow.close).where(
            PriceBarRow.symbol == symbol,
            PriceBarRow.interval_seconds == interval_seconds,
            PriceBarRow.start >= start,
            func.mod(func.extract("epoch", PriceBarRow.start), step) == 0,
        )
    )
    span = timedelta(seconds=step)
    closes = {row.start: row.close for row in rows}
    return [
        (bar, probability, float(closes[bar + span] / closes[bar] - 1))
        for bar, probability in said
        if bar in closes and bar + span in closes
    ]


def _of(
    session: Session, experiment: ExperimentRow, version: int, until: datetime
) -> list[ScoredBar]:
    return scored_bars(
        session,
        symbol=experiment.symbol,
        interval_seconds=experiment.interval_seconds,
        horizon_bars=experiment.horizon_bars,
        model_version=version,
        start=experiment.started_at,
        end=until,
    )
