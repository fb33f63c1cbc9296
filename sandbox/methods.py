"""The methods that trade over a websocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import trading
from sandbox.errors import Refused
from sandbox.forms import moment, whole
from sandbox.replacement import websocket_changes
from sandbox.trading import CANCELS_MOST
from sandbox.websocket_orders import check_types, from_websocket
from sandbox.wire import short_stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.orders import Order
    from sandbox.venue import Venue

Params = dict[str, Any]


def _names(order: Order) -> Params:
    names: Params = {"order_id": order.txid}
    if order.cl_ord_id is not None:
        names["cl_ord_id"] = order.cl_ord_id
    if order.userref is not None:
        names["order_userref"] = order.userref
    return names


def _add(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    order = trading.add(venue, account, from_websocket(params), now)
    return [_made(order)]


def _made(order: Order) -> Params:
    return _names(order) if order.txid else {}


def _batch_add(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    legs = params.get("orders")
    if not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise Refused("EGeneral:Invalid arguments:orders")
    shared: Params = {n: params[n] for n in ("symbol", "deadline", "validate") if n in params}
    requests = [from_websocket({**leg, **shared}) for leg in legs]
    made = trading.add_batch(venue, account, requests, now)
    return [[{"error": refusal} if refusal else _made(leg) for leg, refusal in made]]


def _amend(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    check_types(params)
    order = trading.find_open(
        venue, account, txid=_text(params, "order_id"), cl_ord_id=_text(params, "cl_ord_id")
    )
    deadline = moment(params["deadline"], "deadline") if params.get("deadline") else None
    return [{"amend_id": trading.amend(venue, order, params, deadline, now), **_names(order)}]


def _text(params: Params, name: str) -> str | None:
    value = params.get(name)
    return None if value is None else str(value)


def _list(params: Params, name: str) -> list[Any]:
    value = params.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _cancel(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    made: list[Any] = []
    for name in ("order_id", "cl_ord_id", "order_userref"):
        for value in _list(params, name):
            made.extend(_cancel_one(venue, account, name, value, now))
    if not made:
        raise Refused("EGeneral:Invalid arguments")
    return made


def _cancel_one(venue: Venue, account: str, name: str, value: Any, now: int) -> list[Any]:
    try:
        if name == "order_userref":
            found = trading.by_userref(venue, account, whole(value, "order_userref"))
        elif name == "cl_ord_id":
            found = [trading.find_open(venue, account, cl_ord_id=str(value))]
        else:
            found = [trading.find_open(venue, account, txid=str(value))]
    except Refused as refused:
        return [refused]
    trading.cancel_all(venue, found, now)
    return [_names(order) for order in found]


def _batch_cancel(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    wanted = [("order_id", value) for value in _list(params, "orders")]
    wanted += [("cl_ord_id", value) for value in _list(params, "cl_ord_id")]
    if not 1 <= len(wanted) <= CANCELS_MOST:
        raise Refused("EGeneral:Invalid arguments:orders")
    made = [
        result
        for name, value in wanted
        for result in _cancel_one(venue, account, _kind(name, value), value, now)
    ]
    return [{"orders_cancelled": sum(not isinstance(result, Refused) for result in made)}]


def _kind(name: str, value: Any) -> str:
    """Tell an order's id from a user reference, which a batch may name as well."""
    return "order_userref" if name == "order_id" and str(value).isdigit() else name


def _edit(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    order = trading.find_open(venue, account, txid=_text(params, "order_id"))
    made = trading.edit(venue, order, websocket_changes(order, params), now)
    return [_made(made) | {"original_order_id": order.txid}]


def _cancel_all(venue: Venue, account: str, _params: Params, now: int) -> list[Any]:
    return [{"count": trading.cancel_all(venue, venue.exchange.open_orders(account), now)}]


def _arm(venue: Venue, account: str, params: Params, now: int) -> list[Any]:
    fires = trading.arm(venue, account, params.get("timeout", ""), now)
    trigger = short_stamp(fires) if fires else "0"
    return [{"currentTime": short_stamp(now), "triggerTime": trigger}]


METHODS: dict[str, Callable[[Venue, str, Params, int], list[Any]]] = {
    "add_order": _add,
    "batch_add": _batch_add,
    "amend_order": _amend,
    "edit_order": _edit,
    "cancel_order": _cancel,
    "batch_cancel": _batch_cancel,
    "cancel_all": _cancel_all,
    "cancel_all_orders_after": _arm,
}
