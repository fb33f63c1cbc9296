"""Orders that wait for a price: a trade at the price, or the index there, makes them live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.entry import enter, reference_price
from sandbox.instruments import BY_SYMBOL
from sandbox.terms import trail_by

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.instruments import Pair
    from sandbox.orders import Order


def fire(exchange: Exchange, pair: Pair, price: int, now: int, *, reference: str = "last") -> bool:
    """Let a price set off the orders that wait for it; tell whether one went off."""
    fired = False
    for order in exchange.waiting(pair.symbol):
        if not order.alive or order.stop is None or order.stop.reference != reference:
            continue
        _trail(exchange, order, price, now)
        if order.waiting and _reached(order, price):
            fired = True
            _set_off(exchange, pair, order, price, now)
    return fired


def prompt(exchange: Exchange, pair: Pair, now: int) -> None:
    """Set off the orders whose price is there already."""
    references = {o.stop.reference for o in exchange.waiting(pair.symbol) if o.stop is not None}
    for reference in sorted(references):
        price = reference_price(exchange, pair, reference, now)
        fire(exchange, pair, price, now, reference=reference)


def _trail(exchange: Exchange, order: Order, price: int, now: int) -> None:
    stop = order.stop
    if stop is None or not stop.offset or stop.fired:
        return
    if price >= stop.peak if order.buys else price <= stop.peak:
        return
    pair = BY_SYMBOL[order.symbol]
    order.stop = trail_by(replace(stop, peak=price), stop.text, pair, buys=order.buys)
    if order.limit is not None:
        order.limit += order.stop.trigger - stop.trigger
    exchange.report("status", order, now)


def _reached(order: Order, price: int) -> bool:
    assert order.stop is not None
    rising = order.buys != order.ordertype.startswith("take")
    return price >= order.stop.trigger if rising else price <= order.stop.trigger


def _set_off(exchange: Exchange, pair: Pair, order: Order, price: int, now: int) -> None:
    assert order.stop is not None
    order.stop = replace(order.stop, fired=now, at=price)
    exchange.report("status", order, now)
    enter(exchange, order, now)
    if order.trades:
        fire(exchange, pair, exchange.trades[order.trades[-1]].price, now)
