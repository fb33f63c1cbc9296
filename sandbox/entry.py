"""How an order comes to the market: what it must pass, and what it does on arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.checks import check_order, check_unique
from sandbox.errors import Refused
from sandbox.funding import check_funds, set_reserve
from sandbox.index import index_price
from sandbox.instruments import BY_SYMBOL
from sandbox.matching import reachable, take, worth
from sandbox.orders import CANCELED, OPEN, PENDING, ZERO, Order, OrderRequest
from sandbox.terms import LIMITED, STOPS, settled, stop_of

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.instruments import Pair
    from sandbox.liquidity import Offer


def reference_price(exchange: Exchange, pair: Pair, reference: str, now: int) -> int:
    """Give the price that a conditional order waits for: the last trade's, or the index."""
    if reference == "index":
        return index_price(exchange.market, pair, now)
    return exchange.last_price(pair, now)


def draft(exchange: Exchange, account: str, request: OrderRequest, now: int) -> Order:
    """Build the order a request asks for, or refuse what no state of the market would allow."""
    pair = BY_SYMBOL[request.symbol]
    bid, ask = exchange.market.touch(pair, now)
    if request.limit is None and request.ordertype in LIMITED:
        request = settled(request, pair, exchange.last_price(pair, now))
    check_order(request, pair, now, ask if request.side == "buy" else bid)
    order = Order(
        txid="",
        account=account,
        symbol=request.symbol,
        side=request.side,
        ordertype=request.ordertype,
        quantity=request.quantity,
        cash=request.cash,
        limit=request.limit,
        tif=request.tif,
        post_only=request.post_only,
        userref=request.userref,
        cl_ord_id=request.cl_ord_id,
        expires=request.expires,
        flags=request.flags,
        stp=request.stp,
        opened=now,
        changed=now,
        rank=exchange.minted,
        close=request.close,
        tier=exchange.volumes.tier(account, now),
        display=request.display,
        shown=request.display,
        starts=request.starts,
        status=PENDING if request.starts > now else OPEN,
    )
    if request.ordertype in STOPS:
        price = reference_price(exchange, pair, request.reference, now)
        order.stop, order.limit = stop_of(request, pair, price)
    return order


def admit(exchange: Exchange, order: Order, now: int) -> list[Offer]:
    """Refuse an order that its account's orders and funds, or the book, do not allow now.

    Returns:
        What the order can reach at this moment.
    """
    check_unique(order.cl_ord_id, exchange.open_orders(order.account))
    offers = _offers(exchange, order, now)
    if order.post_only and offers and not order.waiting:
        raise Refused("EOrder:Post only order")
    check_funds(exchange, order, offers)
    return offers


def _offers(exchange: Exchange, order: Order, now: int) -> list[Offer]:
    """Value a market order that is to begin later by what it would find now."""
    later = order.status == PENDING and order.stop is None
    return reachable(exchange, order, now) if later or not order.waiting else []


def match(exchange: Exchange, order: Order, offers: list[Offer], now: int) -> None:
    """Fill an order against what it can reach, and rest or end what is left of it."""
    if order.tif == "FOK" and worth(_before_own(order, offers), order) < 1:
        exchange.finish(order, CANCELED, now, "Fill or kill order could not be filled")
        return
    take(exchange, order, offers, now)
    if order.status == OPEN:
        exchange.rest_or_end(order, now)


def _before_own(order: Order, offers: list[Offer]) -> list[Offer]:
    """Give what an order can take until it meets, and is ended by, one of its own client's."""
    found: list[Offer] = []
    for offer in offers:
        if offer.maker is None or offer.maker.account != order.account:
            found.append(offer)
        elif order.stp != "cancel-oldest":
            break
    return found


def enter(exchange: Exchange, order: Order, now: int) -> None:
    """Bring an order to the market that has waited, if it can still be paid for."""
    exchange.open.pop(order.txid)
    set_reserve(exchange, order, ZERO)
    offers = reachable(exchange, order, now)
    try:
        check_funds(exchange, order, offers)
    except Refused:
        exchange.finish(order, CANCELED, now, "Insufficient funds")
        return
    if order.post_only and offers:
        exchange.finish(order, CANCELED, now, "Post only order")
        return
    exchange.mint("R")
    order.rank = exchange.minted
    match(exchange, order, offers, now)
