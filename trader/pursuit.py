"""Work the orders that rest, and do what standing halts ask: cancel, or sell everything.

What is asked of the exchange is committed before it is asked, on the connection that holds the
lease. What the exchange does not answer is asked again at the next look; reports and
reconciliation say what became of it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from market.errors import ExchangeRefused, ExchangeUnreachable
from trader import closing, journal, record
from trader.execution import Amend, Cancel, follow
from trader.limits import FLATTEN, state_for
from trader.orders import Amending, AmendRefused, Cancelling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sql.lease import Lease
    from trader.desk import Desk
    from trader.exchange import Exchange
    from trader.execution import Step
    from trader.limits import State
    from trader.memory import Memory
    from trader.orders import Order
    from trader.outlook import Circumstances
    from trader.record import Halt


def pursue(
    lease: Lease,
    exchange: Exchange,
    desks: Mapping[str, Desk],
    around: Callable[[Desk], Circumstances],
    memory: Memory | None = None,
) -> list[Order]:
    """Look after every order that rests, and return the orders to be sent now.

    They are committed already: one after a resting order that was not filled in time, or
    one that a person asked for by `friday flatten`.
    """
    with lease.transaction() as session:
        halts = record.current_halts(session)
        resting = [order for order in journal.unsettled_orders(session) if order.rests]
    state = state_for(halt.reason_code for halt in halts)
    for order in resting:
        desk = desks.get(order.symbol)
        if desk is not None:  # else another configuration's; the exchange's switch ends it
            _work(lease, exchange, order, desk, state=state, around=around(desk))
    flatten = next((halt for halt in halts if halt.reason_code == FLATTEN), None)
    if flatten is None:
        desks = {symbol: desk for symbol, desk in desks.items() if desk.worked}
    found = [_next(lease, desk, around(desk), flatten, memory) for desk in desks.values()]
    return [order for order in found if order is not None]


def _work(
    lease: Lease,
    exchange: Exchange,
    order: Order,
    desk: Desk,
    *,
    state: State,
    around: Circumstances,
) -> None:
    quote = desk.quote if desk.trusted and around.fresh else None
    step = follow(
        order,
        quote,
        state=state,
        now=around.now,
        patience=around.patience,
        stopping=around.stopping,
    )
    try:
        _take(lease, exchange, order, step, around)
    except (ExchangeRefused, ExchangeUnreachable) as error:
        sys.stderr.write(f"order {order.id[:12]} is left as it is until the next look: {error}\n")


def _take(
    lease: Lease, exchange: Exchange, order: Order, step: Step, around: Circumstances
) -> None:
    match step:
        case Amend(limit=limit):
            if _note(lease, order, Amending(at=around.now, limit=limit)):
                deadline = around.now + around.deadline
                if not exchange.amend(order, limit, deadline):
                    left = AmendRefused(at=around.now, limit=order.limit, reason="the exchange")
                    _note(lease, order, left)
        case Cancel(reason=reason):
            if _note(lease, order, Cancelling(at=around.now, reason=reason)):
                exchange.cancel(order.id)


def _note(lease: Lease, order: Order, event: Amending | AmendRefused | Cancelling) -> bool:
    """Write down what is asked of an order; return whether it may still trade."""
    with lease.transaction() as session:
        return not journal.record_event(session, order.id, event).status.final


def _next(
    lease: Lease, desk: Desk, around: Circumstances, flatten: Halt | None, memory: Memory | None
) -> Order | None:
    with lease.transaction() as session:
        if flatten is not None:
            return closing.flatten(session, desk, around, flatten, memory)
        worked = desk.worked and journal.order_by_id(session, desk.worked)
        if not worked or not worked.status.final:
            return None
        desk.worked = None
        return closing.decide_again(session, desk, around, memory) if worked.remaining else None
