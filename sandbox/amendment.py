"""Changing an order that rests on the book, without losing its ids or its fills.

An order keeps its place when only its quantity shrinks; a new price or a larger quantity
sends it to the back, as if it had just arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.errors import Refused
from sandbox.funding import check_funds, needed, set_reserve
from sandbox.matching import reachable, take
from sandbox.orders import OPEN, Amend, Order

if TYPE_CHECKING:
    from sandbox.exchange import Exchange


def amend(
    exchange: Exchange,
    order: Order,
    quantity: int | None,
    limit: int | None,
    now: int,
    *,
    trigger: int | None = None,
) -> str:
    """Change an open order in place and give the id of the amendment."""
    if limit is not None and order.limit is None:
        raise Refused("EOrder:Invalid limit price")
    if trigger is not None and not order.waiting:
        raise Refused("EOrder:Invalid order")
    amended = replace(
        order,
        quantity=order.quantity if quantity is None else quantity,
        limit=order.limit if limit is None else limit,
    )
    if amended.remaining > 0:
        _check(exchange, amended, now)
    loses_place = amended.limit != order.limit or amended.quantity > order.quantity
    if not order.amends:
        order.amends = [_note(exchange, order, "original", order.opened)]
    order.quantity, order.limit = amended.quantity, amended.limit
    if trigger is not None and order.stop is not None:
        order.stop = replace(order.stop, trigger=trigger)
    order.amends = [*order.amends, _note(exchange, order, "user", now)]
    order.changed = now
    exchange.report("amended", order, now)
    if order.remaining <= 0:
        order.quantity = order.filled
        exchange.cancel(order, now)
    elif loses_place and not order.waiting:
        _arrive_again(exchange, order, now)
    else:
        set_reserve(exchange, order, needed(order, []))
    return order.amends[-1].id


def _note(exchange: Exchange, order: Order, kind: str, time: int) -> Amend:
    return Amend(
        id=exchange.mint("T"),
        kind=kind,
        time=time,
        quantity=order.quantity,
        remaining=max(order.remaining, 0),
        limit=order.limit,
    )


def _arrive_again(exchange: Exchange, order: Order, now: int) -> None:
    exchange.open.pop(order.txid)
    exchange.mint("R")
    order.rank = exchange.minted
    take(exchange, order, reachable(exchange, order, now), now)
    if order.status == OPEN:
        exchange.rest(order, now)
    exchange.follow_up(now)


def _check(exchange: Exchange, amended: Order, now: int) -> None:
    if amended.post_only and reachable(exchange, amended, now):
        raise Refused("EOrder:Post only order")
    check_funds(exchange, amended, [])
