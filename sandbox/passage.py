"""The passing of time: the market trades through resting orders, and orders run out."""

from __future__ import annotations

import numpy as np

from sandbox.exchange import Exchange, reaches
from sandbox.instruments import PAIRS, Pair
from sandbox.liquidity import DEPTH
from sandbox.orders import EXPIRED, OPEN
from sandbox.path import STEPS
from sandbox.synthetic import HOUR_NS, STEP_NS, Ints

QUOTE = -1


def advance(exchange: Exchange, now: int) -> None:
    """Bring the exchange to a moment, in the order in which things happen until then."""
    while exchange.open and exchange.time < now:
        due = min((o.expires for o in exchange.open.values() if o.expires), default=now)
        fires = min(exchange.switches.values(), default=now)
        until = max(min(now, due, fires, (exchange.time // HOUR_NS + 1) * HOUR_NS), exchange.time)
        for pair in PAIRS:
            _trade(exchange, pair, exchange.time, until)
        exchange.time = until
        _run_out(exchange, until)
    exchange.time = max(exchange.time, now)
    _run_out(exchange, exchange.time)


def _run_out(exchange: Exchange, now: int) -> None:
    for account, fires in list(exchange.switches.items()):
        if fires <= now:
            del exchange.switches[account]
            exchange.journal.switches = True
            for order in exchange.open_orders(account):
                exchange.cancel(order, fires, "Cancel all orders after timeout")
    for order in list(exchange.open.values()):
        if order.expires and order.expires <= now:
            exchange.finish(order, EXPIRED, order.expires, "Order expired")


def _trade(exchange: Exchange, pair: Pair, after: int, until: int) -> None:
    """Fill resting orders by the market's quotes and trades in an interval of one hour."""
    buys = exchange.resting(pair.symbol, buys=True)
    sells = exchange.resting(pair.symbol, buys=False)
    if not buys and not sells:
        return
    bid = buys[0].limit or 0 if buys else 0
    ask = sells[0].limit or 0 if sells else np.iinfo(np.int64).max
    for time, row in _candidates(exchange, pair, (after, until), (bid, ask)):
        if row == QUOTE:
            _cross(exchange, pair, time)
        else:
            _hit(exchange, pair, time, row)


def _candidates(
    exchange: Exchange, pair: Pair, span: tuple[int, int], best: tuple[int, int]
) -> list[tuple[int, int]]:
    """Find the quotes and trades that may reach an order, in the order of time."""
    found: list[tuple[int, int]] = []
    for hour in range(span[0] // HOUR_NS, span[1] // HOUR_NS + 1):
        block = exchange.market.block(pair, hour)
        steps: Ints = hour * HOUR_NS + STEP_NS * np.arange(STEPS, dtype=np.int64)
        inside = (steps > span[0]) & (steps <= span[1])
        near = inside & ((block.ask <= best[0]) | (block.bid >= best[1]))
        found.extend((int(time), QUOTE) for time in steps[near])
        prints = block.prints
        inside = (prints.time > span[0]) & (prints.time <= span[1])
        near = inside & np.where(prints.bought, prints.price >= best[1], prints.price <= best[0])
        found.extend((int(prints.time[row]), int(row)) for row in np.flatnonzero(near))
    return sorted(found)


def _cross(exchange: Exchange, pair: Pair, time: int) -> None:
    liquidity = exchange.liquidity[pair.symbol]
    for buys in (True, False):
        levels = liquidity.side(time, DEPTH, asks=buys)
        left = {offer: offer.lots for offer in levels}
        for order in exchange.resting(pair.symbol, buys=buys):
            for offer, lots in left.items():
                if order.status != OPEN or not reaches(order, offer.price):
                    break
                take = min(lots, order.remaining)
                if take:
                    left[offer] = lots - take
                    liquidity.take(offer, take, asks=buys)
                    exchange.fill_resting(order, take, time)


def _hit(exchange: Exchange, pair: Pair, time: int, row: int) -> None:
    prints = exchange.market.block(pair, time // HOUR_NS).prints
    price, lots = int(prints.price[row]), int(prints.quantity[row])
    for order in exchange.resting(pair.symbol, buys=not prints.bought[row]):
        if lots == 0 or not reaches(order, price):
            return
        if order.limit == price:
            passed = min(order.ahead, lots)
            order.ahead -= passed
            exchange.journal.orders[order.txid] = order
            lots -= passed
        take = min(lots, order.remaining)
        if take:
            lots -= take
            exchange.fill_resting(order, take, time)
