"""From the parameters of AddOrder to an order request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import choices
from sandbox.errors import Refused
from sandbox.forms import SECOND_NS, amount, lots, moment, ticks, truth, userref, whole
from sandbox.instruments import Pair, find_pair
from sandbox.orders import OrderRequest
from sandbox.terms import LIMITED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.orders import Close


def from_rest(form: Mapping[str, Any], now: int) -> OrderRequest:
    """Read the parameters of AddOrder."""
    ordertype = choices.ordertype(form.get("ordertype"))
    side = choices.side(form.get("type"))
    found = find_pair(str(form.get("pair", "")))
    if found is None:
        raise Refused("EQuery:Unknown asset pair")
    pair = found[1]
    choices.refuse_margin(
        pair, form.get("leverage") or "", reduce_only=truth(form.get("reduce_only"))
    )
    texts = tuple(flag for flag in str(form.get("oflags") or "").split(",") if flag)
    in_cash = "viqc" in texts
    volume = form.get("volume", "")
    display = lots(form["displayvol"], pair) if form.get("displayvol") else 0
    name = form.get("cl_ord_id")
    return OrderRequest(
        symbol=pair.symbol,
        side=side,
        ordertype="iceberg" if display and ordertype == "limit" else ordertype,
        quantity=0 if in_cash else lots(volume, pair),
        cash=amount(volume, "volume") if in_cash else None,
        limit=_limit(form, ordertype, pair),
        tif=choices.time_in_force(form.get("timeinforce") or "GTC"),
        post_only="post" in texts,
        userref=userref(form.get("userref")),
        cl_ord_id=str(name) if name else None,
        display=display,
        starts=_time(form, "starttm", now),
        expires=_time(form, "expiretm", now),
        flags=choices.flags(texts, ordertype),
        stp=choices.self_trade(form.get("stptype") or "cancel-newest"),
        validate=truth(form.get("validate")),
        deadline=moment(form["deadline"], "deadline") if form.get("deadline") else None,
        terms=(str(form.get("price") or ""), str(form.get("price2") or "")),
        reference=choices.reference(form.get("trigger") or "last"),
        close=_close(form),
    )


def _close(form: Mapping[str, Any]) -> Close | None:
    """Read the closing order, which JSON may hold as an object of its own."""
    nested = form.get("close")
    parts = nested if isinstance(nested, dict) else {}
    texts = (parts.get(part) or form.get(f"close[{part}]") or "" for part in choices.CLOSE)
    return choices.close(*map(str, texts))


def _limit(form: Mapping[str, Any], ordertype: str, pair: Pair) -> int | None:
    price = str(form.get("price") or "")
    if ordertype not in LIMITED or choices.is_relative(price):
        return None
    return ticks(price, pair)


def _time(form: Mapping[str, Any], name: str, now: int) -> int:
    """Read a moment in seconds since 1970, or from now with a plus; 0 means none."""
    text = str(form.get(name) or 0)
    if text.startswith("+"):
        return now + whole(text[1:], name) * SECOND_NS
    return whole(text, name) * SECOND_NS
