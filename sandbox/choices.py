"""The choices an order offers, and which of them this exchange refuses, for either door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import Refused
from sandbox.forms import amount
from sandbox.orders import Close
from sandbox.terms import LIMITED, STOPS, read_level

if TYPE_CHECKING:
    from sandbox.instruments import Pair

ORDER_TYPES = ("market", *LIMITED, *STOPS, "settle-position")
CLOSE = ("ordertype", "price", "price2")
FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})
_STP = ("cancel-newest", "cancel-oldest", "cancel-both")
_NO_LEVERAGE = frozenset({"", "none", "0", "1", "false"})


def side(value: object) -> str:
    """Read which side an order is on."""
    if value not in ("buy", "sell"):
        raise Refused("EGeneral:Invalid arguments:type")
    return str(value)


def ordertype(value: object) -> str:
    """Read an order's type. There are no positions here, so none can be settled."""
    if value not in ORDER_TYPES:
        raise Refused("EGeneral:Invalid arguments:ordertype")
    if value == "settle-position":
        raise Refused("EOrder:Unknown position")
    return str(value)


def time_in_force(value: object) -> str:
    """Read how long an order is good for."""
    text = str(value).upper()
    if text not in {"GTC", "IOC", "GTD", "FOK"}:
        raise Refused("EGeneral:Invalid arguments:timeinforce")
    return text


def self_trade(value: object) -> str:
    """Read which order ends if a client's orders meet."""
    text = str(value).replace("_", "-")
    if text not in _STP:
        raise Refused("EGeneral:Invalid arguments:stptype")
    return text


def reference(value: object) -> str:
    """Read which price a conditional order waits for."""
    if value not in ("last", "index"):
        raise Refused("EGeneral:Invalid arguments:trigger")
    return str(value)


def refuse_margin(pair: Pair, leverage: object, *, reduce_only: bool) -> None:
    """Refuse what needs borrowed money or a position; no account here may have either."""
    text = str(leverage).lower().removesuffix(":1")
    if text not in _NO_LEVERAGE:
        offered = text in {str(number) for number in pair.leverage}
        denied = "EGeneral:Permission denied" if offered else "EGeneral:Invalid arguments:leverage"
        raise Refused(denied)
    if reduce_only:
        raise Refused("EOrder:Reduce only:No position exists")


def flags(texts: tuple[str, ...], kind: str, unprotected: str = "nompp") -> tuple[str, ...]:
    """Check the flags of an order; every fee here is paid in the quote currency.

    Args:
        texts: The flags as REST spells them.
        kind: The type of the order.
        unprotected: What the client's door calls an order without price protection.
    """
    if not FLAGS.issuperset(texts):
        raise Refused("EGeneral:Invalid arguments:oflags")
    if "nompp" in texts and kind != "market":
        words = f"{unprotected} order option is only available when ordertype = market"
        raise Refused(f"EGeneral:Invalid arguments:{words}")
    return (*(f for f in dict.fromkeys(texts) if f not in {"fcib", "fciq"}), "fciq")


def is_relative(price: str) -> bool:
    """Tell whether a price counts from another one, such as `+1%`."""
    return price[:1] in {"+", "-", "#"} or price.endswith("%")


def close(kind: str, price: str, price2: str) -> Close | None:
    """Read the order that is to close what another opens, if one is asked for."""
    if not kind:
        return None
    if kind not in ("limit", *STOPS):
        raise Refused("EGeneral:Invalid arguments:close[ordertype]")
    if kind == "limit":
        if amount(price, "close[price]") <= 0:
            raise Refused("EGeneral:Invalid arguments:close[price]")
    else:
        read_level(price, "close[price]")
    if kind.endswith("-limit"):
        read_level(price2, "close[price2]")
    return Close(ordertype=kind, price=price, price2=price2)
