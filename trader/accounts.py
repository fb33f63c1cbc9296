"""The record of money: the ledger, and the positions that our fills amount to.

Every function works in the caller's transaction and none commits.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert

from market.instruments import Side
from sql.tables import AdjustmentRow, EquityMarkRow, FillRow, HaltRow, LedgerEntryRow
from sql.trip import Statement
from trader import ledger
from trader.limits import Standing
from trader.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from trader.ledger import Line


MARK = """
    INSERT INTO equity_marks (at, profit) VALUES (:at, :profit)
    ON CONFLICT (at) DO UPDATE SET profit = excluded.profit
"""


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


def totals(session: Session) -> dict[str, tuple[Decimal, Decimal]]:
    """Return by market what is held and what its trades have brought in cash, after fees."""
    buys = FillRow.side == Side.BUY
    rows = session.execute(
        select(
            FillRow.symbol,
            func.sum(case((buys, FillRow.quantity), else_=-FillRow.quantity)),
            func.sum(case((buys, -FillRow.cost), else_=FillRow.cost) - FillRow.fee),
        ).group_by(FillRow.symbol)
    )
    return {symbol: (quantity, cash) for symbol, quantity, cash in rows}


def profit(
    totals: Mapping[str, tuple[Decimal, Decimal]], marks: Mapping[str, Decimal]
) -> Decimal | None:
    """Return what all our trades have brought, after fees, with positions at these prices.

    Returns:
        None if something is held that no price is known of.
    """
    if any(quantity and symbol not in marks for symbol, (quantity, _) in totals.items()):
        return None
    nothing = Decimal(0)
    worths = (
        cash + quantity * marks.get(symbol, nothing) for symbol, (quantity, cash) in totals.items()
    )
    return sum(worths, nothing)


def equity_mark(at: datetime, profit: Decimal) -> Statement:
    """Write down the profit at a bar's end; the last word on a moment stands."""
    return Statement(MARK, {"at": at, "profit": profit})


def marks(
    session: Session, now: datetime, vouched: datetime | None = None
) -> tuple[Decimal | None, Decimal | None]:
    """Return the profit at the day's beginning and the best within 30 days, where known.

    Nothing before `vouched` counts, when a halt over losses was raised that a person lifted.
    """
    morning = now.replace(hour=0, minute=0, second=0, microsecond=0)
    opened = max(filter(None, (morning, vouched)))
    profit, at = EquityMarkRow.profit, EquityMarkRow.at
    before = select(profit).where(at <= opened).order_by(at.desc()).limit(1)
    after = select(profit).where(at > opened).order_by(at).limit(1)
    opening = next((p for p in map(session.scalar, (before, after)) if p is not None), None)
    since = max(filter(None, (now - timedelta(days=30), vouched)))
    return opening, session.scalar(select(func.max(profit)).where(at >= since))


def standing(profit: Decimal, opening: Decimal | None, best: Decimal | None) -> Standing:
    """Compare a profit with that of the day's beginning and with the best there was."""
    opening = profit if opening is None else opening
    return Standing(
        profit=profit, opening=opening, peak=max(profit, opening, profit if best is None else best)
    )


def lifted(session: Session) -> dict[str, datetime]:
    """Return, by reason code, when the last halt was raised that a person has lifted."""
    rows = session.execute(
        select(HaltRow.reason_code, func.max(HaltRow.at))
        .where(HaltRow.resumed_at.is_not(None))
        .group_by(HaltRow.reason_code)
    )
    return dict(rows.tuples().all())


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
