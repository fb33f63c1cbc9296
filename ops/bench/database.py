"""How long typical queries of the running system take on a record of many days."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from market import features, history
from ops import profit
from ops.bench.circumstances import MINUTE, circumstances, instrument
from ops.bench.record import END, database, fill
from ops.bench.timing import milliseconds
from sql import evidence, explanation, reads, retrainings
from sql.tables import OrderRow
from trader import accounts, journal, outlook, record, settlement_record
from trader.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from ops.bench.figures import Figure, Plan

    Query = Callable[[Session], object]

DAYS, FEW_DAYS = 90, 2
TIMES, FEW = 200, 20
SELDOM = 5  # times for what nobody waits for
GOAL = 10.0  # ms
XRP, DAY = "XRP/USD", timedelta(days=1)


def measure(plan: Plan) -> list[Figure]:
    """Fill a database of its own and time every query on it, each in a session of its own."""
    times = plan.runs or (FEW if plan.quick else TIMES)
    days = FEW_DAYS if plan.quick else DAYS
    with database() as engine:
        rows = fill(engine, days)
        size = (
            f"{days} days of a record of {sum(rows.values()):,} rows, among them "
            f"{rows['market.price_bars']:,} bars, {rows['predictions']:,} predictions, "
            f"{rows['fills']:,} fills and {rows['ledger_entries']:,} ledger lines"
        )
        return [
            milliseconds(
                name, _time(engine, query, times if goal else SELDOM), size, share=0.95, goal=goal
            )
            for name, query, goal in _queries(engine)
        ]


def _time(engine: Engine, query: Query, times: int) -> list[float]:
    found = []
    for _ in range(times):
        with Session(engine) as session:
            session.connection()  # a pooled one; what is timed is the query
            began = time.perf_counter()
            query(session)
            found.append(time.perf_counter() - began)
    return found


def _queries(engine: Engine) -> Iterator[tuple[str, Query, float | None]]:
    """Yield what is asked: by the trader as it runs, by who looks, and by flows once an hour."""
    for part, goal in ((_trading, GOAL), (_looking, GOAL), (_studying, None)):
        for name, query in part(engine):
            yield name, query, goal


def _trading(engine: Engine) -> Iterator[tuple[str, Query]]:
    del engine
    desk, around = Desk(instrument=instrument(), interval=MINUTE), circumstances(END)
    yield "the books before a decision", lambda s: outlook.open_books(s, desk, around)
    yield "everything held", accounts.totals
    yield "one position", lambda s: accounts.held(s, XRP)
    yield "the ledger's balances", accounts.ledger_balances
    yield "orders not settled", journal.unsettled_orders
    yield "orders of the last minute", lambda s: journal.orders_since(s, END - MINUTE)
    yield "fills of the last hour", lambda s: journal.fills_since(s, END - timedelta(hours=1))
    yield "standing halts", record.current_halts
    yield "the neighbours' closes", lambda s: history.closes_beside(s, XRP, MINUTE, END)
    yield "bars to warm up on", lambda s: history.last_bars(s, XRP, MINUTE, features.WARM_UP)
    yield "bars missing in a day", lambda s: history.gaps(s, XRP, MINUTE, END - DAY, END)
    yield "where to compare from", lambda s: settlement_record.starting_point(s, END)
    yield "the running experiment", lambda s: evidence.running_experiment(s, XRP)
    yield "the taker's fee", lambda s: retrainings.taker_fee(s, XRP)


def _looking(engine: Engine) -> Iterator[tuple[str, Query]]:
    with Session(engine) as session:
        newest = select(OrderRow.id).order_by(OrderRow.created_at.desc()).limit(1)
        order_id = session.scalars(newest).one()
    yield "friday why", lambda s: explanation.why(s, order_id)
    yield "friday why, half an id", lambda s: explanation.why(s, order_id[:16])
    yield "friday orders", reads.orders
    yield "friday orders of a market", lambda s: reads.orders(s, symbol=XRP)
    yield "friday fills", reads.fills
    yield "friday fills of a market", lambda s: reads.fills(s, symbol=XRP)
    yield "friday positions", reads.positions
    yield "balances", reads.balances
    yield "reconciliations", reads.reconciliations
    yield "halts", reads.halts
    yield "the trader's state", reads.trader_status


def _studying(engine: Engine) -> Iterator[tuple[str, Query]]:
    week = END - timedelta(days=7)
    yield "friday pnl, every trade again", profit.profits
    yield "a week of bars for training", lambda _: history.read_bars(engine, XRP, MINUTE, week)
    yield (
        "outcomes that are due, of all bars",
        lambda s: history.settle_outcomes(s, XRP, MINUTE, 10, END),
    )
