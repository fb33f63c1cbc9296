"""The terms of orders that wait for a price, and of the orders that close a position again."""

from __future__ import annotations

import re
from decimal import Decimal

from msgspec.structs import replace

from sandbox.errors import Refused
from sandbox.instruments import BY_SYMBOL, Pair
from sandbox.orders import Close, Order, OrderRequest, Stop, Trade

LIMITED = ("limit", "iceberg")
STOPS = {
    "stop-loss": "stop loss",
    "take-profit": "take profit",
    "stop-loss-limit": "stop loss",
    "take-profit-limit": "take profit",
    "trailing-stop": "trailing stop",
    "trailing-stop-limit": "trailing stop",
}
PERCENT_DECIMALS = 4
_LEVEL = re.compile(r"([+\-#]?)([0-9]{1,12}(?:\.[0-9]{1,12})?)(%?)")


def read_level(text: str, argument: str) -> tuple[str, Decimal, bool]:
    """Read a price as its sign, its number and whether that is a percentage, or refuse it."""
    found = _LEVEL.fullmatch(text)
    if found is None or Decimal(found[2]) <= 0:
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    return found[1], Decimal(found[2]), bool(found[3])


def _distance(level: tuple[str, Decimal, bool], anchor: int, pair: Pair) -> int:
    _, value, percent = level
    return int(anchor * value / 100) if percent else int(value.scaleb(pair.price_decimals))


def spelled(text: str, pair: Pair) -> str:
    """Spell a price the way Kraken shows it: in full, a percentage with four decimals.

    Source: an order recorded by ccxt, `trailing stop +50.0000%`.
    """
    sign, value, percent = read_level(text, "price")
    decimals = PERCENT_DECIMALS if percent else pair.price_decimals
    return f"{sign}{value:.{decimals}f}{'%' if percent else ''}"


def level_ticks(text: str, argument: str, pair: Pair, anchor: int, *, up: bool) -> int:
    """Read a price that may be relative: `1.9`, `+0.05`, `-2%`, `#1%`.

    Args:
        text: The price as the client spelled it.
        argument: Its name, for a refusal.
        pair: The market.
        anchor: The price in ticks a relative one counts from.
        up: Which way `#` points.
    """
    level = read_level(text, argument)
    sign, value, percent = level
    if not sign and not percent:
        scaled = value.scaleb(pair.price_decimals)
        if scaled != scaled.to_integral_value():
            raise Refused(
                f"EOrder:Invalid price:{pair.symbol} price can only be specified up to "
                f"{pair.price_decimals} decimals"
            )
        return int(scaled)
    upward = up if sign in {"", "#"} else sign == "+"
    found = anchor + _distance(level, anchor, pair) * (1 if upward else -1)
    if found <= 0:
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    return found


def stop_of(request: OrderRequest, pair: Pair, last: int) -> tuple[Stop, int | None]:
    """Give what a conditional order waits for, and its limit if it has one."""
    kind, buys = request.ordertype, request.side == "buy"
    price, price2 = request.terms
    if kind.startswith("trailing"):
        start = Stop(trigger=last, reference=request.reference, peak=last)
        stop = trail_by(start, price, pair, buys=buys)
    else:
        rising = buys == kind.startswith("stop")
        trigger = level_ticks(price, "price", pair, last, up=rising)
        stop = Stop(trigger=trigger, reference=request.reference)
    if not kind.endswith("-limit"):
        return stop, None
    limit = level_ticks(price2, "price2", pair, stop.trigger, up=buys)
    return stop, limit


def trail_by(stop: Stop, text: str, pair: Pair, *, buys: bool) -> Stop:
    """Give a trigger that trails the best price so far by a distance."""
    offset = max(_distance(read_level(text, "price"), stop.peak, pair), 1)
    trigger = stop.peak + (offset if buys else -offset)
    if trigger <= 0:
        raise Refused("EGeneral:Invalid arguments:price")
    return replace(stop, trigger=trigger, offset=offset, text=spelled(text, pair))


def settled(request: OrderRequest, pair: Pair, last: int) -> OrderRequest:
    """Give a limit order whose price is relative a price of its own."""
    away = request.side == "sell"
    return replace(request, limit=level_ticks(request.terms[0], "price", pair, last, up=away))


def target(order: Order) -> int | None:
    """Give the worst price an order is prepared to pay, as far as it is known."""
    if order.limit is not None:
        return order.limit
    return order.stop.trigger if order.stop is not None and order.waiting else None


def closing(order: Order, fill: Trade) -> OrderRequest:
    """Give the order that closes again what one fill has opened."""
    assert order.close is not None
    terms = order.close
    plain = terms.ordertype == "limit"
    limit = Decimal(terms.price).scaleb(BY_SYMBOL[order.symbol].price_decimals) if plain else None
    return OrderRequest(
        symbol=order.symbol,
        side="sell" if order.buys else "buy",
        ordertype=terms.ordertype,
        quantity=fill.quantity,
        limit=None if limit is None else int(limit),
        terms=(terms.price, terms.price2),
        userref=order.userref,
        flags=("fciq",),
    )


def describe_terms(order: Order, pair: Pair) -> str:
    """Describe the price of an order in Kraken's words."""
    if order.stop is None:
        return "market" if order.limit is None else f"limit {pair.price_text(order.limit)}"
    words = STOPS[order.ordertype]
    price = order.stop.text or pair.price_text(order.stop.trigger)
    if order.limit is None:
        return f"{words} {price}"
    return f"{words} {price} -> limit {pair.price_text(order.limit)}"


def describe_close(close: Close | None, pair: Pair) -> str:
    """Describe a closing order in Kraken's words; nothing if there is none."""
    if close is None:
        return ""
    words = STOPS.get(close.ordertype, close.ordertype)
    limited = close.ordertype.endswith("-limit") and close.price2
    tail = f" -> limit {spelled(close.price2, pair)}" if limited else ""
    return f"close position @ {words} {spelled(close.price, pair)}{tail}"
