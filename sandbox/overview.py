"""The whole exchange at a glance, for the person who runs it."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.instruments import ASSET_BY_ID, BY_SYMBOL
from sandbox.messages import ticker_body
from sandbox.wire import order_body, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from sandbox.connection import Connection
    from sandbox.faults import Fault
    from sandbox.orders import Order, Trade
    from sandbox.venue import Venue

Body = dict[str, Any]
SHOWN = ("bid", "ask", "last", "change_pct", "volume")


def overview(venue: Venue, connections: Iterable[Connection], now: int, most: int) -> Body:
    """Describe the exchange, with at most so many open orders, fills and strokes.

    Args:
        venue: The exchange.
        connections: Those who are connected.
        now: The time on the exchange, in ns.
        most: How many of each list to show, the latest first.
    """
    exchange = venue.exchange
    opened = islice(reversed(exchange.open.values()), most)
    return {
        "time": stamp(now),
        "clock": {"simulated": venue.clock.simulated, "speed": venue.clock.anchor.speed},
        "mode": venue.mode,
        "market": _market(venue),
        "limits": venue.limits.tier or "off",
        "share": venue.limits.share,
        "fees": exchange.volumes.floor,
        "tiers": {name: exchange.volumes.tier(name, now) for name in _accounts(venue)},
        "recorded": venue.recording is not None,
        "prices": [_price(venue, now, symbol) for symbol in BY_SYMBOL],
        **_money(venue),
        "open": {order.txid: _order(order) for order in opened},
        "open_orders": len(exchange.open),
        "orders": venue.past.count("orders"),
        "trades": venue.past.count("trades"),
        "fills": [_fill(trade) for trade in venue.past.latest_trades(most)],
        "connections": [_connection(each) for each in sorted(connections, key=_age)],
        "faults": describe_faults(venue, most),
    }


def _market(venue: Venue) -> Body:
    seed, edge = venue.store.fact("market", tuple[int, float]) or (None, None)
    return {"source": venue.store.fact("source", str) or "synthetic", "seed": seed, "edge": edge}


def _price(venue: Venue, now: int, symbol: str) -> Body:
    body = ticker_body(venue.exchange, BY_SYMBOL[symbol], now)
    return {"symbol": symbol} | {name: body[name] for name in SHOWN}


def _accounts(venue: Venue) -> list[str]:
    return sorted({key.account for key in venue.keys.values()})


def _money(venue: Venue) -> Body:
    accounts = venue.exchange.accounts
    names = _accounts(venue)
    held: dict[str, dict[str, Decimal]] = {name: {} for name in names}
    for (name, asset), amount in accounts.held.items():
        if amount and name in held:
            held[name][asset] = amount
    return {
        "accounts": {name: _plain(accounts.of(name)) for name in names},
        "holds": {name: _plain(amounts) for name, amounts in held.items()},
        "sums": _plain(accounts.sums()),
    }


def _plain(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {a: f"{amount:.{ASSET_BY_ID[a].decimals}f}" for a, amount in amounts.items()}


def _order(order: Order) -> Body:
    return {
        "account": order.account,
        "symbol": order.symbol,
        **order_body(order, with_trades=False),
    }


def _fill(trade: Trade) -> Body:
    pair = BY_SYMBOL[trade.symbol]
    return {
        "id": trade.txid,
        "order": trade.order,
        "account": trade.account,
        "symbol": trade.symbol,
        "side": trade.side,
        "price": pair.price_text(trade.price),
        "volume": pair.quantity_text(trade.quantity),
        "cost": pair.cost_text(trade.cost),
        "fee": pair.cost_text(trade.fee),
        "maker": trade.maker,
        "time": stamp(trade.time),
        "cl_ord_id": trade.cl_ord_id,
    }


def _age(connection: Connection) -> float:
    return -connection.since


def _connection(connection: Connection) -> Body:
    return {
        "id": connection.number,
        "address": connection.address,
        "door": connection.door,
        "opens": sorted(connection.opens),
        "accounts": sorted(set(connection.accounts.values())),
        "topics": sorted(
            " ".join(filter(None, (t.channel, t.symbol, t.detail))) for t in connection.topics
        ),
        "sent": connection.sent,
        "waiting": len(connection.waiting),
        "age": round(time.monotonic() - connection.since, 1),
    }


def describe_faults(venue: Venue, most: int) -> Body:
    """Describe the faults that wait and those that struck, the latest stroke last."""
    struck = venue.faults.struck
    return {
        "waiting": [describe_fault(fault) for fault in venue.faults.waiting.values()],
        "struck": list(islice(struck, max(len(struck) - most, 0), None)),
        "strokes": len(struck),
    }


def describe_fault(fault: Fault) -> Body:
    """Describe a fault as it was asked for, with its moments as times."""
    ends = {"ends": stamp(fault.ends)} if fault.ends else {"ends": None}
    return {**msgspec.to_builtins(fault), "begins": stamp(fault.begins), **ends}
