"""What an order must satisfy before it may reach the book, and the words of refusal."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.errors import Refused
from sandbox.terms import LIMITED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.instruments import Pair
    from sandbox.orders import Order, OrderRequest

SECOND_NS = 1_000_000_000
DEADLINE_LEAST_NS = SECOND_NS // 2
DEADLINE_MOST_NS = 60 * SECOND_NS
EXPIRY_LEAST_NS = 5 * SECOND_NS
HIDDEN_MOST = 15
EXPIRY_MOST_NS = 366 * 86400 * SECOND_NS
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-fA-F]{32}")
_FREE_TEXT = re.compile(r"[\x21-\x7e]{1,18}")


def check_name(cl_ord_id: str) -> None:
    """Refuse a client order id of none of the three forms."""
    if not any(form.fullmatch(cl_ord_id) for form in (_UUID, _HEX, _FREE_TEXT)):
        raise Refused("EGeneral:Invalid arguments:cl_ord_id")


def check_deadline(deadline: int | None, now: int) -> None:
    """Refuse a deadline that has passed or is out of bounds."""
    if deadline is None:
        return
    if deadline <= now:
        raise Refused("EService:Deadline elapsed")
    if not DEADLINE_LEAST_NS <= deadline - now <= DEADLINE_MOST_NS:
        raise Refused("EGeneral:Invalid arguments:deadline")


def canonical(cl_ord_id: str) -> str:
    """Give the form in which ids are compared: a UUID is the same with and without dashes."""
    if _UUID.fullmatch(cl_ord_id) or _HEX.fullmatch(cl_ord_id):
        return cl_ord_id.replace("-", "").lower()
    return cl_ord_id


def spellings(cl_ord_id: str) -> set[str]:
    """Give the forms in which the same id may have been sent: a UUID with and without dashes."""
    plain = canonical(cl_ord_id)
    if not _HEX.fullmatch(plain):
        return {cl_ord_id}
    dashed = "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))
    return {cl_ord_id, plain, dashed}


def check_order(request: OrderRequest, pair: Pair, now: int, price: int) -> None:
    """Refuse what the market's rules forbid; `price` values an order without one, in ticks."""
    _check_size(request, pair, request.limit or price)
    _check_display(request)
    if request.userref is not None and request.cl_ord_id is not None:
        raise Refused("EGeneral:Invalid arguments:cl_ord_id and userref are mutually exclusive")
    if request.cl_ord_id is not None:
        check_name(request.cl_ord_id)
    check_deadline(request.deadline, now)
    _check_times(request, now)
    resting = request.ordertype in LIMITED and request.tif not in {"IOC", "FOK"}
    if request.post_only and not resting:
        raise Refused("EOrder:Invalid order")


def _check_times(request: OrderRequest, now: int) -> None:
    begins = max(request.starts, now)
    if begins > now + EXPIRY_MOST_NS:
        raise Refused("EGeneral:Invalid arguments:starttm")
    if request.expires and request.expires < begins + EXPIRY_LEAST_NS:
        raise Refused("EGeneral:Invalid arguments:expiretm")
    if request.expires > now + EXPIRY_MOST_NS:
        raise Refused("EGeneral:Invalid arguments:expiretm")
    if request.tif == "GTD" and not request.expires:
        raise Refused("EGeneral:Invalid arguments:expiretm")


def _check_display(request: OrderRequest) -> None:
    if (request.ordertype == "iceberg") != (request.display != 0):
        raise Refused("EGeneral:Invalid arguments:displayvol")
    if request.ordertype == "iceberg":
        check_display(request.display, request.quantity)


def check_display(display: int, quantity: int) -> None:
    """Refuse an iceberg that shows less than a fifteenth of its quantity, or more than it."""
    if not quantity <= display * HIDDEN_MOST or not display <= quantity:
        raise Refused("EGeneral:Invalid arguments:displayvol")


def _check_size(request: OrderRequest, pair: Pair, price: int) -> None:
    if request.cash is not None:
        if request.ordertype != "market" or request.side != "buy":
            raise Refused("EGeneral:Invalid arguments:viqc")
        if request.cash < Decimal(pair.minimum_cost):
            raise Refused("EGeneral:Invalid arguments:volume minimum not met")
        return
    if request.quantity <= 0:
        raise Refused("EGeneral:Invalid arguments:volume")
    if request.limit is not None and request.limit <= 0:
        raise Refused("EGeneral:Invalid arguments:price")
    check_minimum(request.quantity, pair, price)


def check_minimum(quantity: int, pair: Pair, price: int) -> None:
    """Refuse a quantity that is too small, or worth too little at a price."""
    if pair.quantity(quantity) < Decimal(pair.minimum_quantity):
        raise Refused("EGeneral:Invalid arguments:volume minimum not met")
    if pair.value(price, quantity) < Decimal(pair.minimum_cost):
        raise Refused("EOrder:Cost minimum not met")


def check_unique(cl_ord_id: str | None, open_orders: Iterable[Order]) -> None:
    """Refuse a client order id that one of the client's open orders carries."""
    if cl_ord_id is None:
        return
    wanted = canonical(cl_ord_id)
    if any(o.cl_ord_id is not None and canonical(o.cl_ord_id) == wanted for o in open_orders):
        raise Refused("EGeneral:Invalid arguments:cl_ord_id not unique")
