"""Execution reports into the record.

A report of a trade without its amounts, with impossible ones, or with a fee in another asset
than the ledger books it in, is not guessed at: a settlement has to read the trade from the
exchange's own list, before a later report ends the order without it, and to compare balances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trader import journal
from trader.errors import OrderUnknown
from trader.orders import Accepted, Cancelled, Filled

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from streams.events import ExecutionReport
    from trader.orders import Order, OrderEvent


def record_report(session: Session, report: ExecutionReport) -> Order | None:
    """Apply a report to the order it is about, in the caller's transaction.

    Returns:
        The order afterwards, or None if the order is none of ours.

    Raises:
        IllegalTransition: The order cannot take what the report says.
        OrderUnknown: It says that something traded, but not how much, or nothing possible, or
            that the fee was not in the quote currency, which every order asks for.
    """
    order = journal.find_order(
        session, client_order_id=report.cl_ord_id, exchange_id=report.order_id
    )
    event = read(report)
    if order is None or event is None:
        return order
    quote = order.symbol.split("/")[1]
    if isinstance(event, Filled) and event.fee and report.fee_asset not in (quote, None):
        raise OrderUnknown(f"a trade of {report.order_id} cost {event.fee} {report.fee_asset}")
    return journal.record_event(session, order.id, event)


def read(report: ExecutionReport) -> OrderEvent | None:
    """Return what a report says happened, or None if it says nothing new about an order.

    Raises:
        OrderUnknown: It says that something traded, but not how much, or nothing possible.
    """
    match report.exec_type:
        case "pending_new" | "new":
            return Accepted(at=report.at, exchange_id=report.order_id)
        case "trade":
            return _fill(report)
        case "canceled" | "expired":
            return Cancelled(
                at=report.at,
                reason=report.reason or report.exec_type,
                exchange_id=report.order_id,
            )
        case _:
            return None


def _fill(report: ExecutionReport) -> Filled:
    quantity, price = report.last_quantity, report.last_price
    cost, fee, exec_id = report.cost, report.fee, report.exec_id
    if quantity is None or price is None or cost is None or fee is None or exec_id is None:
        raise OrderUnknown(f"a trade of {report.order_id} was reported without its amounts")
    try:
        return Filled(
            at=report.at,
            exec_id=exec_id,
            quantity=quantity,
            price=price,
            cost=cost,
            fee=fee,
            liquidity={"m": "maker", "t": "taker"}.get(report.liquidity or "", "unknown"),
            exchange_id=report.order_id,
        )
    except ValueError as error:
        raise OrderUnknown(f"a trade of {report.order_id} makes no sense: {error}") from None
