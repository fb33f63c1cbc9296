"""The bodies of private websocket messages: orders, fills and balances."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.instruments import ASSETS, BY_SYMBOL, Asset, Pair
from sandbox.orders import CANCELED, EXPIRED, PENDING, LedgerEntry, Order, Reported, Trade
from sandbox.terms import PERCENT_DECIMALS, read_level
from sandbox.wire import raw, raw_decimal, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec


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
            body |= {"order_status": _status(event.order)} | _stop_fields(event.order)
        case "iceberg_refill":
            body |= {"order_status": _status(event.order)} | _iceberg_fields(event.order)
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
        body["ord_ref_id"] = order.parent
    flags = {"post_only": order.post_only, "no_mpp": "nompp" in order.flags}
    body |= {name: True for name, raised in flags.items() if raised}
    times = {"effective_time": order.starts, "expire_time": order.expires}
    body |= {name: stamp(time) for name, time in times.items() if time}
    return body | _stop_fields(order) | _iceberg_fields(order) | _close_fields(order)


def _iceberg_fields(order: Order) -> dict[str, Any]:
    """Show how much an iceberg shows at a time, and what is left of that."""
    if not order.display:
        return {}
    pair = BY_SYMBOL[order.symbol]
    return {
        "display_qty": raw(pair.quantity_text(order.display)),
        "display_qty_remain": raw(pair.quantity_text(order.visible)),
    }


def _close_fields(order: Order) -> dict[str, Any]:
    """Show the order that is to close what this one opens."""
    if order.close is None:
        return {}
    close, pair = order.close, BY_SYMBOL[order.symbol]
    plain = close.ordertype == "limit"
    prices = {"limit": close.price} if plain else {"trigger": close.price, "limit": close.price2}
    body: dict[str, Any] = {"order_type": close.ordertype}
    for name, text in prices.items():
        if text:
            number, kind = _typed(text, pair)
            body |= {f"{name}_price": number, f"{name}_price_type": kind}
    return {"contingent": body}


def _typed(text: str, pair: Pair) -> tuple[msgspec.Raw, str]:
    """Part a price as REST spells it into the number and its type over the websocket."""
    sign, value, percent = read_level(text, "price")
    signed = -value if sign == "-" else value
    if percent:
        return raw_decimal(signed, PERCENT_DECIMALS), "pct"
    return raw_decimal(signed, pair.price_decimals), "quote" if sign else "static"


def _stop_fields(order: Order) -> dict[str, Any]:
    pair, stop = BY_SYMBOL[order.symbol], order.stop
    if stop is None:
        return {"stop_price": raw(pair.price_text(0))}
    effective = raw(pair.price_text(stop.trigger))
    price, kind = _typed(stop.text, pair) if stop.text else (effective, "static")
    triggers: dict[str, Any] = {
        "reference": stop.reference,
        "price": price,
        "price_type": kind,
        "actual_price": effective,
        "status": "triggered" if stop.fired else "untriggered",
    }
    if stop.offset:
        triggers["peak_price"] = raw(pair.price_text(stop.peak))
    body = {"triggers": triggers, "trigger": stop.reference, "stop_price": effective}
    if stop.fired:
        reached = raw(pair.price_text(stop.at))
        triggers |= {"last_price": reached, "timestamp": stamp(stop.fired)}
        body["triggered_price"] = reached
    return body


def _final_fields(order: Order) -> dict[str, Any]:
    pair = BY_SYMBOL[order.symbol]
    body = _sums(order, pair)
    if order.status in {CANCELED, EXPIRED} and order.reason:
        body |= {"cancel_reason": order.reason, "reason": order.reason}
    return body


def _amended_fields(order: Order) -> dict[str, Any]:
    pair = BY_SYMBOL[order.symbol]
    body: dict[str, Any] = {
        "order_status": _status(order),
        "cum_qty": raw(pair.quantity_text(order.filled)),
        "reason": "User requested",
        "amended": True,
        "order_qty": raw(pair.quantity_text(order.quantity)),
    }
    if order.limit is not None:
        body |= {"limit_price": raw(pair.price_text(order.limit)), "limit_price_type": "static"}
    stops = {} if order.stop is None else _stop_fields(order)
    return body | stops | _iceberg_fields(order)


def _status(order: Order) -> str:
    """Name the state of an order that is open, which a trigger passed through a moment ago."""
    if order.status == PENDING:
        return "pending_new"
    if order.filled:
        return "partially_filled"
    return "triggered" if order.stop is not None and order.stop.fired else "new"


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
    status = "new" if _status(order) == "triggered" else _status(order)
    kind = {"exec_type": "status" if order.filled else status, "order_status": status}
    marks = {"amended": True} if order.amended else {}
    fields = _order_fields(order) | marks
    return fields | kind | {"timestamp": stamp(order.opened)} | _names(order)


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
