"""How long it takes from an execution report's arrival until it is committed in PostgreSQL."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from market.instruments import Side
from ops.bench.figures import Figure
from ops.bench.live import XRP, Rig, rig
from ops.bench.record import END, database, fill
from ops.bench.timing import milliseconds, on_schedule
from sql import reads
from streams.events import CaughtUp
from streams.executions import ExecutionFeed
from trader import journal
from trader.orders import Order, Status, client_order_id

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ops.bench.figures import Plan

DAYS, FEW_DAYS = 90, 2
ORDERS, FEW = 1_000, 50
EVERY = 0.05  # seconds between reports
WARM = 10  # reports that do not count
GOAL = 50.0  # ms
AT = END.isoformat().replace("+00:00", "Z")


def measure(plan: Plan) -> list[Figure]:
    """Let reports arrive on a schedule that waits for nothing: two an order, taken and filled."""
    count = plan.runs or (FEW if plan.quick else ORDERS)
    with database() as engine, tempfile.TemporaryDirectory() as folder:
        rows = fill(engine, FEW_DAYS if plan.quick else DAYS)
        at = rig(engine, Path(folder))
        orders = [_order(number) for number in range(count)]
        with Session(engine) as session, session.begin():
            for order in orders:
                journal.record_intent(session, order)
        waited = _arrive(at, orders)
        missing = _missing(engine, orders)
        at.close()
    recorded = [seconds for _, seconds in at.stages.passages["record"][WARM:]]
    how = (
        f"{2 * count} messages, one every {EVERY * 1000:g} ms, from the text until the commit is "
        f"on the disk, timed from when each was due; {rows['fills']:,} fills were on record before"
    )
    return [
        milliseconds("execution report to commit", waited[WARM:], how, goal=GOAL),
        milliseconds("of that, the transaction", recorded, "a part of the same"),
        Figure(
            name="fills reported and not on record",
            value=float(missing),
            unit=f"of {count}",
            goal=0.0,
            at_most=True,
            how="orders that are not filled on record afterwards, or filled more than once",
        ),
    ]


def _order(number: int) -> Order:
    return Order(
        id=client_order_id(f"bench-{number}", 1),
        symbol=XRP,
        side=Side.SELL if number % 2 else Side.BUY,
        quantity=Decimal(5),
        limit=Decimal(2),
        created_at=END,
        deadline=END + timedelta(days=1),
    )


def _arrive(at: Rig, orders: list[Order]) -> list[float]:
    """Let the reports arrive through a feed in a thread, as a stream does; return the delays."""
    feed = ExecutionFeed(token="", heard=0.0)
    for channel in ("executions", "balances"):
        feed.receive(_message(channel, 1, []), 0.0)
    texts = [text for number, order in enumerate(orders) for text in _reports(number, order)]
    due: list[float] = []

    def hear(number: int, moment: float) -> None:
        due.append(moment)
        for event in feed.receive(texts[number], 0.0):
            assert not isinstance(event, CaughtUp)  # both channels had caught up before
            at.trader.events.put(event)

    schedule = Thread(target=on_schedule, args=(len(texts), EVERY, hear))
    schedule.start()
    for _ in texts:
        at.trader.turn(at.trader.events.get())
    schedule.join()
    ended = [moment for moment, _ in at.stages.passages["record"]]
    return [end - moment for end, moment in zip(ended, due, strict=True)]


def _missing(engine: Engine, orders: list[Order]) -> int:
    with Session(engine) as session:
        found = [journal.order_by_id(session, order.id) for order in orders]
        fills = [reads.fills(session, order_id=order.id) for order in orders]
    return sum(
        order is None or order.status is not Status.FILLED or len(booked) != 1
        for order, booked in zip(found, fills, strict=True)
    )


def _reports(number: int, order: Order) -> list[str]:
    known = {
        "order_id": f"OBENCH-{number:05}-BBBBBB",
        "cl_ord_id": order.id,
        "symbol": XRP,
        "side": order.side.value,
        "timestamp": AT,
    }
    trade = {
        "exec_type": "trade",
        "exec_id": f"TBENCH-{number:05}-BBBBBB",
        "last_qty": 5.0,
        "last_price": 2.0,
        "cost": 10.0,
        "cum_qty": 5.0,
        "liquidity_ind": "t",
        "fees": [{"asset": "USD", "qty": 0.02}],
        "order_status": "filled",
    }
    rows: list[dict[str, Any]] = [{"exec_type": "new", "order_status": "new"}, trade]
    first = 2 * number + 2
    return [_message("executions", first + n, [{**known, **row}]) for n, row in enumerate(rows)]


def _message(channel: str, sequence: int, rows: list[dict[str, Any]]) -> str:
    kind = "snapshot" if sequence == 1 else "update"
    return json.dumps({"channel": channel, "type": kind, "data": rows, "sequence": sequence})
