"""The answers of `/0/private/*` that read how things stand: balances, fees, open orders."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sandbox.checks import spellings
from sandbox.errors import Refused
from sandbox.fees import describe
from sandbox.forms import truth, whole
from sandbox.instruments import ASSET_BY_ID, PAIRS, find_asset, find_pair
from sandbox.wire import SECOND_NS, order_body

if TYPE_CHECKING:
    from sandbox.instruments import Pair
    from sandbox.keys import Key
    from sandbox.orders import Order
    from sandbox.venue import Venue

Form = Mapping[str, Any]
ORDERS_MOST = 50
# What a dollar is worth, only to value an account: nothing here is traded for these currencies.
RATES = {
    "ZUSD": "1",
    "ZEUR": "0.86",
    "ZGBP": "0.75",
    "ZCAD": "1.39",
    "ZJPY": "150",
    "ZAUD": "1.52",
    "CHF": "0.80",
}


def balance(venue: Venue, key: Key, _form: Form, _now: int) -> Any:
    """Answer Balance."""
    return {
        asset: f"{amount:.{ASSET_BY_ID[asset].decimals}f}"
        for asset, amount in venue.exchange.accounts.of(key.account).items()
    }


def balance_extended(venue: Venue, key: Key, _form: Form, _now: int) -> Any:
    """Answer BalanceEx."""
    accounts = venue.exchange.accounts
    return {
        asset: {
            "balance": f"{amount:.{ASSET_BY_ID[asset].decimals}f}",
            "credit": "0.0000",
            "credit_used": "0.0000",
            "hold_trade": f"{accounts.held[key.account, asset]:.{ASSET_BY_ID[asset].decimals}f}",
        }
        for asset, amount in accounts.of(key.account).items()
    }


def trade_balance(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer TradeBalance in any currency; there is no margin, so most figures are nothing."""
    rate = _rate(venue, str(form.get("asset") or "ZUSD"), now)
    held = venue.exchange.accounts.of(key.account)
    free = worth = held.get("ZUSD", Decimal(0))
    for pair in PAIRS:
        worth += held.get(pair.base.id, Decimal(0)) * _bid(venue, pair, now)
    total, own = f"{worth * rate:.4f}", f"{free * rate:.4f}"
    nothing = dict.fromkeys(("m", "uv", "n", "c", "v"), "0.0000")
    return {"eb": total, "tb": own, "e": own, "mf": own, **nothing}


def _rate(venue: Venue, name: str, now: int) -> Decimal:
    """Give how much of a currency a dollar is worth."""
    for pair in PAIRS:
        if find_asset(name) is pair.base:
            return 1 / _bid(venue, pair, now)
    rate = RATES.get(name if name.startswith("Z") else f"Z{name}", RATES.get(name))
    if rate is None:
        raise Refused("EQuery:Unknown asset")
    return Decimal(rate)


def _bid(venue: Venue, pair: Pair, now: int) -> Decimal:
    bid, _ = venue.exchange.market.touch(pair, now)
    return pair.price(bid)


def trade_volume(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer TradeVolume with the volume of thirty days and the tier it gives."""
    volumes = venue.exchange.volumes
    tier = volumes.tier(key.account, now)
    volume = volumes.of(key.account, now)
    answer: dict[str, Any] = {"currency": "ZUSD", "volume": f"{volume:.4f}"}
    if form.get("pair"):
        found = [find_pair(name) for name in str(form["pair"]).split(",")]
        if None in found:
            raise Refused("EQuery:Unknown asset pair")
        names = [pair[0] for pair in found if pair is not None]
        answer["fees"] = {name: describe(tier, maker=False) for name in names}
        answer["fees_maker"] = {name: describe(tier, maker=True) for name in names}
    return answer


def _matches(form: Form, order: Order) -> bool:
    if form.get("userref") and order.userref != whole(form["userref"], "userref"):
        return False
    return not form.get("cl_ord_id") or order.cl_ord_id in spellings(str(form["cl_ord_id"]))


def _lagging(venue: Venue, order: Order, now: int) -> Order:
    """Show an order as it was before its last amendment while a fault holds that back."""
    fault = venue.faults.standing("open_orders_lag", now)
    if fault is None or not order.amends:
        return order
    before, last = order.amends[-2:]
    if now - last.time >= fault.seconds * SECOND_NS:
        return order
    venue.faults.strike(fault, f"OpenOrders {order.txid}", now)
    stop = order.stop
    if stop is not None and before.trigger is not None:
        stop = replace(stop, trigger=before.trigger)
    return replace(order, quantity=before.quantity, limit=before.limit, stop=stop)


def open_orders(venue: Venue, key: Key, form: Form, now: int) -> Any:
    """Answer OpenOrders."""
    shown = truth(form.get("trades"))
    return {
        "open": {
            order.txid: order_body(_lagging(venue, order, now), with_trades=shown)
            for order in reversed(venue.exchange.open_orders(key.account))
            if _matches(form, order)
        }
    }


def query_orders(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer QueryOrders; an id nobody knows is left out without a word."""
    names = asked(form, "txid", ORDERS_MOST)
    shown = truth(form.get("trades"))
    found = [venue.order(name) for name in names]
    return {
        order.txid: {"reason": None} | order_body(order, with_trades=shown)
        for order in found
        if order is not None and order.account == key.account and _matches(form, order)
    }


def asked(form: Form, name: str, most: int) -> list[str]:
    """Read the ids a client asks for, or refuse none and too many of them."""
    names = [each for each in str(form.get(name) or "").split(",") if each]
    if not names or len(names) > most:
        raise Refused("EGeneral:Invalid arguments")
    return names
