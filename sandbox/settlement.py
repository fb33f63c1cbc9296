"""What a fill does to an order and to the accounts.

Cost and fee are rounded as running totals, so many small fills cost exactly what one
large fill would, and never more than was set aside.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.accounts import FEES, MARKET, round_money, round_up
from sandbox.instruments import BY_SYMBOL, Pair
from sandbox.orders import CLOSED, Order, Trade

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
    order.trades.append(trade.txid)
    exchange.trades[trade.txid] = trade
    exchange.journal.trades.append(trade)
    if order.close is not None:
        exchange.owed.append((order, trade))
    _release(exchange, order, pair)
    exchange.report("trade", order, own.time, trade)
    _pay(exchange, order, pair, trade)
    if order.cash is None and order.remaining == 0:
        exchange.finish(order, CLOSED, own.time, None)


def _charge(
    exchange: Exchange, order: Order, pair: Pair, own: OwnPrint, *, maker: bool
) -> tuple[Decimal, Decimal]:
    exact = pair.value(own.price, own.quantity)
    order.exact_cost += exact
    order.exact_fee += exact * exchange.tier.rate(maker=maker)
    total_cost = round_money(order.exact_cost, pair.quote)
    total_fee = round_money(order.exact_fee, pair.quote)
    cost, fee = total_cost - order.cost, total_fee - order.fee
    order.cost, order.fee = total_cost, total_fee
    return cost, fee


def _release(exchange: Exchange, order: Order, pair: Pair) -> None:
    if order.txid not in exchange.open or order.limit is None:
        return
    if not order.buys:
        exchange.set_reserve(order, pair.quantity(order.remaining))
        return
    rate = 1 + max(exchange.tier.taker, exchange.tier.maker) / 100
    whole = round_up(pair.value(order.limit, order.quantity) * rate, pair.quote) + Decimal("0.0001")
    spent = order.cost + order.fee
    left = round_up(pair.value(order.limit, order.remaining) * rate, pair.quote)
    exchange.set_reserve(order, min(whole - spent, left + Decimal("0.0002")))


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
