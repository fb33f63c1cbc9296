"""What a fill does to an order and to the accounts.

Cost and fee are rounded as running totals, so many small fills cost exactly what one
large fill would, and never more than was set aside.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.accounts import FEES, MARKET, round_money
from sandbox.fees import TIERS
from sandbox.funding import release
from sandbox.instruments import BY_SYMBOL, Pair
from sandbox.orders import CLOSED, Order, Trade
from sandbox.places import refill

if TYPE_CHECKING:
    from sandbox.exchange import Exchange
    from sandbox.tape import OwnPrint


def settle(exchange: Exchange, order: Order, printed: tuple[OwnPrint, int], *, maker: bool) -> None:
    """Write one fill into an order, the accounts, the ledger and the reports."""
    own, identity = printed
    pair = BY_SYMBOL[order.symbol]
    cost, fee = _charge(exchange, order, pair, own, maker=maker)
    trade = Trade(
        txid=exchange.mint("T"),
        order=order.txid,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        ordertype=order.ordertype,
        time=own.time,
        price=own.price,
        quantity=own.quantity,
        cost=cost,
        fee=fee,
        maker=maker,
        trade_id=identity,
        cl_ord_id=order.cl_ord_id,
        userref=order.userref,
    )
    order.filled += own.quantity
    if maker and order.display:
        order.shown -= own.quantity
    order.trades.append(trade.txid)
    exchange.trades[trade.txid] = trade
    exchange.volumes.add(trade.account, trade.time, trade.cost)
    exchange.journal.trades.append(trade)
    if order.close is not None:
        exchange.owed.append((order, trade))
    release(exchange, order)
    exchange.report("trade", order, own.time, trade)
    _pay(exchange, order, pair, trade)
    if order.cash is None and order.remaining == 0:
        exchange.finish(order, CLOSED, own.time, None)
    elif maker:
        refill(exchange, order, own.time)


def _charge(
    exchange: Exchange, order: Order, pair: Pair, own: OwnPrint, *, maker: bool
) -> tuple[Decimal, Decimal]:
    exact = pair.value(own.price, own.quantity)
    order.exact_cost += exact
    tier = max(order.tier, exchange.volumes.tier(order.account, own.time))
    order.exact_fee += exact * TIERS[tier - 1].rate(maker=maker)
    total_cost = round_money(order.exact_cost, pair.quote)
    total_fee = round_money(order.exact_fee, pair.quote)
    cost, fee = total_cost - order.cost, total_fee - order.fee
    order.cost, order.fee = total_cost, total_fee
    return cost, fee


def _pay(exchange: Exchange, order: Order, pair: Pair, trade: Trade) -> None:
    accounts, account = exchange.accounts, order.account
    quantity = pair.quantity(trade.quantity)
    if order.buys:
        accounts.move(account, MARKET, pair.quote.id, trade.cost)
        accounts.move(MARKET, account, pair.base.id, quantity)
    else:
        accounts.move(account, MARKET, pair.base.id, quantity)
        accounts.move(MARKET, account, pair.quote.id, trade.cost)
    accounts.move(account, FEES, pair.quote.id, trade.fee)
    sign = -1 if order.buys else 1
    zero = Decimal(0)
    paid, got = sign * trade.cost, -sign * quantity
    exchange.post(account, (pair.quote.id, paid, trade.fee), trade.time, trade.txid)
    exchange.post(account, (pair.base.id, got, zero), trade.time, trade.txid)
