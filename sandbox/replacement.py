"""The old way to change an order: it ends, and another like it takes its place.

Source: docs.kraken.com, EditOrder and edit_order, which name the orders that cannot be edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.errors import Refused
from sandbox.instruments import BY_SYMBOL
from sandbox.rest_orders import from_rest
from sandbox.terms import LIMITED
from sandbox.websocket_orders import check_types, nested, relative

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.orders import Order, OrderRequest

EDITABLE = ("userref", "volume", "displayvol", "price", "price2", "oflags", "deadline", "validate")


def check_editable(order: Order) -> None:
    """Refuse an order that cannot be edited: named by its client, triggered, or with a close."""
    triggered = order.stop is not None and order.stop.fired
    if order.cl_ord_id is not None or order.close is not None or triggered:
        raise Refused("EOrder:Invalid order")


def replacement(order: Order, changes: Mapping[str, Any], now: int) -> OrderRequest:
    """Give the order that is to replace another, with the changes EditOrder asks for."""
    pair = BY_SYMBOL[order.symbol]
    price = "" if order.limit is None else pair.price_text(order.limit)
    price2 = ""
    if order.stop is not None:
        price, price2 = order.stop.text or pair.price_text(order.stop.trigger), price
    original = {
        "pair": pair.id,
        "ordertype": order.ordertype,
        "type": order.side,
        "volume": pair.quantity_text(order.quantity),
        "price": price,
        "price2": price2,
        "displayvol": pair.quantity_text(order.display) if order.display else "",
        "userref": order.userref or "",
        "oflags": ",".join(order.flags),
        "timeinforce": order.tif,
        "trigger": "last" if order.stop is None else order.stop.reference,
        "stptype": order.stp,
    }
    wanted = {name: changes[name] for name in EDITABLE if changes.get(name) not in (None, "")}
    if changes.get("pair"):
        wanted["pair"] = changes["pair"]
    made = from_rest(original | wanted, now)
    if made.symbol != order.symbol or made.quantity < order.filled:
        raise Refused("EOrder:Invalid order")
    return made


def websocket_changes(order: Order, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give what edit_order wants changed, under the names EditOrder has for it."""
    check_types(params)
    triggers = nested(params, "triggers")
    limit = relative(params.get("limit_price"), params.get("limit_price_type"))
    wait = relative(triggers.get("price"), triggers.get("price_type"))
    plain = order.ordertype in LIMITED
    made: dict[str, Any] = {
        "pair": params.get("symbol"),
        "volume": params.get("order_qty"),
        "displayvol": params.get("display_qty"),
        "price": limit if plain else wait,
        "price2": "" if plain else limit,
        "userref": params.get("order_userref"),
        "deadline": params.get("deadline"),
        "validate": params.get("validate"),
    }
    if params.get("post_only") is not None:
        made["oflags"] = "post,fciq" if params["post_only"] else "fciq"
    return made
