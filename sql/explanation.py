"""Why an order was sent: the whole chain from the model to the money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from sql import promotions
from sql.errors import SeveralFound
from sql.reads import FillRead, OrderRead, fills, plain, read
from sql.tables import (
    DecisionRow,
    ExperimentRow,
    FillRow,
    LedgerEntryRow,
    ModelDeploymentRow,
    OrderEventRow,
    OrderRow,
    PredictionRow,
    PromotionRow,
    RetrainingJobRow,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRead:
    """Something that happened to an order."""

    kind: str
    detail: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRead:
    """One line of the ledger."""

    transaction_id: str
    account: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One order and everything that led to it and followed from it.

    The rows of the decision, prediction, deployment, promotion, training job and running
    experiment are given as mappings of their columns; None where there is none.
    """

    order: OrderRead
    decision: dict[str, Any] | None
    prediction: dict[str, Any] | None
    deployment: dict[str, Any] | None
    promotion: dict[str, Any] | None
    training: dict[str, Any] | None
    experiment: dict[str, Any] | None
    events: tuple[EventRead, ...]
    fills: tuple[FillRead, ...]
    ledger: tuple[LineRead, ...]


def why(session: Session, order_id: str) -> Why | None:
    """Return the chain behind an order named by our id, the exchange's, or the start of ours.

    Raises:
        SeveralFound: Several orders of ours begin so.
    """
    order = _order(session, order_id)
    if order is None:
        return None
    decision = session.get(DecisionRow, order.decision_id) if order.decision_id else None
    chain = _Chain(session, decision)
    return Why(
        order=_read(session, order, decision),
        decision=_columns(decision),
        prediction=_columns(chain.prediction),
        deployment=_columns(chain.deployment()),
        promotion=_columns(chain.promotion()),
        training=_columns(chain.training()),
        experiment=_columns(chain.experiment()),
        events=_events(session, order.id),
        fills=tuple(reversed(fills(session, order_id=order.id, limit=10_000))),
        ledger=_lines(session, order.id),
    )


class _Chain:
    """What stood behind a decision at the moment it was made."""

    def __init__(self, session: Session, decision: DecisionRow | None) -> None:
        self._session = session
        self._decision = decision
        self.prediction: PredictionRow | None = None
        if decision is not None and decision.prediction_id is not None:
            self.prediction = session.get(PredictionRow, decision.prediction_id)

    def deployment(self) -> ModelDeploymentRow | None:
        if self.prediction is None:
            return None
        return self._session.scalars(
            select(ModelDeploymentRow)
            .where(
                ModelDeploymentRow.symbol == self.prediction.symbol,
                ModelDeploymentRow.version == self.prediction.model_version,
                ModelDeploymentRow.action == "deployed",
                ModelDeploymentRow.at <= self.prediction.at,
            )
            .order_by(ModelDeploymentRow.at.desc(), ModelDeploymentRow.id.desc())
            .limit(1)
        ).first()

    def promotion(self) -> PromotionRow | None:
        if self.prediction is None:
            return None
        return self._session.scalars(
            select(PromotionRow)
            .where(
                promotions.made(self.prediction.symbol),
                PromotionRow.to_version == self.prediction.model_version,
            )
            .order_by(PromotionRow.at.desc(), PromotionRow.id.desc())
            .limit(1)
        ).first()

    def training(self) -> RetrainingJobRow | None:
        if self.prediction is None:
            return None
        return self._session.scalars(
            select(RetrainingJobRow)
            .where(
                RetrainingJobRow.symbol == self.prediction.symbol,
                RetrainingJobRow.version == self.prediction.model_version,
            )
            .order_by(RetrainingJobRow.started_at.desc())
            .limit(1)
        ).first()

    def experiment(self) -> ExperimentRow | None:
        if self._decision is None:
            return None
        at = self._decision.at
        return self._session.scalars(
            select(ExperimentRow)
            .where(
                ExperimentRow.symbol == self._decision.symbol,
                ExperimentRow.started_at <= at,
                ExperimentRow.stopped_at.is_(None) | (ExperimentRow.stopped_at > at),
            )
            .limit(1)
        ).first()


def _order(session: Session, order_id: str) -> OrderRow | None:
    exact = (OrderRow.id == order_id) | (OrderRow.exchange_id == order_id)
    found = session.scalars(select(OrderRow).where(exact)).first()
    if found is not None:
        return found
    starting = select(OrderRow).where(OrderRow.id.startswith(order_id, autoescape=True)).limit(2)
    matches = session.scalars(starting).all()
    if len(matches) > 1:
        raise SeveralFound(f"several orders begin with {order_id!r}; say more of the id")
    return matches[0] if matches else None


def _read(session: Session, order: OrderRow, decision: DecisionRow | None) -> OrderRead:
    average = session.scalar(
        select(func.sum(FillRow.cost) / func.sum(FillRow.quantity)).where(
            FillRow.order_id == order.id
        )
    )
    code, reason = (decision.reason_code, decision.reason) if decision else (None, None)
    return read(
        OrderRead,
        order,
        limit=order.limit_price,
        reason_code=code,
        reason=reason,
        average=None if average is None else Decimal(average),
    )


def _events(session: Session, order_id: str) -> tuple[EventRead, ...]:
    rows = session.scalars(
        select(OrderEventRow).where(OrderEventRow.order_id == order_id).order_by(OrderEventRow.id)
    )
    return tuple(read(EventRead, row) for row in rows)


def _lines(session: Session, order_id: str) -> tuple[LineRead, ...]:
    rows = session.scalars(
        select(LedgerEntryRow)
        .join(FillRow, FillRow.exec_id == LedgerEntryRow.transaction_id)
        .where(FillRow.order_id == order_id)
        .order_by(FillRow.at, LedgerEntryRow.transaction_id, LedgerEntryRow.line)
    )
    return tuple(read(LineRead, row) for row in rows)


def _columns(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    values = {column.key: getattr(row, column.key) for column in row.__table__.columns}
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
    }
