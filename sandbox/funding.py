"""What an order may cost at worst, and what is set aside for it while it is open.

The fee an order was accepted at is the most it will ever pay, so what is set aside is enough
even if the account's thirty-day volume falls before the order trades.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.accounts import round_up
from sandbox.errors import Refused
from sandbox.fees import TIERS
from sandbox.instruments import BY_SYMBOL, Asset
from sandbox.orders import ZERO, Order
from sandbox.terms import target

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.liquidity import Offer

ROUNDING = Decimal("0.0001")  # cost and fee may each be rounded up


def spends(order: Order) -> Asset:
    """Give the asset an order pays with."""
    pair = BY_SYMBOL[order.symbol]
    return pair.quote if order.buys else pair.base


def dearest(order: Order) -> Decimal:
    """Give the factor from cost to cost with the highest fee the order may pay."""
    tier = TIERS[order.tier - 1]
    return 1 + max(tier.taker, tier.maker) / 100


def needed(order: Order, offers: list[Offer]) -> Decimal:
    """Give what an order may cost at worst; `offers` value a market order."""
    pair = BY_SYMBOL[order.symbol]
    if not order.buys:
        return pair.quantity(order.remaining)
    rate = dearest(order)
    if order.cash is not None:
        return round_up(order.cash * rate, pair.quote) + ROUNDING
    price = target(order)
    if price is not None:
        return round_up(pair.value(price, order.remaining) * rate, pair.quote) + ROUNDING
    left, cost = order.remaining, ZERO
    for offer in offers:
        lots = min(left, offer.lots)
        cost += pair.value(offer.price, lots)
        left -= lots
    return round_up(cost * rate, pair.quote) + ROUNDING


def check_funds(exchange: Exchange, order: Order, offers: list[Offer]) -> None:
    """Refuse an order its account cannot pay for, beside what is set aside for it already."""
    free = exchange.accounts.free(order.account, spends(order).id) + order.reserve
    if needed(order, offers) > free:
        raise Refused("EOrder:Insufficient funds")


def set_reserve(exchange: Exchange, order: Order, amount: Decimal) -> None:
    """Set aside what an order may still cost."""
    exchange.accounts.hold(order.account, spends(order).id, amount - order.reserve)
    order.reserve = amount


def release(exchange: Exchange, order: Order) -> None:
    """Give back what a fill of a resting order has made superfluous."""
    if order.txid not in exchange.open or order.limit is None:
        return
    pair = BY_SYMBOL[order.symbol]
    if not order.buys:
        set_reserve(exchange, order, pair.quantity(order.remaining))
        return
    rate = dearest(order)
    whole = round_up(pair.value(order.limit, order.quantity) * rate, pair.quote) + ROUNDING
    left = round_up(pair.value(order.limit, order.remaining) * rate, pair.quote)
    spent = order.cost + order.fee
    set_reserve(exchange, order, min(whole - spent, left + 2 * ROUNDING))
