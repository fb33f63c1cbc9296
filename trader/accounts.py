"""The record of money: the ledger, and the positions that our fills amount to.

Every function works in the caller's transaction and none commits.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert

from sql.tables import AdjustmentRow, FillRow, LedgerEntryRow
from trader import ledger
from trader.market import Side
from trader.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from trader.ledger import Line


def position(session: Session, symbol: str) -> Position:
    """Fold all our fills of a symbol into the position they amount to."""
    rows = session.scalars(
        select(FillRow).where(FillRow.symbol == symbol).order_by(FillRow.at, FillRow.exec_id)
    )
    held = Position(symbol=symbol)
    for row in rows:
        held = held.after(Side(row.side), quantity=row.quantity, cost=row.cost, fee=row.fee)
    return held


def held(session: Session, symbol: str) -> Decimal:
    """Return the quantity of the position alone, summed by the database."""
    signed = case((FillRow.side == Side.BUY, FillRow.quantity), else_=-FillRow.quantity)
    return session.scalar(
        select(func.coalesce(func.sum(signed), 0)).where(FillRow.symbol == symbol)
    ) or Decimal(0)


def realised_since(session: Session, at: datetime) -> Decimal:
    """Return the profit of what was closed since a time, after fees, in quote currency."""
    total = Decimal(0)
    held: dict[str, Position] = {}
    for row in session.scalars(select(FillRow).order_by(FillRow.at, FillRow.exec_id)):
        before = held.get(row.symbol, Position(symbol=row.symbol))
        after = before.after(Side(row.side), quantity=row.quantity, cost=row.cost, fee=row.fee)
        held[row.symbol] = after
        if row.at >= at:
            total += after.net - before.net
    return total


def ledger_balances(session: Session) -> dict[str, Decimal]:
    """Return what the ledger says the exchange holds for us, by asset."""
    rows = session.execute(
        select(LedgerEntryRow.asset, func.sum(LedgerEntryRow.amount))
        .where(LedgerEntryRow.account == ledger.EXCHANGE)
        .group_by(LedgerEntryRow.asset)
    )
    return {asset: Decimal(amount) for asset, amount in rows}


def ledger_opened(session: Session) -> bool:
    """Tell whether the opening balances were booked."""
    found = session.scalars(
        select(LedgerEntryRow.asset).where(LedgerEntryRow.account == ledger.OPENING).limit(1)
    )
    return found.first() is not None


def book(session: Session, transaction_id: str, lines: Iterable[Line], at: datetime) -> None:
    """Write a transaction's lines to the ledger.

    Raises:
        ValueError: The lines do not sum to zero for every asset.
    """
    lines = tuple(lines)
    if wrong := ledger.imbalance(lines):
        raise ValueError(f"transaction {transaction_id} does not balance: {wrong}")
    rows = [
        {"transaction_id": transaction_id, "line": n, "at": at, **asdict(line)}
        for n, line in enumerate(lines, start=1)
    ]
    if rows:
        session.execute(insert(LedgerEntryRow), rows)


def record_adjustment(
    session: Session,
    transaction_id: str,
    lines: tuple[Line, ...],
    *,
    reason: str,
    who: str,
    at: datetime,
    discrepancy_id: int | None = None,
) -> None:
    """Book a correction of one asset with what called for it."""
    book(session, transaction_id, lines, at)
    held = next(line for line in lines if line.account == ledger.EXCHANGE)
    session.add(
        AdjustmentRow(
            discrepancy_id=discrepancy_id,
            transaction_id=transaction_id,
            asset=held.asset,
            amount=held.amount,
            reason=reason,
            who=who,
            at=at,
        )
    )
    session.flush()
