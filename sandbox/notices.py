"""The bodies of private websocket messages: orders, fills and balances."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.instruments import ASSETS, BY_SYMBOL, Asset, Pair
from sandbox.orders import CANCELED, EXPIRED, LedgerEntry, Order, Reported, Trade
from sandbox.wire import raw, raw_decimal, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping


def execution_body(event: Reported) -> dict[str, Any]:
    """Describe what happened to an order."""
    if event.trade is not None:
        return _trade_event(event.order, event.trade)
    body: dict[str, Any] = {"timestamp": stamp(event.time), "exec_type": event.kind}
    body["order_status"] = event.kind
    match event.kind:
        case "pending_new":
            body |= _order_fields(event.order)
        case "canceled" | "expired" | "filled":
            body |= _final_fields(event.order)
        case "amended":
            body |= _amended_fields(event.order)
        case "status":
            body |= {"order_status": "triggered"} | _stop_fields(event.order)
        case _:
            pass
    return body | _names(event.order)


def _names(order: Order) -> dict[str, Any]:
    names: dict[str, Any] = {"order_id": order.txid}
    if order.cl_ord_id is not None:
        names["cl_ord_id"] = order.cl_ord_id
    else:
        names["order_userref"] = order.userref or 0
    return names


def _sums(order: Order, pair: Pair) -> dict[str, Any]:
    return {
        "cum_qty": raw(pair.quantity_text(order.filled)),
        "cum_cost": raw(pair.cost_text(order.cost)),
        "fee_usd_equiv": raw(pair.cost_text(order.fee)),
        "avg_price": raw(_average(order, pair)),
    }


def _average(order: Order, pair: Pair) -> str:
    average = order.exact_cost / pair.quantity(order.filled) if order.filled else Decimal(0)
    return f"{average:.{pair.price_decimals}f}"


def _order_fields(order: Order) -> dict[str, Any]:
    pair = BY_SYMBOL[order.symbol]
    body: dict[str, Any] = {
        "symbol": order.symbol,
        "side": order.side,
        "order_type": order.ordertype,
        "order_qty": raw(pair.quantity_text(order.quantity)),
        "time_in_force": order.tif,
        "fee_ccy_pref": "fciq",
    } | _sums(order, pair)
    if order.cash is not None:
        body["cash_order_qty"] = raw_decimal(order.cash, pair.quote.decimals)
    if order.limit is not None:
        body["limit_price"] = raw(pair.price_text(order.limit))
        body["limit_price_type"] = "static"
    if order.parent is not None:
        body["order_ref_id"] = order.parent
    if order.post_only:
        body["post_only"] = True
    if order.expires:
        body["expire_time"] = stamp(order.expires)
    return body | _stop_fields(order)


def _stop_fields(order: Order) -> dict[str, Any]:
    if order.stop is None:
        return {}
    pair, stop = BY_SYMBOL[order.symbol], order.stop
    price = raw(pair.price_text(stop.trigger))
    triggers: dict[str, Any] = {
        "reference": "last",
        "price": price,
        "price_type": "static",
        "status": "triggered" if stop.fired else "untriggered",
    }
    if stop.fired:
        triggers |= {"last_price": raw(pair.price_text(stop.at)), "timestamp": stamp(stop.fired)}
    return {"triggers": triggers, "stop_price": price}


def _final_fields(order: Order) -> dict[str, Any]:
    pair = BY_SYMBOL[order.symbol]
    body = _sums(order, pair)
    if order.status in {CANCELED, EXPIRED} and order.reason:
        body |= {"cancel_reason": order.reason, "reason": order.reason}
    return body


def _amended_fields(order: Order) -> dict[str, Any]:
    pair = BY_SYMBOL[order.symbol]
    return {
        "order_status": _resting_status(order),
        "cum_qty": raw(pair.quantity_text(order.filled)),
        "reason": "User requested",
        "amended": True,
        "order_qty": raw(pair.quantity_text(order.quantity)),
        "limit_price": raw(pair.price_text(order.limit or 0)),
        "limit_price_type": "static",
    } | _stop_fields(order)


def _resting_status(order: Order) -> str:
    return "partially_filled" if order.filled else "new"


def _fill_fields(trade: Trade) -> dict[str, Any]:
    pair = BY_SYMBOL[trade.symbol]
    return {
        "exec_id": trade.txid,
        "exec_type": "trade",
        "trade_id": trade.trade_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "last_qty": raw(pair.quantity_text(trade.quantity)),
        "last_price": raw(pair.price_text(trade.price)),
        "liquidity_ind": "m" if trade.maker else "t",
        "cost": raw(pair.cost_text(trade.cost)),
        "order_type": trade.ordertype,
        "fees": [{"asset": pair.quote.name, "qty": raw(pair.cost_text(trade.fee))}],
        "timestamp": stamp(trade.time),
    }


def _trade_event(order: Order, trade: Trade) -> dict[str, Any]:
    pair = BY_SYMBOL[order.symbol]
    status = {"order_status": "partially_filled"}
    return _names(order) | _fill_fields(trade) | status | _sums(order, pair)


def trade_snapshot(trade: Trade) -> dict[str, Any]:
    """Describe a past fill, as the first message of a subscription shows it."""
    pair = BY_SYMBOL[trade.symbol]
    names: dict[str, Any] = {"order_id": trade.order}
    if trade.cl_ord_id is not None:
        names["cl_ord_id"] = trade.cl_ord_id
    else:
        names["order_userref"] = trade.userref or 0
    status = {"order_status": "filled", "fee_usd_equiv": raw(pair.cost_text(trade.fee))}
    return names | _fill_fields(trade) | status


def order_snapshot(order: Order) -> dict[str, Any]:
    """Describe an open order, as the first message of a subscription shows it."""
    status = _resting_status(order)
    kind = {"exec_type": status if status == "new" else "status", "order_status": status}
    return _order_fields(order) | kind | {"timestamp": stamp(order.opened)} | _names(order)


def balance_snapshot(
    balances: Mapping[str, Decimal], assets: Mapping[str, Asset]
) -> list[dict[str, Any]]:
    """Describe an account's balances."""
    made = []
    for name, amount in balances.items():
        asset = assets[name]
        total = raw_decimal(amount, asset.decimals)
        wallets = [{"type": "spot", "id": "main", "balance": total}]
        made.append(
            {
                "asset": asset.name,
                "asset_class": "currency",
                "balance": total,
                "wallets": wallets,
            }
        )
    return made


def entry_body(entry: LedgerEntry) -> dict[str, Any]:
    """Describe one change of a balance."""
    asset = next(a for a in ASSETS if a.id == entry.asset)
    return {
        "ledger_id": entry.id,
        "ref_id": entry.ref,
        "timestamp": stamp(entry.time),
        "type": entry.kind,
        "subtype": "",
        "asset": asset.name,
        "asset_class": "currency",
        "category": entry.kind,
        "wallet_type": "spot",
        "wallet_id": "main",
        "amount": raw_decimal(entry.amount, asset.decimals),
        "fee": raw_decimal(entry.fee, asset.decimals),
        "balance": raw_decimal(entry.balance, asset.decimals),
    }
