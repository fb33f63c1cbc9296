"""How Kraken writes things: exact decimals in JSON, timestamps, order descriptions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from sandbox.instruments import BY_SYMBOL, Pair
from sandbox.orders import CANCELED, EXPIRED, Order, Stop, Trade
from sandbox.terms import describe_close, describe_terms

SECOND_NS = 1_000_000_000
DAY = 86_400
encode = msgspec.json.Encoder().encode


def raw(text: str) -> msgspec.Raw:
    """Write a number into JSON exactly as spelled."""
    return msgspec.Raw(text.encode())


def raw_decimal(value: Decimal, decimals: int) -> msgspec.Raw:
    """Write a decimal into JSON with a fixed number of digits."""
    return msgspec.Raw(f"{value:.{decimals}f}".encode())


def stamp(time: int) -> str:
    """Write a moment in RFC 3339 with microseconds.

    Examples:
        >>> stamp(1727286504745996000)
        '2024-09-25T17:48:24.745996Z'
    """
    second, rest = divmod(time, SECOND_NS)
    return f"{_second_text(second)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    day, rest = divmod(second, DAY)
    return f"{_day_text(day)}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


@lru_cache(maxsize=64)
def _day_text(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%d}"


def long_stamp(time: int) -> str:
    """Write a moment in RFC 3339 with nanoseconds."""
    whole = datetime.fromtimestamp(time // SECOND_NS, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time % SECOND_NS:09d}Z"


def short_stamp(time: int) -> str:
    """Write a moment in RFC 3339 with whole seconds."""
    return f"{datetime.fromtimestamp(time // SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds(time: int) -> msgspec.Raw:
    """Write a moment as seconds since 1970 with four decimals."""
    return raw(f"{time // SECOND_NS}.{time % SECOND_NS // 100_000:04d}")


def microseconds(time: int) -> msgspec.Raw:
    """Write a moment as seconds since 1970 with six decimals, as orders show it."""
    return raw(f"{time // SECOND_NS}.{time % SECOND_NS // 1000:06d}")


def volume_text(order: Order) -> str:
    """Write an order's volume, in the quote currency where it was given so."""
    pair = BY_SYMBOL[order.symbol]
    return pair.quantity_text(order.quantity) if order.cash is None else f"{order.cash:.8f}"


def describe(order: Order) -> str:
    """Describe an order in Kraken's words."""
    pair = BY_SYMBOL[order.symbol]
    return f"{order.side} {volume_text(order)} {pair.altname} @ {describe_terms(order, pair)}"


def described(order: Order) -> dict[str, str]:
    """Describe an order and the one that is to close it, as AddOrder does."""
    close = describe_close(order.close, BY_SYMBOL[order.symbol])
    return {"order": describe(order)} | ({"close": close} if close else {})


def prices(order: Order, pair: Pair) -> tuple[str, str]:
    """Give price and price2 of an order the way it was asked for."""
    limit = "0" if order.limit is None else pair.price_text(order.limit)
    if order.stop is None:
        return limit, "0"
    return order.stop.text or pair.price_text(order.stop.trigger), limit


def _average(order: Order, pair: Pair) -> str:
    if order.filled == 0:
        return pair.cost_text(Decimal(0))
    return f"{order.exact_cost / pair.quantity(order.filled):.{pair.price_decimals}f}"


def order_body(order: Order, *, with_trades: bool) -> dict[str, Any]:
    """Show an order the way OpenOrders, ClosedOrders and QueryOrders do."""
    pair = BY_SYMBOL[order.symbol]
    nothing = pair.cost_text(Decimal(0))
    price, price2 = prices(order, pair)
    body: dict[str, Any] = {
        "refid": order.parent,
        "userref": order.userref,
        "status": order.status,
        "opentm": microseconds(order.opened),
        "starttm": order.starts // SECOND_NS,
        "expiretm": order.expires // SECOND_NS,
        "descr": {
            "pair": pair.altname,
            "aclass": "forex",
            "type": order.side,
            "ordertype": order.ordertype,
            "price": price,
            "price2": price2,
            "leverage": "none",
            "order": describe(order),
            "close": describe_close(order.close, pair),
        },
        "vol": volume_text(order),
        "vol_exec": pair.quantity_text(order.filled),
        "cost": pair.cost_text(order.cost),
        "fee": pair.cost_text(order.fee),
        "price": _average(order, pair),
        "stopprice": nothing,
        "limitprice": nothing,
        "misc": _misc(order),
        "oflags": ",".join(order.flags),
    }
    if order.cl_ord_id is not None:
        body["cl_ord_id"] = order.cl_ord_id
    if order.stop is not None:
        body |= _stop_body(order, order.stop, pair)
    if with_trades and order.trades:
        body["trades"] = order.trades
    if not order.alive:
        body["closetm"] = microseconds(order.closed)
        body["reason"] = order.reason
    return body


def _stop_body(order: Order, stop: Stop, pair: Pair) -> dict[str, str]:
    """Show what a conditional order has come to: nothing yet, unless it trails or went off.

    Source: orders recorded by ccxt; one that trails shows its trigger, and the best price.
    """
    body = {} if stop.reference == "last" else {"trigger": stop.reference}
    if not stop.fired and not stop.offset:
        return body
    body["stopprice"] = pair.long_price_text(stop.trigger)
    limit = order.limit if stop.fired else stop.peak
    if limit is not None:
        body["limitprice"] = pair.long_price_text(limit)
    return body


def _misc(order: Order) -> str:
    found = []
    if order.status in {CANCELED, EXPIRED} and order.filled:
        found.append("partial")
    if order.amended:
        found.append("amended")
    if order.stop is not None and order.stop.fired:
        found.append("touched" if order.ordertype.startswith("take") else "stopped")
    return ",".join(found)


def trade_body(trade: Trade) -> dict[str, Any]:
    """Show a fill the way TradesHistory and QueryTrades do."""
    pair = BY_SYMBOL[trade.symbol]
    return {
        "ordertxid": trade.order,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair.id,
        "aclass": "forex",
        "time": raw(f"{trade.time // SECOND_NS}.{trade.time % SECOND_NS // 100:07d}"),
        "type": trade.side,
        "ordertype": trade.ordertype,
        "price": pair.long_price_text(trade.price),
        "cost": pair.cost_text(trade.cost),
        "fee": pair.cost_text(trade.fee),
        "vol": pair.quantity_text(trade.quantity),
        "margin": pair.cost_text(Decimal(0)),
        "leverage": "0",
        "misc": "",
        "trade_id": trade.trade_id,
        "maker": trade.maker,
    }
