"""Orders that wait for a price: a trade at the price makes them live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.errors import Refused
from sandbox.funding import check_funds, set_reserve
from sandbox.matching import reachable, take
from sandbox.orders import CANCELED, OPEN, ZERO, Order

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.instruments import Pair


def fire(exchange: Exchange, pair: Pair, price: int, now: int) -> bool:
    """Let a traded price set off the orders that wait for it; tell whether one went off."""
    fired = False
    for order in exchange.waiting(pair.symbol):
        _trail(exchange, order, price)
        if order.waiting and _reached(order, price):
            fired = True
            _set_off(exchange, pair, order, price, now)
    return fired


def _trail(exchange: Exchange, order: Order, price: int) -> None:
    stop = order.stop
    if stop is None or not stop.offset:
        return
    moved = price + stop.offset if order.buys else price - stop.offset
    if moved < stop.trigger if order.buys else moved > stop.trigger:
        if order.limit is not None:
            order.limit += moved - stop.trigger
        order.stop = replace(stop, trigger=moved)
        exchange.journal.orders[order.txid] = order


def _reached(order: Order, price: int) -> bool:
    assert order.stop is not None
    rising = order.buys != order.ordertype.startswith("take")
    return price >= order.stop.trigger if rising else price <= order.stop.trigger


def _set_off(exchange: Exchange, pair: Pair, order: Order, price: int, now: int) -> None:
    assert order.stop is not None
    order.stop = replace(order.stop, fired=now, at=price)
    exchange.open.pop(order.txid)
    exchange.report("status", order, now)
    set_reserve(exchange, order, ZERO)
    offers = reachable(exchange, order, now)
    try:
        check_funds(exchange, order, offers)
    except Refused:
        exchange.finish(order, CANCELED, now, "Insufficient funds")
        return
    exchange.mint("R")
    order.rank = exchange.minted
    take(exchange, order, offers, now)
    if order.status == OPEN:
        exchange.rest_or_end(order, now)
    if order.trades:
        fire(exchange, pair, exchange.trades[order.trades[-1]].price, now)
