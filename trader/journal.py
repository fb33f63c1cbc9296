"""The record of orders: every function works in the caller's transaction.

Nothing here commits. Everything is idempotent by a key that does not change when the
same news arrives again: the client order id, the exec id, the decision's id.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from market.instruments import Side
from sql import trip
from sql.tables import FillRow, OrderEventRow, OrderRow
from sql.trip import Statement
from trader import accounts, ledger
from trader.errors import OrderUnknown
from trader.orders import Filled, Order, OrderEvent, Status, apply

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.orm import Session


# Spelt out for the reason that stands beside those of trader.record; the order's first event
# is written by the same statement, and nothing is where what comes before returned no row.
INTENT = """
    WITH before AS ({before}), intended AS (
        INSERT INTO orders (id, decision_id, symbol, side, quantity, limit_price, worst_price,
                            cancelling, time_in_force, status, filled, created_at, deadline,
                            updated_at)
        SELECT :order_id, :decision_id, :symbol, :side, CAST(:quantity AS numeric),
               CAST(:limit_price AS numeric), CAST(:worst_price AS numeric),
               CAST(:cancelling AS boolean), :time_in_force, 'pending', 0,
               CAST(:created_at AS timestamptz), CAST(:deadline AS timestamptz), :created_at
        FROM before
        ON CONFLICT (id) DO NOTHING RETURNING id, created_at
    )
    INSERT INTO order_events (order_id, kind, detail, at)
    SELECT id, 'intended', CAST(:detail AS jsonb), created_at FROM intended RETURNING order_id
"""
ANYHOW = Statement("SELECT 1", {})
# Asked for one by one, many orders are read in a quarter of the time that rows take as objects.
COLUMNS = [getattr(OrderRow, column.name) for column in OrderRow.__table__.columns]


def intent(order: Order, decision: Statement = ANYHOW) -> Statement:
    """Write down that an order is about to be sent, if its decision is new; commit, then send.

    Returns:
        What writes the decision and the intent, and gives the order's id, or None if either was
        not written: such an order must not be sent.
    """
    given = {
        "order_id": order.id,
        "decision_id": order.decision_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "limit_price": order.limit,
        "worst_price": order.worst,
        "cancelling": order.cancelling,
        "time_in_force": order.time_in_force,
        "created_at": order.created_at,
        "deadline": order.deadline,
        "detail": json.dumps({"quantity": str(order.quantity), "limit": str(order.limit)}),
    }
    return Statement(INTENT.replace("{before}", decision.sql), {**decision.given, **given})


def record_intent(session: Session, order: Order) -> bool:
    """Write an intent down on its own, whatever it follows; return whether it is new."""
    return trip.run(session, [intent(order)]) is not None


def record_event(session: Session, order_id: str, event: OrderEvent) -> Order:
    """Apply news of an order and write it down; old news leaves no trace.

    A fill is booked once, by its exec id: the fill, its ledger lines and the order's new
    state are one transaction, the caller's.

    Raises:
        OrderUnknown: No order of ours has this id, or the news belongs to another one.
        IllegalTransition: The order cannot take the event.
    """
    row = session.scalars(
        select(OrderRow)
        .where(OrderRow.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise OrderUnknown(f"no order of ours has the id {order_id}")
    before = _order(row)
    if isinstance(event, Filled) and not _is_new(session, before, event):
        return before
    after = apply(before, event)
    if after == before and after.updated_at == before.updated_at:
        return before
    if after.exchange_id != before.exchange_id:
        _claim(session, after)
    if isinstance(event, Filled):
        _book_fill(session, after, event)
    row.status, row.filled, row.exchange_id = after.status, after.filled, after.exchange_id
    row.limit_price, row.cancelling = after.limit, after.cancelling
    row.updated_at = event.at
    _note(session, order_id, type(event).__name__.lower(), _detail(event), event.at)
    session.flush()
    return after


def record_fill(session: Session, order_id: str, fill: Filled) -> bool:
    """Book a fill once, however often the exchange reports it.

    Returns:
        Whether the fill was new.
    """
    before = order_by_id(session, order_id)
    return record_event(session, order_id, fill) != before


def order_by_id(session: Session, order_id: str) -> Order | None:
    """Return the order with this client order id."""
    row = session.get(OrderRow, order_id, populate_existing=True)
    return None if row is None else _order(row)


def find_order(
    session: Session, *, client_order_id: str | None, exchange_id: str | None
) -> Order | None:
    """Return the order that a report is about; reports may carry either id."""
    if client_order_id is not None:
        found = order_by_id(session, client_order_id.replace("-", ""))
        if found is not None:
            return found
    if exchange_id is None:
        return None
    row = session.scalars(select(OrderRow).where(OrderRow.exchange_id == exchange_id)).one_or_none()
    return None if row is None else _order(row)


def unsettled_orders(session: Session) -> list[Order]:
    """Return the orders that may still trade as far as we know, oldest first."""
    return _orders(session, OrderRow.status.in_([Status.PENDING, Status.OPEN, Status.UNKNOWN]))


def ended_orders(session: Session, names: Collection[str]) -> list[Order]:
    """Return the orders that traded or stood and have ended, by any of the names they have."""
    return _orders(
        session,
        OrderRow.id.in_(names) | OrderRow.exchange_id.in_(names),
        OrderRow.status.in_([Status.FILLED, Status.CANCELLED]),
    )


def orders_at_exchange(session: Session, exchange_ids: Collection[str]) -> dict[str, Order]:
    """Return our orders by the exchange's ids for them."""
    found = _orders(session, OrderRow.exchange_id.in_(exchange_ids))
    return {str(order.exchange_id): order for order in found}


def orders_since(session: Session, at: datetime) -> list[Order]:
    """Return the orders intended since a time, oldest first."""
    return _orders(session, OrderRow.created_at >= at)


def fills_since(session: Session, at: datetime) -> dict[str, Filled]:
    """Return the fills booked with a time at or after this one, by exec id."""
    rows = session.execute(
        select(FillRow, OrderRow.exchange_id)
        .join(OrderRow, OrderRow.id == FillRow.order_id)
        .where(FillRow.at >= at)
    )
    return {row.exec_id: _filled(row, exchange_id) for row, exchange_id in rows}


def _claim(session: Session, order: Order) -> None:
    other = find_order(session, client_order_id=None, exchange_id=order.exchange_id)
    if other is not None:
        raise OrderUnknown(f"{order.exchange_id} is order {other.id}, not order {order.id}")


def _is_new(session: Session, order: Order, fill: Filled) -> bool:
    known = session.get(FillRow, fill.exec_id)
    if known is None:
        return True
    if known.order_id != order.id:
        raise OrderUnknown(
            f"trade {fill.exec_id} is booked on order {known.order_id}, "
            f"the exchange now reports it for {order.id}"
        )
    return False


def _book_fill(session: Session, order: Order, fill: Filled) -> None:
    session.add(
        FillRow(
            exec_id=fill.exec_id,
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=fill.quantity,
            price=fill.price,
            cost=fill.cost,
            fee=fill.fee,
            liquidity=fill.liquidity,
            at=fill.at,
        )
    )
    lines = ledger.fill_lines(
        order.symbol, order.side, quantity=fill.quantity, cost=fill.cost, fee=fill.fee
    )
    accounts.book(session, fill.exec_id, lines, fill.at)


def _note(session: Session, order_id: str, kind: str, detail: dict[str, Any], at: datetime) -> None:
    session.add(OrderEventRow(order_id=order_id, kind=kind, detail=detail, at=at))
    session.flush()


def _detail(event: OrderEvent) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(event).items() if name != "at"}
    return {name: str(value) for name, value in fields.items() if value not in (None, "")}


def _orders(session: Session, *conditions: ColumnElement[bool]) -> list[Order]:
    query = select(*COLUMNS).where(*conditions)
    return [
        _order(row) for row in session.execute(query.order_by(OrderRow.created_at, OrderRow.id))
    ]


def _order(row: OrderRow | Row[Any]) -> Order:
    return Order(
        id=row.id,
        symbol=row.symbol,
        side=Side(row.side),
        quantity=row.quantity,
        limit=row.limit_price,
        created_at=row.created_at,
        deadline=row.deadline,
        decision_id=row.decision_id,
        time_in_force=row.time_in_force,
        exchange_id=row.exchange_id,
        status=Status(row.status),
        filled=row.filled,
        worst=row.worst_price,
        cancelling=row.cancelling,
        updated_at=row.updated_at,
    )


def _filled(row: FillRow, exchange_id: str | None) -> Filled:
    return Filled(
        at=row.at,
        exec_id=row.exec_id,
        quantity=row.quantity,
        price=row.price,
        cost=row.cost,
        fee=row.fee,
        liquidity=row.liquidity,
        exchange_id=exchange_id,
    )
