"""The answers of `/0/private/*` about what is over: finished orders, fills, the ledger.

Source: docs.kraken.com, rest-api/get-closed-orders, get-trade-history, get-ledgers and the like.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.checks import spellings
from sandbox.errors import Refused
from sandbox.forms import truth, whole
from sandbox.history import EVER, Page, Span
from sandbox.instruments import ASSET_BY_ID, BY_SYMBOL, find_asset
from sandbox.private_data import asked
from sandbox.wire import SECOND_NS, order_body, seconds, trade_body

if TYPE_CHECKING:
    from sandbox.keys import Key
    from sandbox.orders import LedgerEntry
    from sandbox.private_data import Form
    from sandbox.venue import Venue

FILLS_MOST = 20
OF_POSITIONS = ("any position", "closed position", "closing position")


def _span(form: Form) -> Span:
    """Read `start` (exclusive) and `end` (inclusive): seconds or ids."""
    bounds: dict[str, Any] = {}
    for name, part in (("start", "after"), ("end", "until")):
        text = str(form.get(name) or "")
        if text and text[0] in "OTL":
            bounds[part] = text
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


def _counted(form: Form, found: Page) -> dict[str, int]:
    """Give how many rows there are in all, unless the client does without."""
    return {} if truth(form.get("without_count")) else {"count": found.count}


def closed_orders(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer ClosedOrders, latest first, fifty a page."""
    by_opening = form.get("closetime") == "open"
    equal: dict[str, Any] = {}
    if form.get("userref"):
        equal["userref"] = _bounded(whole(form["userref"], "userref"))
    if form.get("cl_ord_id"):
        equal["cl_ord_id"] = spellings(str(form["cl_ord_id"]))
    found = venue.past.closed_orders(
        key.account, _span(form), _offset(form), by_opening=by_opening, **equal
    )
    shown = truth(form.get("trades"))
    rows = {o.txid: order_body(o, with_trades=shown) for o in found.rows}
    return {"closed": rows} | _counted(form, found)


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


def trades_history(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer TradesHistory, latest first, fifty a page; no fill belongs to a position."""
    past = venue.past
    found = past.trades(key.account, _span(form), _offset(form))
    if form.get("type") in OF_POSITIONS:
        found = Page([], 0)
    rows = {trade.txid: trade_body(trade) for trade in found.rows}
    if truth(form.get("ledgers")):
        for trade in found.rows:
            rows[trade.txid]["ledgers"] = past.entries_of(trade)
    return {"trades": rows} | _counted(form, found)


def query_trades(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer QueryTrades."""
    found = [venue.trade(name) for name in asked(form, "txid", FILLS_MOST)]
    if any(trade is None or trade.account != key.account for trade in found):
        raise Refused("EQuery:Invalid trade")
    return {trade.txid: trade_body(trade) for trade in found if trade is not None}


def ledgers(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer Ledgers, latest first, fifty a page."""
    equal: dict[str, Any] = {}
    if wanted := _assets(form):
        equal["asset"] = wanted
    if str(form.get("type") or "all") != "all":
        equal["kind"] = str(form["type"])
    found = venue.past.entries(key.account, _span(form), _offset(form), **equal)
    rows = {entry.id: _entry_body(entry) for entry in found.rows}
    return {"ledger": rows} | _counted(form, found)


def query_ledgers(venue: Venue, key: Key, form: Form, _now: int) -> Any:
    """Answer QueryLedgers."""
    found = [venue.entry(name) for name in asked(form, "id", FILLS_MOST)]
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
