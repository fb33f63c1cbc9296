"""What must be true after a run: our record and the exchange's books say the same.

The exchange's own objects are read, not its answers, so that a mistake in reading answers
cannot hide itself.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.history import Span
from sandbox.instruments import ASSETS, BY_SYMBOL
from sql.tables import DecisionRow, FillRow, OrderRow
from trader import accounts, record
from trader.orders import Status

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sandbox.exchange import Exchange
    from sandbox.orders import Order, Trade
    from sandbox.venue import Venue

ACCOUNT = "main"
ENDS = {"closed": Status.FILLED, "canceled": Status.CANCELLED, "expired": Status.CANCELLED}


def orders_of(venue: Venue) -> list[Order]:
    """Give every order the exchange ever took from us."""
    past = venue.past
    closed: list[Order] = []
    while page := past.closed_orders(ACCOUNT, Span(), len(closed)).rows:
        closed += page
    return [*venue.exchange.open_orders(ACCOUNT), *closed]


def trades_of(venue: Venue) -> list[Trade]:
    """Give every trade of ours that the exchange ever made."""
    past = venue.past
    found: list[Trade] = []
    while page := past.trades(ACCOUNT, Span(), len(found)).rows:
        found += page
    return found


def judge(engine: Engine, venue: Venue) -> list[str]:
    """Return a sentence for everything that is lost, doubled, unexplained or different."""
    with Session(engine) as session:
        ours = {row.id: row for row in session.scalars(select(OrderRow))}
        fills = {row.exec_id: row for row in session.scalars(select(FillRow))}
        decided = session.scalars(
            select(DecisionRow.id).where(DecisionRow.action.in_(["buy", "sell"]))
        ).all()
        booked = accounts.ledger_balances(session)
        halts = record.current_halts(session)
    wrong = _orders(ours, orders_of(venue)) + _fills(fills, ours, trades_of(venue))
    wrong += _balances(booked, venue.exchange)
    intended = {row.decision_id for row in ours.values()}
    wrong += [f"lost: decision {name} has no intent" for name in decided if name not in intended]
    wrong += [f"halted: {halt.reason_code}: {halt.reason}" for halt in halts]
    return wrong


def _orders(ours: dict[str, OrderRow], theirs: list[Order]) -> list[str]:
    wrong = []
    found: dict[str, Order] = {}
    for order in theirs:
        name = (order.cl_ord_id or "").replace("-", "")
        if name not in ours:
            wrong.append(f"unexplained: {order.txid} was placed under {name!r}, without an intent")
        elif name in found:
            wrong.append(f"doubled: {name} is {found[name].txid} and {order.txid}")
        else:
            found[name] = order
    for name, row in ours.items():
        wrong += _order(row, found.get(name))
    return wrong


def _order(row: OrderRow, theirs: Order | None) -> list[str]:
    if theirs is None:
        if row.status == Status.REJECTED and row.exchange_id is None and not row.filled:
            return []
        return [f"lost: {row.id} is {row.status}, the exchange never had it"]
    expected = ENDS.get(theirs.status)
    filled = BY_SYMBOL[theirs.symbol].quantity(theirs.filled)
    if expected is None:
        return [f"lost: {row.id} is still {theirs.status} at the exchange, {row.status} with us"]
    if (row.status, row.exchange_id, row.filled) != (expected, theirs.txid, filled):
        with_us = f"{row.status} with {row.filled} filled as {row.exchange_id}"
        with_them = f"{theirs.status} with {filled} as {theirs.txid}"
        return [f"lost: {row.id} is {with_us}; at the exchange {with_them}"]
    return []


def _fills(ours: dict[str, FillRow], orders: dict[str, OrderRow], theirs: list[Trade]) -> list[str]:
    wrong = [f"unexplained: fill {name}" for name in ours.keys() - {t.txid for t in theirs}]
    for trade in theirs:
        row = ours.get(trade.txid)
        if row is None:
            wrong.append(f"lost: trade {trade.txid} of {trade.order} is not booked")
            continue
        pair = BY_SYMBOL[trade.symbol]
        booked = row.quantity, row.price, row.cost, row.fee, orders[row.order_id].exchange_id
        listed = (
            pair.quantity(trade.quantity),
            Decimal(pair.price_text(trade.price)),
            Decimal(pair.cost_text(trade.cost)),
            Decimal(pair.cost_text(trade.fee)),
            trade.order,
        )
        if booked != listed:
            wrong.append(f"different: trade {trade.txid} is {listed}, booked as {booked}")
    return wrong


def _balances(ours: dict[str, Decimal], exchange: Exchange) -> list[str]:
    theirs = exchange.accounts.of(ACCOUNT)
    wrong = []
    for asset in ASSETS:
        held, booked = theirs.get(asset.id, Decimal(0)), ours.get(asset.name, Decimal(0))
        if held != booked and asset.name in {"USD", "XRP", "DOGE"} | ours.keys():
            wrong.append(f"different: the ledger has {booked} {asset.name}, the exchange {held}")
    return wrong
