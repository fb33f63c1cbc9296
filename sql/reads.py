"""Plain reads of the record, for people: what was ordered, traded and decided, and why."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields as fields_of
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import case, func, select

from sql.tables import (
    AdjustmentRow,
    DecisionRow,
    DiscrepancyRow,
    FillRow,
    HaltRow,
    LedgerEntryRow,
    OrderRow,
    ReconciliationEventRow,
    TraderStatusRow,
)

if TYPE_CHECKING:
    from datetime import datetime

    from _typeshed import DataclassInstance
    from sqlalchemy.orm import Session

Read = TypeVar("Read", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRead:
    """One order, with the decision's reason."""

    id: str
    symbol: str
    side: str
    quantity: Decimal
    limit: Decimal
    time_in_force: str
    status: str
    filled: Decimal
    average: Decimal | None
    exchange_id: str | None
    created_at: datetime
    updated_at: datetime
    decision_id: str | None
    reason_code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRead:
    """One trade of ours."""

    exec_id: str
    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    liquidity: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRead:
    """What our trades in one market amount to; `net_cash` is received less paid and fees."""

    symbol: str
    quantity: Decimal
    bought: Decimal
    sold: Decimal
    fees: Decimal
    net_cash: Decimal
    trades: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRead:
    """What the ledger says the exchange holds for us."""

    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyRead:
    """One difference that a reconciliation found."""

    level: str
    subject: str
    expected: str
    found: str
    explained: bool
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRead:
    """One comparison of our record with the exchange's."""

    id: int
    at: datetime
    trigger: str
    clean: bool
    summary: str
    discrepancies: tuple[DiscrepancyRead, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentRead:
    """One correction of the ledger."""

    at: datetime
    asset: str
    amount: Decimal
    reason: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRead:
    """One stop of trading; it stands while `resumed_at` is None."""

    id: int
    at: datetime
    reason_code: str
    reason: str
    who: str
    resumed_at: datetime | None
    resumed_by: str | None
    resume_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRead:
    """What the live trader last said of itself."""

    account: str
    process_id: int
    state: str
    detail: dict[str, Any]
    at: datetime


def plain(amount: Decimal) -> Decimal:
    """Drop the zeros that storage adds, without going to an exponent."""
    return Decimal(f"{amount.normalize():f}")


def read(kind: type[Read], row: Any, **given: Any) -> Read:
    """Put a row in the form for showing it; what is given stands in for its columns."""
    names = [field.name for field in fields_of(kind)]
    values = {name: given[name] if name in given else getattr(row, name) for name in names}
    return kind(**{n: plain(v) if isinstance(v, Decimal) else v for n, v in values.items()})


def orders(session: Session, *, symbol: str | None = None, limit: int = 50) -> list[OrderRead]:
    """Return the latest orders, newest first."""
    average = (  # of each order that is shown; a join would average every order there is
        select(func.sum(FillRow.cost) / func.sum(FillRow.quantity))
        .where(FillRow.order_id == OrderRow.id)
        .scalar_subquery()
    )
    query = (
        select(OrderRow, DecisionRow.reason_code, DecisionRow.reason, average)
        .outerjoin(DecisionRow, DecisionRow.id == OrderRow.decision_id)
        .order_by(OrderRow.created_at.desc(), OrderRow.id)
        .limit(limit)
    )
    if symbol is not None:
        query = query.where(OrderRow.symbol == symbol)
    return [
        read(OrderRead, row, limit=row.limit_price, reason_code=code, reason=reason, average=mean)
        for row, code, reason, mean in session.execute(query)
    ]


def fills(
    session: Session, *, symbol: str | None = None, order_id: str | None = None, limit: int = 50
) -> list[FillRead]:
    """Return the latest fills, newest first."""
    query = select(FillRow).order_by(FillRow.at.desc(), FillRow.exec_id).limit(limit)
    if symbol is not None:
        query = query.where(FillRow.symbol == symbol)
    if order_id is not None:
        query = query.where(FillRow.order_id == order_id)
    return [read(FillRead, row) for row in session.scalars(query)]


def positions(session: Session) -> list[PositionRead]:
    """Return what our own trades amount to, a row a market; opening balances are not in it."""
    bought = func.sum(case((FillRow.side == "buy", FillRow.quantity), else_=0))
    sold = func.sum(case((FillRow.side == "sell", FillRow.quantity), else_=0))
    received = func.sum(case((FillRow.side == "sell", FillRow.cost), else_=-FillRow.cost))
    fees = func.sum(FillRow.fee)
    query = (
        select(
            FillRow.symbol,
            (bought - sold).label("quantity"),
            bought.label("bought"),
            sold.label("sold"),
            fees.label("fees"),
            (received - fees).label("net_cash"),
            func.count().label("trades"),
            func.max(FillRow.at).label("last_at"),
        )
        .group_by(FillRow.symbol)
        .order_by(FillRow.symbol)
    )
    return [read(PositionRead, row) for row in session.execute(query)]


def balances(session: Session) -> list[BalanceRead]:
    """Return the ledger's balance of every asset at the exchange."""
    query = (
        select(LedgerEntryRow.asset, func.sum(LedgerEntryRow.amount).label("amount"))
        .where(LedgerEntryRow.account == "exchange")
        .group_by(LedgerEntryRow.asset)
        .order_by(LedgerEntryRow.asset)
    )
    return [read(BalanceRead, row) for row in session.execute(query)]


def reconciliations(session: Session, *, limit: int = 20) -> list[ReconciliationRead]:
    """Return the latest reconciliations with what each found, newest first."""
    query = select(ReconciliationEventRow).order_by(ReconciliationEventRow.id.desc()).limit(limit)
    events = session.scalars(query).all()
    found = _discrepancies(session, [event.id for event in events])
    return [read(ReconciliationRead, e, discrepancies=tuple(found[e.id])) for e in events]


def adjustments(session: Session, *, limit: int = 50) -> list[AdjustmentRead]:
    """Return the latest corrections of the ledger, newest first."""
    query = select(AdjustmentRow).order_by(AdjustmentRow.id.desc()).limit(limit)
    return [read(AdjustmentRead, row) for row in session.scalars(query)]


def halts(session: Session, *, standing: bool = False, limit: int = 20) -> list[HaltRead]:
    """Return the latest halts, newest first; only those nobody lifted if `standing`."""
    query = select(HaltRow).order_by(HaltRow.id.desc()).limit(limit)
    if standing:
        query = query.where(HaltRow.resumed_at.is_(None))
    return [read(HaltRead, row) for row in session.scalars(query)]


def trader_status(session: Session, account: str | None = None) -> StatusRead | None:
    """Return what the trader of an account, or the one heard of last, said of itself."""
    query = select(TraderStatusRow).order_by(TraderStatusRow.at.desc()).limit(1)
    if account is not None:
        query = query.where(TraderStatusRow.account == account)
    row = session.scalars(query).first()
    return None if row is None else read(StatusRead, row)


def _discrepancies(session: Session, event_ids: list[int]) -> dict[int, list[DiscrepancyRead]]:
    found: dict[int, list[DiscrepancyRead]] = {event_id: [] for event_id in event_ids}
    query = select(DiscrepancyRow).where(DiscrepancyRow.event_id.in_(event_ids))
    for row in session.scalars(query.order_by(DiscrepancyRow.id)):
        found[row.event_id].append(read(DiscrepancyRead, row))
    return found
