"""From the parameters of add_order to an order request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import choices
from sandbox.errors import Refused
from sandbox.forms import amount, lots, moment, ticks, userref
from sandbox.instruments import BY_SYMBOL, Pair
from sandbox.orders import OrderRequest
from sandbox.terms import LIMITED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.orders import Close

NUMBERS = ("order_qty", "limit_price", "cash_order_qty", "display_qty")
TRUTHS = ("post_only", "reduce_only", "margin", "no_mpp", "validate")
FEES = {"": (), "base": ("fcib",), "quote": ("fciq",)}


def from_websocket(params: Mapping[str, Any]) -> OrderRequest:
    """Read the parameters of add_order."""
    pair = find_symbol(params)
    ordertype = choices.ordertype(params.get("order_type"))
    check_types(params)
    leverage = "2" if params.get("margin") else ""
    choices.refuse_margin(pair, leverage, reduce_only=bool(params.get("reduce_only")))
    cash, display = params.get("cash_order_qty"), params.get("display_qty")
    shown = lots(display, pair) if display else 0
    expires, starts = params.get("expire_time"), params.get("effective_time")
    triggers = nested(params, "triggers")
    cl_ord_id = params.get("cl_ord_id")
    return OrderRequest(
        symbol=pair.symbol,
        side=choices.side(params.get("side")),
        ordertype="iceberg" if shown and ordertype == "limit" else ordertype,
        quantity=0 if cash is not None else lots(params.get("order_qty", ""), pair),
        cash=amount(cash, "volume") if cash is not None else None,
        limit=_limit(params, ordertype, pair),
        tif=choices.time_in_force(params.get("time_in_force") or "gtc"),
        post_only=bool(params.get("post_only")),
        userref=userref(params.get("order_userref")),
        cl_ord_id=str(cl_ord_id) if cl_ord_id else None,
        display=shown,
        starts=moment(starts, "effective_time") if starts else 0,
        expires=moment(expires, "expire_time") if expires else 0,
        flags=_flags(params, ordertype),
        stp=choices.self_trade(params.get("stp_type") or "cancel_newest"),
        validate=bool(params.get("validate")),
        deadline=moment(params["deadline"], "deadline") if params.get("deadline") else None,
        terms=_terms(params, triggers, ordertype),
        reference=choices.reference(triggers.get("reference") or "last"),
        close=_close(nested(params, "conditional")),
    )


def find_symbol(params: Mapping[str, Any]) -> Pair:
    """Find the market a request names, or refuse."""
    pair = BY_SYMBOL.get(str(params.get("symbol")))
    if pair is None:
        raise Refused(f"Currency pair not supported {params.get('symbol')}")
    return pair


def check_types(params: Mapping[str, Any]) -> None:
    """Refuse numbers and truths that are spelled as text."""
    for name in NUMBERS:
        if isinstance(params.get(name), (str, bool)):
            raise Refused(f"{name.capitalize()} field must be a number_float")
    for name in TRUTHS:
        if not isinstance(params.get(name), bool | None):
            raise Refused(f"{name.capitalize()} field must be a boolean")


def nested(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give an object within the parameters, empty if it is left out."""
    found = params.get(name) or {}
    if not isinstance(found, dict):
        raise Refused(f"EGeneral:Invalid arguments:{name}")
    return found


def _flags(params: Mapping[str, Any], ordertype: str) -> tuple[str, ...]:
    fee = FEES.get(str(params.get("fee_preference") or ""))
    if fee is None:
        raise Refused("EGeneral:Invalid arguments:fee_preference")
    asked = {
        "post": params.get("post_only"),
        "viqc": params.get("cash_order_qty") is not None,
        "nompp": params.get("no_mpp"),
    }
    raised = (flag for flag, wanted in asked.items() if wanted)
    return choices.flags((*raised, *fee), ordertype, "no_mpp")


def _limit(params: Mapping[str, Any], ordertype: str, pair: Pair) -> int | None:
    if ordertype not in LIMITED or _is_relative(params.get("limit_price_type")):
        return None
    return ticks(params.get("limit_price", ""), pair)


def _is_relative(kind: object) -> bool:
    return kind in ("pct", "quote")


def relative(price: object, kind: object) -> str:
    """Spell a price of the websocket the way REST does."""
    if price is None:
        return ""
    number = f"{amount(price, 'price'):f}"
    if not _is_relative(kind):
        return number
    signed = number if number.startswith("-") else f"+{number}"
    return f"{signed}%" if kind == "pct" else signed


def _terms(
    params: Mapping[str, Any], triggers: Mapping[str, Any], ordertype: str
) -> tuple[str, str]:
    limit = relative(params.get("limit_price"), params.get("limit_price_type"))
    if ordertype in LIMITED:
        return limit, ""
    return relative(triggers.get("price"), triggers.get("price_type")), limit


def _close(params: Mapping[str, Any]) -> Close | None:
    kind = str(params.get("order_type") or "")
    limit = relative(params.get("limit_price"), params.get("limit_price_type"))
    trigger = relative(params.get("trigger_price"), params.get("trigger_price_type"))
    return choices.close(kind, *((limit, "") if kind == "limit" else (trigger, limit)))
