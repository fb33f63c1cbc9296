"""What trading has brought, market by market and day by day, from the ledger's lines.

Realised at average cost. What is held is worth the close of the last bar on record.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from market.instruments import Side
from sql.tables import FillRow, LedgerEntryRow, PriceBarRow
from trader import ledger
from trader.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from sqlalchemy.orm import Session

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayProfit:
    """What one UTC day's trades brought; `realised` is before fees."""

    day: date
    trades: int
    realised: Decimal
    fees: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketProfit:
    """What one market has brought, and what the position would if sold at the mark.

    Without a bar on record there is no mark, and nothing unrealised is claimed.
    """

    symbol: str
    quantity: Decimal
    average: Decimal | None
    mark: Decimal | None
    marked_at: datetime | None
    realised: Decimal
    fees: Decimal
    unrealised: Decimal | None
    net: Decimal
    days: tuple[DayProfit, ...]


def profits(session: Session, symbol: str | None = None) -> list[MarketProfit]:
    """Return the profit of every market that was traded, or of one."""
    steps: defaultdict[str, list[tuple[date, Position, Position]]] = defaultdict(list)
    for market, at, side, quantity, cost, fee in _trades(session, symbol):
        known = steps[market]
        before = known[-1][2] if known else Position(symbol=market)
        after = before.after(side, quantity=quantity, cost=cost, fee=fee)
        known.append((at.date(), before, after))
    return [_market(session, market, steps[market]) for market in sorted(steps)]


def _trades(
    session: Session, symbol: str | None
) -> Iterator[tuple[str, datetime, Side, Decimal, Decimal, Decimal]]:
    query = (
        select(LedgerEntryRow, FillRow.symbol)
        .join(FillRow, FillRow.exec_id == LedgerEntryRow.transaction_id)
        .where(LedgerEntryRow.account.in_([ledger.TRADING, ledger.FEES]))
        .order_by(LedgerEntryRow.at, LedgerEntryRow.transaction_id)
    )
    if symbol is not None:
        query = query.where(FillRow.symbol == symbol)
    booked: dict[str, tuple[str, datetime, dict[tuple[str, str], Decimal]]] = {}
    for row, market in session.execute(query):
        _, _, amounts = booked.setdefault(row.transaction_id, (market, row.at, {}))
        amounts[row.account, row.asset] = row.amount
    for market, at, amounts in booked.values():
        base, quote = market.split("/")
        given = amounts[ledger.TRADING, base]
        cost = abs(amounts.get((ledger.TRADING, quote), ZERO))
        fee = amounts.get((ledger.FEES, quote), ZERO)
        yield market, at, Side.BUY if given < 0 else Side.SELL, abs(given), cost, fee


def _market(
    session: Session, symbol: str, steps: list[tuple[date, Position, Position]]
) -> MarketProfit:
    held = steps[-1][2]
    bar = session.scalars(
        select(PriceBarRow)
        .where(PriceBarRow.symbol == symbol)
        .order_by(PriceBarRow.start.desc(), PriceBarRow.interval_seconds)
        .limit(1)
    ).first()
    unrealised = None if bar is None and held.quantity else ZERO
    if bar is not None:
        unrealised = held.unrealised(bar.close)
    return MarketProfit(
        symbol=symbol,
        quantity=held.quantity,
        average=held.average,
        mark=None if bar is None else bar.close,
        marked_at=None if bar is None else bar.start,
        realised=held.realised,
        fees=held.fees,
        unrealised=unrealised,
        net=held.net + (unrealised or ZERO),
        days=tuple(_days(steps)),
    )


def _days(steps: list[tuple[date, Position, Position]]) -> Iterator[DayProfit]:
    for day in dict.fromkeys(day for day, _, _ in steps):
        todays = [step for step in steps if step[0] == day]
        before, after = todays[0][1], todays[-1][2]
        yield DayProfit(
            day=day,
            trades=len(todays),
            realised=after.realised - before.realised,
            fees=after.fees - before.fees,
            net=after.net - before.net,
        )
