"""What must be true after a run: our record and the exchange's own lists say the same.

The lists are read with a client and a key of the campaign's own, not with the trader's code,
so that a mistake in reading answers cannot hide itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sql.tables import DecisionRow, FillRow, OrderRow
from trader import accounts, record
from trader.orders import Status

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from ops.bench.caller import Caller

ENDS = {"closed": Status.FILLED, "canceled": Status.CANCELLED, "expired": Status.CANCELLED}
ASSETS = {"ZUSD": "USD", "XXRP": "XRP", "XXDG": "DOGE"}
EARLIER = 120.0  # seconds of the exchange by which its lists are read further back than ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What the exchange says of our account: orders and trades by id, and what it holds."""

    orders: dict[str, dict[str, Any]]
    trades: dict[str, dict[str, Any]]
    balances: dict[str, Decimal]


def lists(caller: Caller, since: float) -> Lists:
    """Read the exchange's lists from a moment on; raises OSError or KeyError if it is away."""
    opened = caller.call("OpenOrders")["result"]["open"]
    closed = _pages(caller, "ClosedOrders", "closed", since)
    trades = _pages(caller, "TradesHistory", "trades", since)
    held = caller.call("Balance")["result"]
    balances = {ASSETS.get(name, name): Decimal(amount) for name, amount in held.items()}
    return Lists(orders=opened | closed, trades=trades, balances=balances)


def judge(engine: Engine, caller: Caller, since: datetime | None) -> list[str]:
    """Return a sentence for everything that is lost, doubled, unexplained or different.

    Args:
        engine: The record.
        caller: A key of the account.
        since: The exchange's time from which on orders and fills are compared; None for all.
    """
    start = 0.0 if since is None else since.timestamp()
    theirs = lists(caller, max(start - EARLIER, 0.0))
    with Session(engine) as session:
        orders = {row.id: row for row in session.scalars(select(OrderRow))}
        fills = {row.exec_id: row for row in session.scalars(select(FillRow))}
        decided = session.scalars(
            select(DecisionRow.id).where(DecisionRow.action.in_(["buy", "sell"]))
        ).all()
        booked = accounts.ledger_balances(session)
        halts = record.current_halts(session)
    intended = {row.decision_id for row in orders.values()}
    recent = {i: row for i, row in orders.items() if since is None or row.created_at >= since}
    wrong = _orders(orders, recent, theirs.orders)
    wrong += _fills({i: f for i, f in fills.items() if since is None or f.at >= since}, theirs)
    wrong += _trades(fills, orders, theirs.trades)
    wrong += [f"lost: decision {name} has no intent" for name in decided if name not in intended]
    for asset in sorted(booked.keys() | theirs.balances.keys()):
        ours, held = booked.get(asset, Decimal(0)), theirs.balances.get(asset, Decimal(0))
        if ours != held:
            wrong.append(f"different: the ledger has {ours} {asset}, the exchange {held}")
    return wrong + [f"halted: {halt.reason_code}: {halt.reason}" for halt in halts]


def _pages(caller: Caller, name: str, part: str, since: float) -> dict[str, Any]:
    """Read a list from the newest on; what is new meanwhile moves the rest on, and is left out."""
    found: dict[str, Any] = {}
    while True:
        result = caller.call(name, ofs=str(len(found)), start=f"{since:.9f}")["result"]
        if result[part].keys() <= found.keys():
            return found
        found |= result[part]


def _orders(
    ours: dict[str, OrderRow], recent: dict[str, OrderRow], theirs: dict[str, dict[str, Any]]
) -> list[str]:
    named: dict[str, list[str]] = defaultdict(list)
    for txid, order in theirs.items():
        named[(order.get("cl_ord_id") or "").replace("-", "")].append(txid)
    wrong = [
        f"unexplained: {txids} under {name!r}, without an intent"
        for name, txids in named.items()
        if name not in ours
    ]
    wrong += [f"doubled: {name} is {txids}" for name, txids in named.items() if len(txids) > 1]
    for name, row in (recent | {n: ours[n] for n in named if n in ours}).items():
        listed = next(iter(named[name]), None)
        wrong += _order(row, listed, None if listed is None else theirs[listed])
    return wrong


def _order(row: OrderRow, txid: str | None, theirs: dict[str, Any] | None) -> list[str]:
    if theirs is None:
        if row.status == Status.REJECTED and row.exchange_id is None and not row.filled:
            return []
        return [f"lost: {row.id} is {row.status}, the exchange does not list it"]
    with_them = ENDS.get(theirs["status"]), txid, Decimal(theirs["vol_exec"])
    with_us = row.status, row.exchange_id, row.filled
    if with_us != with_them:
        return [f"lost: {row.id} is {with_us}; at the exchange {theirs['status']}, {with_them}"]
    return []


def _fills(recent: dict[str, FillRow], theirs: Lists) -> list[str]:
    return [f"unexplained: fill {name}" for name in recent.keys() - theirs.trades.keys()]


def _trades(
    ours: dict[str, FillRow], orders: dict[str, OrderRow], theirs: dict[str, dict[str, Any]]
) -> list[str]:
    wrong = []
    for name, trade in theirs.items():
        row = ours.get(name)
        if row is None:
            wrong.append(f"lost: trade {name} of {trade['ordertxid']} is not booked")
            continue
        booked = row.quantity, row.price, row.cost, row.fee, orders[row.order_id].exchange_id
        amounts = [Decimal(trade[part]) for part in ("vol", "price", "cost", "fee")]
        if booked != (*amounts, trade["ordertxid"]):
            wrong.append(f"different: trade {name} is {trade}, booked as {booked}")
    return wrong
