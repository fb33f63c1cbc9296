"""The bodies of websocket messages, with every number spelled in full precision."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.book import shown
from sandbox.candles import Candle, span
from sandbox.instruments import ASSETS, BY_SYMBOL, PAIRS, Asset, Pair
from sandbox.orders import CANCELED, EXPIRED, LedgerEntry, Order, Reported, Trade
from sandbox.tape import MINUTE_NS
from sandbox.wire import long_stamp, raw, raw_decimal, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.exchange import Exchange
    from sandbox.synthetic import Prints

DAY_MINUTES = 1440


def trades_text(pair: Pair, found: Prints, kind: str) -> bytes:
    """Write trades as one message of the trade channel."""
    rows = zip(
        found.price.tolist(),
        found.quantity.tolist(),
        found.time.tolist(),
        found.bought.tolist(),
        found.market.tolist(),
        found.identity.tolist(),
        strict=True,
    )
    body = ",".join(
        f'{{"symbol":"{pair.symbol}","side":"{"buy" if bought else "sell"}",'
        f'"price":{pair.price_text(price)},"qty":{pair.quantity_text(lots)},'
        f'"ord_type":"{"market" if market else "limit"}","trade_id":{identity},'
        f'"timestamp":"{stamp(time)}"}}'
        for price, lots, time, bought, market, identity in rows
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{body}]}}'.encode()


def ticker_body(exchange: Exchange, pair: Pair, now: int) -> dict[str, Any]:
    """Describe the market over the last 24 hours."""
    tape = exchange.tapes[pair.symbol]
    bids, asks = shown(exchange, pair, now, 1)
    day = span(tape, (now // MINUTE_NS - DAY_MINUTES + 1) * MINUTE_NS, now)
    change = day.close - day.open
    sign = "-" if change < 0 else ""
    return {
        "symbol": pair.symbol,
        "bid": raw(pair.price_text(bids[0][0])),
        "bid_qty": raw(pair.quantity_text(bids[0][1])),
        "ask": raw(pair.price_text(asks[0][0])),
        "ask_qty": raw(pair.quantity_text(asks[0][1])),
        "last": raw(pair.price_text(day.close)),
        "volume": raw(pair.quantity_text(day.volume)),
        "vwap": raw(pair.price_text(round(day.average))),
        "low": raw(pair.price_text(day.low)),
        "high": raw(pair.price_text(day.high)),
        "change": raw(sign + pair.price_text(abs(change))),
        "change_pct": raw(f"{100 * change / day.open:.2f}"),
        "trades": day.count,
        "timestamp": stamp(now),
    }


def candle_body(pair: Pair, candle: Candle, interval: int) -> dict[str, Any]:
    """Describe a candle."""
    return {
        "symbol": pair.symbol,
        "open": raw(pair.price_text(candle.open)),
        "high": raw(pair.price_text(candle.high)),
        "low": raw(pair.price_text(candle.low)),
        "close": raw(pair.price_text(candle.close)),
        "trades": candle.count,
        "volume": raw(pair.quantity_text(candle.volume)),
        "vwap": raw(pair.price_text(round(candle.average))),
        "interval_begin": long_stamp(candle.begin),
        "interval": interval,
        "timestamp": stamp(candle.begin + interval * MINUTE_NS),
    }


def instrument_body(mode: str) -> dict[str, Any]:
    """Describe all assets and pairs."""
    status = "online" if mode == "maintenance" else mode
    return {
        "assets": [_asset_body(asset) for asset in ASSETS],
        "pairs": [_pair_body(pair, status) for pair in PAIRS],
    }


def _asset_body(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.name,
        "status": "enabled",
        "precision": asset.decimals,
        "precision_display": asset.display_decimals,
        "borrowable": True,
        "collateral_value": asset.collateral,
        "margin_rate": float(asset.margin_rate),
    }


def _pair_body(pair: Pair, status: str) -> dict[str, Any]:
    return {
        "symbol": pair.symbol,
        "base": pair.base.name,
        "quote": pair.quote.name,
        "status": status,
        "qty_precision": pair.lot_decimals,
        "qty_increment": raw(f"{Decimal(1).scaleb(-pair.lot_decimals):f}"),
        "qty_min": raw(pair.minimum_quantity),
        "price_precision": pair.price_decimals,
        "price_increment": raw(pair.tick_size),
        "tick_size": raw(pair.tick_size),
        "cost_precision": pair.cost_decimals,
        "cost_min": raw(pair.minimum_cost),
        "marginable": True,
        "has_index": True,
        "margin_initial": raw("0.20"),
        "position_limit_long": pair.long_limit,
        "position_limit_short": pair.short_limit,
    }


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
    if order.post_only:
        body["post_only"] = True
    if order.expires:
        body["expire_time"] = stamp(order.expires)
    return body


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
    }


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
