"""The acts of trading, the same for REST and the websocket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sandbox import amendment
from sandbox.checks import check_deadline
from sandbox.errors import Refused
from sandbox.forms import lots, ticks, whole
from sandbox.funding import needed, set_reserve
from sandbox.instruments import BY_SYMBOL
from sandbox.limits import AMEND, CANCEL, EDIT, by_age
from sandbox.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.orders import Order, OrderRequest
    from sandbox.venue import Venue

LONGEST_TIMEOUT = 86400
BATCH = range(2, 16)
CANCELS_MOST = 50
_TXID = re.compile(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}")


def check_service(venue: Venue) -> None:
    """Refuse everything while the exchange is offline; then nothing can even be cancelled."""
    if venue.mode == "maintenance":
        raise Refused("EService:Unavailable")


def check_mode(venue: Venue, order: OrderRequest | Order) -> None:
    """Refuse an order, or a change of one, that the exchange's present mode does not take."""
    check_service(venue)
    if venue.mode == "cancel_only":
        raise Refused("EService:Market in cancel_only mode")
    if venue.mode == "post_only" and not order.post_only:
        raise Refused("EService:Market in post_only mode")
    if venue.mode == "limit_only" and order.limit is None:
        raise Refused("EService:Market in limit_only mode")


def add(venue: Venue, account: str, request: OrderRequest, now: int) -> Order:
    """Place an order, or with `validate` only check it."""
    venue.limits.act(account, request.symbol, 1, now)
    return _place(venue, account, request, now)


def _place(venue: Venue, account: str, request: OrderRequest, now: int) -> Order:
    check_mode(venue, request)
    if request.deadline is not None:
        request = replace(request, deadline=request.deadline - venue.skew(now))
    if request.validate:
        return venue.exchange.check(account, request, now)
    mine = venue.exchange.open_orders(account)
    venue.limits.check_open(sum(order.symbol == request.symbol for order in mine))
    return venue.exchange.place(account, request, now)


def add_batch(
    venue: Venue, account: str, requests: list[OrderRequest], now: int
) -> list[Order | str]:
    """Place two to fifteen orders of one pair; each leg succeeds or is refused alone."""
    if len(requests) not in BATCH:
        raise Refused("EGeneral:Invalid arguments:orders")
    venue.limits.act(account, requests[0].symbol, len(requests) / 2, now)
    made: list[Order | str] = []
    for request in requests:
        try:
            made.append(_place(venue, account, request, now))
        except Refused as refusal:
            made.append(refusal.text)
    return made


def find_open(
    venue: Venue, account: str, *, txid: str | None = None, cl_ord_id: str | None = None
) -> Order:
    """Find one open order of a client by either of its ids, or refuse."""
    if cl_ord_id:
        named = [o for o in venue.exchange.open_orders(account) if o.cl_ord_id == cl_ord_id]
        if not named:
            raise Refused("EOrder:Unknown order")
        return named[0]
    order = venue.order(txid or "")
    if order is None or order.account != account:
        known = bool(_TXID.fullmatch(txid or ""))
        raise Refused("EOrder:Invalid order" if known else "EGeneral:Invalid arguments:txid")
    if order.txid not in venue.exchange.open:
        raise Refused("EOrder:Unknown order")
    return order


def by_userref(venue: Venue, account: str, userref: int) -> list[Order]:
    """Find the open orders that carry a user reference."""
    found = [o for o in venue.exchange.open_orders(account) if o.userref == userref]
    if not found:
        raise Refused("EOrder:Unknown order")
    return found


def cancel_all(venue: Venue, orders: Iterable[Order], now: int) -> int:
    """Cancel orders and count them."""
    check_service(venue)
    found = list(orders)
    for order in found:
        cost = by_age(CANCEL, now - order.changed)
        venue.limits.pay(order.account, order.symbol, cost, now)
        venue.exchange.cancel(order, now)
    return len(found)


def amend(
    venue: Venue, order: Order, params: dict[str, Any], deadline: int | None, now: int
) -> str:
    """Amend an open order and give the id of the amendment."""
    if venue.mode != "limit_only":
        check_mode(venue, order)
    check_deadline(deadline, now + venue.skew(now))
    age = now - order.changed
    venue.limits.act(order.account, order.symbol, 1 + by_age(AMEND, age), now)
    pair = BY_SYMBOL[order.symbol]
    quantity, price = params.get("order_qty"), params.get("limit_price")
    trigger = params.get("trigger_price")
    if quantity is None and price is None and trigger is None:
        raise Refused("EGeneral:Invalid arguments")
    wanted = None if quantity is None else lots(quantity, pair)
    limit = None if price is None else ticks(price, pair)
    wait = None if trigger is None else ticks(trigger, pair)
    if any(number is not None and number <= 0 for number in (wanted, limit, wait)):
        raise Refused("EGeneral:Invalid arguments")
    if wanted is not None and wanted <= order.filled:  # nothing is left of it: a cancellation
        venue.limits.pay(order.account, order.symbol, by_age(CANCEL, age), now)
    return amendment.amend(venue.exchange, order, wanted, limit, now, trigger=wait)


def edit(venue: Venue, order: Order, request: OrderRequest, now: int) -> Order:
    """Replace an open order by another, or leave it alone if the other is refused."""
    check_mode(venue, request)
    cost = 1 + by_age(EDIT, now - order.changed)
    venue.limits.act(order.account, order.symbol, cost, now)
    if request.symbol != order.symbol or request.quantity <= order.filled:
        raise Refused("EOrder:Invalid order")
    set_reserve(venue.exchange, order, ZERO)
    try:
        venue.exchange.check(order.account, request, now)
    finally:
        set_reserve(venue.exchange, order, needed(order, []))
    venue.exchange.cancel(order, now, "Order replaced")
    return venue.exchange.place(order.account, request, now)


def arm(venue: Venue, account: str, timeout: object, now: int) -> int:
    """Set or clear the dead-man's switch and give the time at which it fires."""
    check_service(venue)
    seconds = whole(timeout, "timeout")
    if not 0 <= seconds < LONGEST_TIMEOUT:
        raise Refused("EGeneral:Invalid arguments:timeout")
    return venue.exchange.arm(account, seconds, now)
