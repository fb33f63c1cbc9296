"""From what a client sent, over REST or the websocket, to an order request."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sandbox.errors import Refused
from sandbox.instruments import BY_SYMBOL, Pair, find_pair
from sandbox.orders import Close, OrderRequest
from sandbox.terms import STOPS, read_level

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND_NS = 1_000_000_000
ORDER_TYPES = ("market", "limit", *STOPS)
LARGEST_QUANTITY = Decimal(10) ** 12
SMALLEST_QUANTITY = Decimal(10) ** -18
LATEST_CURSOR = 2**62
INT32 = 2**31
CLOSE = ("ordertype", "price", "price2")
_STP = ("cancel-newest", "cancel-oldest", "cancel-both")


def truth(value: object) -> bool:
    """Read a flag: Kraken's clients send true, True, 1 and their opposites."""
    return str(value).lower() in {"true", "1", "yes"}


def amount(value: object, argument: str) -> Decimal:
    """Read a decimal number, or refuse in the name of the argument."""
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Refused(f"EGeneral:Invalid arguments:{argument}") from error
    if not number.is_finite() or abs(number) > LARGEST_QUANTITY:
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    if abs(number) < SMALLEST_QUANTITY and number != 0:
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    return number or Decimal(0)


def whole(value: object, argument: str) -> int:
    """Read an integer, or refuse in the name of the argument."""
    text = str(value)
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    if len(text) > 20:  # noqa: PLR2004 - an unsigned 64-bit number has twenty digits
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    return int(text)


def moment(value: object, argument: str) -> int:
    """Read an RFC 3339 timestamp as nanoseconds."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Refused(f"EGeneral:Invalid arguments:{argument}") from error
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    since = read - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * SECOND_NS + since.microseconds * 1000


def read_cursor(since: str) -> int:
    """Read a cursor given in seconds, with or without a fraction, or in nanoseconds."""
    seconds, _, fraction = since.partition(".")
    value = whole(seconds or 0, "since")
    if len(seconds) > 12:  # noqa: PLR2004 - seconds have ten digits for centuries to come
        return min(value, LATEST_CURSOR)
    part = whole(fraction[:9].ljust(9, "0"), "since") if fraction else 0
    return min(value * SECOND_NS + part, LATEST_CURSOR)


def ticks(value: object, pair: Pair) -> int:
    """Read a price in ticks, or refuse one the market cannot show."""
    scaled = amount(value, "price").scaleb(pair.price_decimals)
    if scaled != scaled.to_integral_value():
        raise Refused(
            f"EOrder:Invalid price:{pair.symbol} price can only be specified up to "
            f"{pair.price_decimals} decimals"
        )
    return int(scaled)


def lots(value: object, pair: Pair) -> int:
    """Read a quantity in lots; digits beyond the market's precision are cut off."""
    return int(amount(value, "volume").scaleb(pair.lot_decimals))


def userref(value: object) -> int | None:
    """Read a user reference; none and 0 mean there is none."""
    if value is None or value == "":
        return None
    number = whole(value, "userref")
    if not -INT32 <= number < INT32:
        raise Refused("EGeneral:Invalid arguments:userref")
    return number or None


def _side(value: object) -> str:
    if value not in ("buy", "sell"):
        raise Refused("EGeneral:Invalid arguments:type")
    return str(value)


def _ordertype(value: object) -> str:
    if value not in ORDER_TYPES:
        raise Refused("EGeneral:Invalid arguments:ordertype")
    return str(value)


def _tif(value: object) -> str:
    text = str(value).upper()
    if text not in {"GTC", "IOC", "GTD", "FOK"}:
        raise Refused("EGeneral:Invalid arguments:timeinforce")
    return text


def _stp(value: object) -> str:
    text = str(value).replace("_", "-")
    if text not in _STP:
        raise Refused("EGeneral:Invalid arguments:stptype")
    return text


def _refuse_margin(leverage: object, *, reduce_only: bool) -> None:
    if str(leverage).lower() not in {"", "none", "0", "1", "false"}:
        raise Refused("EGeneral:Permission denied")
    if reduce_only:
        raise Refused("EOrder:Reduce only:No position exists")


def _expiry(value: object, now: int) -> int:
    text = str(value)
    if text.startswith("+"):
        return now + whole(text[1:], "expiretm") * SECOND_NS
    return whole(text, "expiretm") * SECOND_NS


def from_rest(form: Mapping[str, Any], now: int) -> OrderRequest:
    """Read the parameters of AddOrder."""
    ordertype = _ordertype(form.get("ordertype"))
    side = _side(form.get("type"))
    found = find_pair(str(form.get("pair", "")))
    if found is None:
        raise Refused("EQuery:Unknown asset pair")
    pair = found[1]
    flags = tuple(flag for flag in str(form.get("oflags") or "").split(",") if flag)
    _refuse_margin(form.get("leverage", ""), reduce_only=truth(form.get("reduce_only")))
    in_cash = "viqc" in flags
    if in_cash and ordertype != "market":
        raise Refused("EGeneral:Invalid arguments:viqc")
    volume = form.get("volume", "")
    return OrderRequest(
        symbol=pair.symbol,
        side=side,
        ordertype=ordertype,
        quantity=0 if in_cash else lots(volume, pair),
        cash=amount(volume, "volume") if in_cash else None,
        limit=ticks(form.get("price", ""), pair) if ordertype == "limit" else None,
        tif=_tif(form.get("timeinforce") or "GTC"),
        post_only="post" in flags,
        userref=userref(form.get("userref")),
        cl_ord_id=form.get("cl_ord_id") or None,
        expires=_expiry(form.get("expiretm") or 0, now),
        flags=_with_fee_flag(flags),
        stp=_stp(form.get("stptype") or "cancel-newest"),
        validate=truth(form.get("validate")),
        deadline=moment(form["deadline"], "deadline") if form.get("deadline") else None,
        terms=(str(form.get("price") or ""), str(form.get("price2") or "")),
        close=_close(*(str(form.get(f"close[{name}]") or "") for name in CLOSE)),
    )


def _close(ordertype: str, price: str, price2: str) -> Close | None:
    if not ordertype:
        return None
    if ordertype not in ORDER_TYPES[1:] or not price:
        raise Refused("EGeneral:Invalid arguments:close[ordertype]")
    if ordertype == "limit" and amount(price, "close[price]") <= 0:
        raise Refused("EGeneral:Invalid arguments:close[price]")
    read_level(price, "close[price]")
    if ordertype.endswith("-limit"):
        read_level(price2, "close[price2]")
    return Close(ordertype=ordertype, price=price, price2=price2)


def _relative(price: object, kind: object) -> str:
    """Spell a price of the websocket the way REST does."""
    if price is None:
        return ""
    number = f"{amount(price, 'price'):f}"
    if kind not in ("pct", "quote"):
        return number
    signed = number if number.startswith("-") else f"+{number}"
    return f"{signed}%" if kind == "pct" else signed


def _nested(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = params.get(name) or {}
    if not isinstance(found, dict):
        raise Refused(f"EGeneral:Invalid arguments:{name}")
    return found


def _with_fee_flag(flags: tuple[str, ...]) -> tuple[str, ...]:
    return flags if "fciq" in flags else (*(f for f in flags if f != "fcib"), "fciq")


def from_websocket(params: Mapping[str, Any]) -> OrderRequest:
    """Read the parameters of add_order."""
    pair = BY_SYMBOL.get(str(params.get("symbol")))
    if pair is None:
        raise Refused(f"Currency pair not supported {params.get('symbol')}")
    ordertype = _ordertype(params.get("order_type"))
    _refuse_margin("2" if params.get("margin") else "", reduce_only=bool(params.get("reduce_only")))
    for name in ("order_qty", "limit_price", "cash_order_qty"):
        if isinstance(params.get(name), (str, bool)):
            raise Refused(f"{name.capitalize()} field must be a number_float")
    cash = params.get("cash_order_qty")
    expires = params.get("expire_time")
    post = ("post",) if params.get("post_only") else ()
    in_cash = ("viqc",) if cash is not None else ()
    cl_ord_id = params.get("cl_ord_id")
    return OrderRequest(
        symbol=pair.symbol,
        side=_side(params.get("side")),
        ordertype=ordertype,
        quantity=0 if cash is not None else lots(params.get("order_qty", ""), pair),
        cash=amount(cash, "volume") if cash is not None else None,
        limit=ticks(params.get("limit_price", ""), pair) if ordertype == "limit" else None,
        tif=_tif(params.get("time_in_force") or "gtc"),
        post_only=bool(post),
        userref=userref(params.get("order_userref")),
        cl_ord_id=str(cl_ord_id) if cl_ord_id else None,
        expires=moment(expires, "expire_time") if expires else 0,
        flags=(*post, *in_cash, "fciq"),
        stp=_stp(params.get("stp_type") or "cancel_newest"),
        validate=bool(params.get("validate")),
        deadline=moment(params["deadline"], "deadline") if params.get("deadline") else None,
        terms=_ws_terms(params),
        close=_ws_close(_nested(params, "conditional")),
    )


def _ws_terms(params: Mapping[str, Any]) -> tuple[str, str]:
    triggers = _nested(params, "triggers")
    return (
        _relative(triggers.get("price"), triggers.get("price_type")),
        _relative(params.get("limit_price"), params.get("limit_price_type")),
    )


def _ws_close(params: Mapping[str, Any]) -> Close | None:
    ordertype = str(params.get("order_type") or "")
    limit = _relative(params.get("limit_price"), params.get("limit_price_type"))
    trigger = _relative(params.get("trigger_price"), params.get("trigger_price_type"))
    prices = (limit, "") if ordertype == "limit" else (trigger, limit)
    return _close(ordertype, *prices)
