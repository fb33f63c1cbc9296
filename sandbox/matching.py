"""Matching: what an incoming order can reach, and the fills that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.instruments import BY_SYMBOL, Pair
from sandbox.liquidity import DEPTH, Offer, offers_in_order
from sandbox.orders import CANCELED, CLOSED, OPEN, ZERO, Order
from sandbox.settlement import settle
from sandbox.tape import OwnPrint

if TYPE_CHECKING:
    from sandbox.exchange import Exchange

SHALLOW = 20


def reachable(exchange: Exchange, order: Order, now: int) -> list[Offer]:
    """List what an order could take at once, in the order of taking."""
    resting = exchange.resting(order.symbol, buys=not order.buys)
    for depth in (SHALLOW, DEPTH):
        levels = exchange.liquidity[order.symbol].side(now, depth, asks=order.buys)
        offers = [o for o in offers_in_order(levels, resting) if reaches(order, o.price)]
        if len(offers) < len(levels) or worth(offers, order) >= 1:
            break
    return offers


def take(exchange: Exchange, order: Order, offers: list[Offer], now: int) -> None:
    """Fill an order against what it can reach."""
    pair = BY_SYMBOL[order.symbol]
    for offer in offers:
        if order.status != OPEN:
            return
        if offer.maker is not None and _skips(exchange, order, offer.maker, now):
            continue
        lots = min(offer.lots, _wanted(order, pair, offer.price))
        if lots == 0:
            break
        if offer.maker is None:
            exchange.liquidity[order.symbol].take(offer, lots, asks=order.buys)
        own = _print(exchange, order, (offer.price, lots), now, takes=True)
        if offer.maker is not None:
            settle(exchange, offer.maker, own, maker=True)
        settle(exchange, order, own, maker=False)
    spent = order.cash is not None and order.filled and not _wanted(order, pair, offers[-1].price)
    if spent and order.status == OPEN:
        exchange.finish(order, CLOSED, now, None)


def fill_resting(exchange: Exchange, order: Order, lots: int, now: int) -> None:
    """Trade between a resting order of a client and the market, at the order's price.

    An iceberg trades part by part, as it comes to light.
    """
    assert order.limit is not None
    while lots:
        part = min(lots, order.visible)
        own = _print(exchange, order, (order.limit, part), now, takes=False)
        settle(exchange, order, own, maker=True)
        lots -= part


def _wanted(order: Order, pair: Pair, price: int) -> int:
    if order.cash is None:
        return order.remaining
    left = order.cash - order.exact_cost
    return int(left / pair.value(price, 1))


def _skips(exchange: Exchange, order: Order, maker: Order, now: int) -> bool:
    """Pass over a maker who is gone, or who is the taker; the latter ends one of them."""
    if not maker.alive:
        return True
    if maker.account != order.account:
        return False
    _prevent_self_trade(exchange, order, maker, now)
    return True


def _prevent_self_trade(exchange: Exchange, order: Order, maker: Order, now: int) -> None:
    if order.stp in {"cancel-oldest", "cancel-both"}:
        exchange.finish(maker, CANCELED, now, "STP prevented trade")
    if order.stp != "cancel-oldest":
        exchange.finish(order, CANCELED, now, "STP prevented trade")


def _print(
    exchange: Exchange, order: Order, traded: tuple[int, int], now: int, *, takes: bool
) -> tuple[OwnPrint, int]:
    tape = exchange.tapes[order.symbol]
    own = OwnPrint(
        symbol=order.symbol,
        time=tape.next_time(now),
        price=traded[0],
        quantity=traded[1],
        bought=order.buys == takes,
        market=takes and order.limit is None,
    )
    exchange.journal.prints.append(own)
    return own, tape.add(own)


def reaches(order: Order, price: int) -> bool:
    """Tell whether an order may trade at a price."""
    if order.limit is None:
        return True
    return price <= order.limit if order.buys else price >= order.limit


def worth(offers: list[Offer], order: Order) -> float:
    """Give how many times over the offers fill the order."""
    if order.cash is None:
        return sum(offer.lots for offer in offers) / max(order.remaining, 1)
    pair = BY_SYMBOL[order.symbol]
    return float(sum((pair.value(o.price, o.lots) for o in offers), ZERO) / order.cash)
