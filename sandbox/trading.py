"""The acts of trading, the same for REST and the websocket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sandbox import amendment
from sandbox.amendment import Change
from sandbox.checks import canonical, check_deadline
from sandbox.choices import is_relative
from sandbox.entry import admit, draft
from sandbox.errors import Refused
from sandbox.forms import lots, ticks, truth, whole
from sandbox.funding import set_reserve
from sandbox.instruments import BY_SYMBOL
from sandbox.limits import AMEND, CANCEL, EDIT, by_age
from sandbox.orders import OPEN, PENDING, ZERO
from sandbox.replacement import check_editable, replacement
from sandbox.websocket_orders import relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.instruments import Pair
    from sandbox.orders import Order, OrderRequest
    from sandbox.venue import Venue

Params = Mapping[str, Any]
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
    order = _draft(venue, account, request, now)
    return _place(venue, order, now, validate=request.validate)


def _draft(venue: Venue, account: str, request: OrderRequest, now: int) -> Order:
    """Build an order, or refuse what neither mode nor rules allow, whatever the book is."""
    check_mode(venue, request)
    if request.deadline is not None:
        request = replace(request, deadline=request.deadline - venue.skew(now))
    return draft(venue.exchange, account, request, now)


def _place(venue: Venue, order: Order, now: int, *, validate: bool) -> Order:
    if validate:
        admit(venue.exchange, order, now)
        return order
    mine = [o for o in venue.exchange.open_orders(order.account) if o.symbol == order.symbol]
    if order.status == PENDING:
        venue.limits.check_scheduled(sum(o.status == PENDING for o in mine))
    else:
        venue.limits.check_open(sum(o.status == OPEN for o in mine))
    return venue.exchange.accept(order, now)


def add_batch(
    venue: Venue, account: str, requests: list[OrderRequest], now: int
) -> list[tuple[Order, str]]:
    """Place two to fifteen orders of one pair.

    All are refused if one breaks the rules; one that the book or the funds do not allow is
    refused alone.

    Returns:
        Every order with the words of its refusal, empty if it was placed.
    """
    if len(requests) not in BATCH:
        raise Refused("EGeneral:Invalid arguments:orders")
    venue.limits.act(account, requests[0].symbol, len(requests) / 2, now)
    drafts = [_draft(venue, account, request, now) for request in requests]
    made: list[tuple[Order, str]] = []
    for order, request in zip(drafts, requests, strict=True):
        try:
            made.append((_place(venue, order, now, validate=request.validate), ""))
        except Refused as refusal:
            made.append((order, refusal.text))
    return made


def find_open(
    venue: Venue, account: str, *, txid: str | None = None, cl_ord_id: str | None = None
) -> Order:
    """Find one open order of a client by either of its ids, or refuse."""
    if cl_ord_id:
        wanted, mine = canonical(cl_ord_id), venue.exchange.open_orders(account)
        named = [o for o in mine if o.cl_ord_id and canonical(o.cl_ord_id) == wanted]
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


def amend(venue: Venue, order: Order, params: Params, deadline: int | None, now: int) -> str:
    """Amend an open order and give the id of the amendment."""
    if venue.mode != "limit_only":
        check_mode(venue, order)
    check_deadline(deadline, now + venue.skew(now))
    age = now - order.changed
    venue.limits.act(order.account, order.symbol, 1 + by_age(AMEND, age), now)
    change = read_change(order, params)
    if change.quantity is not None and change.quantity <= order.filled:
        # Nothing is left of it: a cancellation.
        venue.limits.pay(order.account, order.symbol, by_age(CANCEL, age), now)
    return amendment.amend(venue.exchange, order, change, now)


def read_change(order: Order, params: Params) -> Change:
    """Read what an amendment wants changed, over either door."""
    pair = BY_SYMBOL[order.symbol]

    def read(name: str, reader: Callable[[object, Pair], int]) -> int | None:
        value = params.get(name)
        if value is None:
            return None
        number = reader(value, pair)
        if number <= 0:
            raise Refused("EGeneral:Invalid arguments")
        return number

    trail = _read_trail(order, params)
    change = Change(
        quantity=read("order_qty", lots),
        limit=read("limit_price", ticks),
        trigger=read("trigger_price", ticks) if trail is None else None,
        trail=trail,
        display=read("display_qty", lots),
        post_only=truth(params.get("post_only")),
    )
    if change == Change(post_only=change.post_only):
        raise Refused("EGeneral:Invalid arguments")
    return change


def _read_trail(order: Order, params: Params) -> str | None:
    """Read the new distance of a trigger that trails; no other price here is relative."""
    trigger, kind = params.get("trigger_price"), params.get("trigger_price_type", "static")
    text = str(trigger) if kind == "static" else relative(trigger, kind)
    trails = order.stop is not None and order.stop.offset != 0
    if trigger is not None and trails != is_relative(text):
        raise Refused("EGeneral:Invalid arguments:trigger_price")
    if params.get("limit_price_type", "static") != "static":
        raise Refused("EGeneral:Invalid arguments:limit_price_type")
    return text if trails and trigger is not None else None


def edit(venue: Venue, order: Order, changes: Params, now: int) -> Order:
    """Replace an open order by another, or leave it alone if the other is refused."""
    check_editable(order)
    request = replacement(order, changes, now)
    check_mode(venue, request)
    cost = 1 + by_age(EDIT, now - order.changed)
    venue.limits.act(order.account, order.symbol, cost, now)
    held = order.reserve
    set_reserve(venue.exchange, order, ZERO)
    try:
        drafted = _draft(venue, order.account, request, now)
        admit(venue.exchange, drafted, now)
    finally:
        set_reserve(venue.exchange, order, held)
    if request.validate:
        return drafted
    venue.exchange.cancel(order, now, "Order replaced")
    return venue.exchange.accept(drafted, now)


def arm(venue: Venue, account: str, timeout: object, now: int) -> int:
    """Set or clear the dead-man's switch and give the time at which it fires."""
    check_service(venue)
    seconds = whole(timeout, "timeout")
    if not 0 <= seconds < LONGEST_TIMEOUT:
        raise Refused("EGeneral:Invalid arguments:timeout")
    return venue.exchange.arm(account, seconds, now)
