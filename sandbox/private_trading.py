"""The answers of `/0/private/*` that trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import trading
from sandbox.errors import Refused
from sandbox.forms import moment, whole
from sandbox.instruments import BY_SYMBOL
from sandbox.rest_orders import from_rest
from sandbox.trading import CANCELS_MOST
from sandbox.wire import describe, described, prices, short_stamp, volume_text

if TYPE_CHECKING:
    from sandbox.keys import Key
    from sandbox.orders import Order
    from sandbox.private_data import Form
    from sandbox.venue import Venue


def add_order(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer AddOrder."""
    order = trading.add(venue, key.account, from_rest(form, now), now)
    answer: dict[str, Any] = {"descr": described(order)}
    if order.txid:
        answer["txid"] = [order.txid]
    return answer


def add_order_batch(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer AddOrderBatch."""
    legs = form.get("orders")
    if not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise Refused("EGeneral:Invalid arguments:orders")
    shared = {name: form[name] for name in ("pair", "deadline", "validate") if name in form}
    requests = [from_rest({**leg, **shared}, now) for leg in legs]
    made = trading.add_batch(venue, key.account, requests, now)
    return {"orders": [_leg(order, refusal) for order, refusal in made]}


def _leg(order: Order, refusal: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"descr": described(order)}
    if refusal:
        answer["error"] = refusal
    elif order.txid:
        answer["txid"] = order.txid
    return answer


def amend_order(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer AmendOrder."""
    order = trading.find_open(
        venue, key.account, txid=form.get("txid"), cl_ord_id=form.get("cl_ord_id")
    )
    deadline = moment(form["deadline"], "deadline") if form.get("deadline") else None
    return {"amend_id": trading.amend(venue, order, dict(form), deadline, now)}


def edit_order(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer EditOrder, the old way to change an order: it ends, and another takes its place."""
    txid = str(form.get("txid") or "")
    if txid.removeprefix("-").isdigit():
        (order, *_) = trading.by_userref(venue, key.account, whole(txid, "txid"))
    else:
        order = trading.find_open(venue, key.account, txid=txid)
    made = trading.edit(venue, order, form, now)
    pair = BY_SYMBOL[order.symbol]
    price, price2 = prices(made, pair)
    answer: dict[str, Any] = {
        "status": "ok",
        "originaltxid": order.txid,
        "volume": volume_text(made),
        "price": price,
        "price2": price2,
        "orders_cancelled": 1 if made.txid else 0,
        "descr": {"order": describe(made)},
    }
    return answer | ({"txid": made.txid} if made.txid else {})


def cancel_order(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer CancelOrder; the id may also be a user reference."""
    txid, name = str(form.get("txid") or ""), form.get("cl_ord_id")
    if not txid and not name:
        raise Refused("EGeneral:Invalid arguments")
    if txid.removeprefix("-").isdigit():
        found = trading.by_userref(venue, key.account, whole(txid, "txid"))
        return {"count": trading.cancel_all(venue, found, now)}
    order = trading.find_open(venue, key.account, txid=txid, cl_ord_id=name)
    return {"count": trading.cancel_all(venue, [order], now)}


def cancel_order_batch(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer CancelOrderBatch."""
    wanted = form.get("orders") or []
    names = form.get("cl_ord_ids") or []
    if not isinstance(wanted, list) or not isinstance(names, list):
        raise Refused("EGeneral:Invalid arguments:orders")
    if not 1 <= len(wanted) + len(names) <= CANCELS_MOST:
        raise Refused("EGeneral:Invalid arguments:orders")
    count = 0
    for txid, name in [(str(w), None) for w in wanted] + [("", str(n)) for n in names]:
        try:
            count += cancel_order(venue, key, {"txid": txid, "cl_ord_id": name}, now)["count"]
        except Refused:
            continue
    return {"count": count}


def cancel_all(venue: Venue, key: Key, _form: Form, now: int) -> Any:
    """Answer CancelAll: every open order of the account."""
    return {"count": trading.cancel_all(venue, venue.exchange.open_orders(key.account), now)}


def cancel_all_after(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer CancelAllOrdersAfter."""
    fires = trading.arm(venue, key.account, form.get("timeout", ""), now)
    return {
        "currentTime": short_stamp(now),
        "triggerTime": short_stamp(fires) if fires else "0",
    }
