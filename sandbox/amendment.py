"""Changing an order that rests on the book, without losing its ids or its fills.

An order keeps its place when only its quantity, or what an iceberg shows of it, shrinks; a
new price, a larger quantity or a larger display sends it to the back, as if it had just
arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sandbox.checks import check_display, check_minimum
from sandbox.errors import Refused
from sandbox.funding import check_funds, needed, set_reserve
from sandbox.instruments import BY_SYMBOL
from sandbox.matching import reachable, take
from sandbox.orders import OPEN, Amend, Order, Stop
from sandbox.terms import trail_by
from sandbox.triggers import prompt

if TYPE_CHECKING:
    from sandbox.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a client wants changed, in lots and ticks; nothing where it is to stay.

    `trail` is the new distance of a trigger that trails, as REST spells it. With `post_only`
    the change is refused rather than let the order trade at once.
    """

    quantity: int | None = None
    limit: int | None = None
    trigger: int | None = None
    trail: str | None = None
    display: int | None = None
    post_only: bool = False


def amend(exchange: Exchange, order: Order, change: Change, now: int) -> str:
    """Change an open order in place and give the id of the amendment.

    If no more is wanted than has been filled, what is left is cancelled.
    """
    amended = _amended(order, change)
    if amended.remaining > 0:
        _check(exchange, amended, change, now)
    loses_place = (
        amended.limit != order.limit
        or amended.quantity > order.quantity
        or amended.display > order.display
    )
    if not order.amends:
        order.amends = [_note(exchange, order, "original", order.opened)]
    order.quantity, order.limit, order.stop = amended.quantity, amended.limit, amended.stop
    order.display, order.shown = amended.display, min(order.shown, amended.display)
    order.amends = [*order.amends, _note(exchange, order, "user", now)]
    order.changed = now
    exchange.report("amended", order, now)
    if order.remaining <= 0:
        order.quantity = order.filled
        exchange.cancel(order, now)
    elif loses_place and not order.waiting:
        _arrive_again(exchange, order, now)
    else:
        set_reserve(exchange, order, needed(order, reachable(exchange, order, now)))
        prompt(exchange, BY_SYMBOL[order.symbol], now)
        exchange.follow_up(now)
    return order.amends[-1].id


def _amended(order: Order, change: Change) -> Order:
    """Give the order as it would be, or refuse what its kind does not have."""
    for_money = order.cash is not None and change.quantity is not None
    if order.close is not None or for_money:
        raise Refused("EOrder:Invalid order")
    if change.limit is not None and order.limit is None:
        raise Refused("EOrder:Invalid limit price")
    if change.display is not None and not order.display:
        raise Refused("EGeneral:Invalid arguments:display_qty")
    stop, limit = _moved(order, change)
    return replace(
        order,
        quantity=order.quantity if change.quantity is None else change.quantity,
        limit=limit if change.limit is None else change.limit,
        stop=stop,
        display=order.display if change.display is None else change.display,
    )


def _moved(order: Order, change: Change) -> tuple[Stop | None, int | None]:
    """Give the trigger as it would be, and the limit that moves along with one that trails."""
    stop = order.stop
    if change.trigger is None and change.trail is None:
        return stop, order.limit
    if stop is None or stop.fired:
        raise Refused("EOrder:Invalid order")
    if change.trail is None:
        return replace(stop, trigger=change.trigger), order.limit
    moved = trail_by(stop, change.trail, BY_SYMBOL[order.symbol], buys=order.buys)
    limit = None if order.limit is None else order.limit + moved.trigger - stop.trigger
    return moved, limit


def _note(exchange: Exchange, order: Order, kind: str, time: int) -> Amend:
    return Amend(
        id=exchange.mint("T"),
        kind=kind,
        time=time,
        quantity=order.quantity,
        remaining=max(order.remaining, 0),
        limit=order.limit,
        display=order.display,
        trigger=None if order.stop is None else order.stop.trigger,
    )


def _arrive_again(exchange: Exchange, order: Order, now: int) -> None:
    exchange.open.pop(order.txid)
    exchange.mint("R")
    order.rank, before = exchange.minted, len(order.trades)
    take(exchange, order, reachable(exchange, order, now), now)
    if order.status == OPEN:
        exchange.rest(order, now)
    if len(order.trades) > before:
        exchange.echo(order, now)
    exchange.follow_up(now)


def _check(exchange: Exchange, amended: Order, change: Change, now: int) -> None:
    pair = BY_SYMBOL[amended.symbol]
    price = amended.limit or (amended.stop.trigger if amended.stop is not None else 0)
    if price and change.quantity is not None:
        check_minimum(amended.quantity, pair, price)
    if change.display is not None:
        check_display(change.display, amended.remaining)
    if (amended.post_only or change.post_only) and not amended.waiting:
        _check_passive(exchange, amended, now)
    check_funds(exchange, amended, reachable(exchange, amended, now))


def _check_passive(exchange: Exchange, amended: Order, now: int) -> None:
    if reachable(exchange, amended, now):
        raise Refused("EOrder:Post only order")
