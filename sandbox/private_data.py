"""The answers of `/0/private/*` that read: balances, orders, fills, the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sandbox.errors import Refused
from sandbox.fees import describe
from sandbox.forms import truth, whole
from sandbox.history import EVER, Span
from sandbox.instruments import ASSET_BY_ID, BY_SYMBOL, PAIRS, find_asset, find_pair
from sandbox.wire import SECOND_NS, order_body, seconds, trade_body

if TYPE_CHECKING:
    from sandbox.instruments import Pair
    from sandbox.keys import Key
    from sandbox.orders import LedgerEntry, Order
    from sandbox.venue import Venue

Form = Mapping[str, Any]
ASKED_MOST = 50
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


def _span(form: Form, times: Callable[[str], int]) -> Span:
    """Read `start` (exclusive) and `end` (inclusive): seconds or ids."""
    bounds = {}
    for name, part in (("start", "after"), ("end", "until")):
        text = str(form.get(name) or "")
        if text and text[0] in "OTL":
            bounds[part] = times(text)
        elif text:
            bounds[part] = _bounded(int(_number(text, name) * SECOND_NS))
    return Span(**bounds)


def _number(text: str, name: str) -> Decimal:
    whole(text.replace(".", "", 1), name)
    return Decimal(text)


def _offset(form: Form) -> int:
    return _bounded(whole(form.get("ofs") or 0, "ofs"))


def _bounded(number: int) -> int:
    return max(-EVER, min(number, EVER))


def _matches(form: Form, order: Order) -> bool:
    if form.get("userref") and order.userref != whole(form["userref"], "userref"):
        return False
    return not form.get("cl_ord_id") or order.cl_ord_id == form["cl_ord_id"]


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


def closed_orders(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer ClosedOrders, latest first, fifty a page."""
    by_opening = form.get("closetime") == "open"

    def moment_of(txid: str) -> int:
        order = venue.order(txid)
        return 0 if order is None else order.opened if by_opening else order.closed

    equal: dict[str, Any] = {}
    if form.get("userref"):
        equal["userref"] = _bounded(whole(form["userref"], "userref"))
    if form.get("cl_ord_id"):
        equal["cl_ord_id"] = str(form["cl_ord_id"])
    found = venue.past.closed_orders(
        key.account, _span(form, moment_of), _offset(form), by_opening=by_opening, **equal
    )
    shown = truth(form.get("trades"))
    return {
        "closed": {o.txid: order_body(o, with_trades=shown) for o in found.rows},
        "count": found.count,
    }


def order_amends(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer OrderAmends: the order as it was at first, and after every amendment."""
    order = venue.order(str(form.get("order_id") or form.get("txid") or ""))
    if order is None or order.account != key.account:
        raise Refused("EOrder:Unknown order")
    pair = BY_SYMBOL[order.symbol]
    rows = [
        {
            "amend_id": amend.id,
            "amend_type": amend.kind,
            "order_qty": pair.quantity_text(amend.quantity),
            "remaining_qty": pair.quantity_text(amend.remaining),
            "limit_price": pair.price_text(amend.limit or 0),
            "display_qty": pair.quantity_text(amend.display),
            "trigger_price": pair.price_text(amend.trigger or 0),
            "post_only": order.post_only,
            "reason": "User requested" if amend.kind == "user" else "",
            "timestamp": amend.time // 1_000_000,
        }
        for amend in order.amends
    ]
    return {"amends": rows, "count": len(rows)}


def query_orders(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer QueryOrders; an id nobody knows is left out without a word."""
    names = _asked(form)
    shown = truth(form.get("trades"))
    found = [venue.order(name) for name in names]
    return {
        order.txid: {"reason": None} | order_body(order, with_trades=shown)
        for order in found
        if order is not None and order.account == key.account and _matches(form, order)
    }


def _asked(form: Form) -> list[str]:
    names = [name for name in str(form.get("txid") or "").split(",") if name]
    if not names or len(names) > ASKED_MOST:
        raise Refused("EGeneral:Invalid arguments")
    return names


def trades_history(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer TradesHistory, latest first, fifty a page."""

    def moment_of(txid: str) -> int:
        trade = venue.trade(txid)
        return 0 if trade is None else trade.time

    found = venue.past.trades(key.account, _span(form, moment_of), _offset(form))
    return {
        "trades": {trade.txid: trade_body(trade) for trade in found.rows},
        "count": found.count,
    }


def query_trades(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer QueryTrades."""
    found = [venue.trade(name) for name in _asked(form)]
    if any(trade is None or trade.account != key.account for trade in found):
        raise Refused("EQuery:Invalid trade")
    return {trade.txid: trade_body(trade) for trade in found if trade is not None}


def ledgers(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer Ledgers, latest first, fifty a page."""

    def moment_of(name: str) -> int:
        entry = venue.entry(name)
        return 0 if entry is None else entry.time

    equal: dict[str, Any] = {}
    if wanted := _assets(form):
        equal["asset"] = wanted
    if str(form.get("type") or "all") != "all":
        equal["kind"] = str(form["type"])
    found = venue.past.entries(key.account, _span(form, moment_of), _offset(form), **equal)
    return {
        "ledger": {entry.id: _entry_body(entry) for entry in found.rows},
        "count": found.count,
    }


def query_ledgers(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer QueryLedgers."""
    names = [name for name in str(form.get("id") or "").split(",") if name]
    found = [venue.entry(name) for name in names[:ASKED_MOST]]
    return {e.id: _entry_body(e) for e in found if e is not None and e.account == key.account}


def _assets(form: Form) -> set[str]:
    text = str(form.get("asset") or "all")
    if text == "all":
        return set()
    found = [find_asset(name) for name in text.split(",")]
    if None in found:
        raise Refused("EQuery:Unknown asset")
    return {asset.id for asset in found if asset is not None}


def _entry_body(entry: LedgerEntry) -> dict[str, Any]:
    decimals = ASSET_BY_ID[entry.asset].decimals
    return {
        "aclass": "currency",
        "amount": f"{entry.amount:.{decimals}f}",
        "asset": entry.asset,
        "balance": f"{entry.balance:.{decimals}f}",
        "fee": f"{entry.fee:.{decimals}f}",
        "refid": entry.ref,
        "time": seconds(entry.time),
        "type": entry.kind,
        "subtype": "",
    }
