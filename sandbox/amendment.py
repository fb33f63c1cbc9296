"""Changing an order that rests on the book, without losing its ids or its fills.

An order keeps its place when only its quantity shrinks; a new price or a larger quantity
sends it to the back, as if it had just arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.errors import Refused
from sandbox.instruments import BY_SYMBOL
from sandbox.orders import OPEN, Order

if TYPE_CHECKING:
    from sandbox.exchange import Exchange


def amend(
    exchange: Exchange, order: Order, quantity: int | None, limit: int | None, now: int
) -> str:
    """Change an open order in place and give the id of the amendment."""
    amended = replace(
        order,
        quantity=order.quantity if quantity is None else quantity,
        limit=order.limit if limit is None else limit,
    )
    if amended.remaining > 0:
        _check(exchange, order, amended, now)
    loses_place = amended.limit != order.limit or amended.quantity > order.quantity
    order.quantity, order.limit, order.amended = amended.quantity, amended.limit, True
    order.changed = now
    exchange.report("amended", order, now)
    if order.remaining <= 0:
        order.quantity = order.filled
        exchange.cancel(order, now)
    elif loses_place:
        _arrive_again(exchange, order, now)
    else:
        exchange.set_reserve(order, exchange.needed(order, BY_SYMBOL[order.symbol], []))
    return exchange.mint("T")


def _arrive_again(exchange: Exchange, order: Order, now: int) -> None:
    exchange.open.pop(order.txid)
    exchange.mint("R")
    order.rank = exchange.minted
    exchange.take(order, exchange.reachable(order, now), now)
    if order.status == OPEN:
        exchange.rest(order, now)


def _check(exchange: Exchange, order: Order, amended: Order, now: int) -> None:
    if amended.post_only and exchange.reachable(amended, now):
        raise Refused("EOrder:Post only order")
    pair = BY_SYMBOL[order.symbol]
    asset = pair.quote if order.buys else pair.base
    free = exchange.accounts.free(order.account, asset.id) + order.reserve
    if exchange.needed(amended, pair, []) > free:
        raise Refused("EOrder:Insufficient funds")
