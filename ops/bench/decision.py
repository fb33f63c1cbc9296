"""How long it takes from what closes a bar to its order in the HTTP client's hands."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from market import history
from market.bars import Bar
from market.instruments import Side, Trade, neighbours
from ops.bench.circumstances import MINUTE
from ops.bench.figures import Figure
from ops.bench.live import XRP, Rig, rig
from ops.bench.record import END, database, fill
from ops.bench.timing import milliseconds, on_schedule
from streams.events import BookChanged, ClockAdvanced, ExecutionReport
from trader.live import STRAGGLING
from trader.start import settle_memory

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from ops.bench.figures import Plan

DAYS, FEW_DAYS = 90, 2
BARS, FEW = 1_000, 40
EVERY = 0.2  # seconds between the bars that are offered
BEFORE = 0.4  # seconds before a bar's end at which the trader last looked at its duties
WARM = 5  # bars that do not count
GOAL = 5.0  # ms
PRICE = Decimal(2)


def measure(plan: Plan) -> list[Figure]:
    """Offer bars on a schedule that waits for nothing, on a young record and on an old one."""
    count = WARM + (plan.runs or (FEW if plan.quick else BARS))
    found = []
    for days in (FEW_DAYS,) if plan.quick else (FEW_DAYS, DAYS):
        with database() as engine, tempfile.TemporaryDirectory() as folder:
            rows = fill(engine, days)
            offered = _offer(engine, Path(folder), count)
            found += _figures(offered, f"after {days} days", rows["fills"])
    return found


@dataclass(slots=True)
class Offered:
    """Seconds by stage, a number a bar; the bars that led to no order have none."""

    latency: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)
    handed: list[float] = field(default_factory=list)
    silent: int = 0


def _figures(offered: Offered, when: str, fills: int) -> list[Figure]:
    count = len(offered.latency)
    how = (
        f"{count} bars offered every {EVERY * 1000:g} ms whatever became of the ones before, "
        f"timed from when each was due; PostgreSQL with {fills:,} fills on record, every commit "
        "synced; the exchange's answer takes no time"
    )
    stages = {
        "until the loop takes the bar": offered.waited,
        "from the bar to its committed intent": offered.decided,
        "of that, statements in PostgreSQL": offered.statements,
        "from the commit to the HTTP client, signing included": offered.handed,
    }
    return [
        milliseconds(f"bar close to order, {when}", offered.latency, how, goal=GOAL),
        *(milliseconds(f"{name}, {when}", s, "a part of the same") for name, s in stages.items()),
        Figure(
            name=f"bars that led to no order, {when}",
            value=float(offered.silent),
            unit=f"of {count + offered.silent}",
            goal=0.0,
            at_most=True,
            how="the model promises enough at every bar; an order less is a check that refused",
        ),
    ]


def _offer(engine: Engine, folder: Path, count: int) -> Offered:
    with_trader = rig(engine, folder)
    statements = Statements(engine)
    due_bars: Queue[tuple[int, float]] = Queue()
    offer = (count, EVERY, lambda number, due: due_bars.put((number, due)))
    schedule = Thread(target=on_schedule, args=offer)
    offered = Offered()
    _approach(with_trader, 0)
    settle_memory()
    schedule.start()
    for _ in range(count):
        number, due = due_bars.get()
        statements.forget()
        began = time.perf_counter()
        _close(with_trader, number)
        if number >= WARM:
            _note(offered, with_trader, due=due, began=began, statements=statements)
        _settle(with_trader, number)
        _approach(with_trader, number + 1)
    schedule.join()
    with_trader.close()
    return offered


def _end(number: int) -> datetime:
    return END + (number + 1) * MINUTE


def _close(at: Rig, number: int) -> None:
    """Let the exchange's time pass the bar's end far enough, with a quote that has just come."""
    closed = _end(number) + STRAGGLING
    at.clock.leap((closed - at.trader.now()).total_seconds())
    at.desk.hear(_quote(closed, at.clock.now()))
    at.trader.turn(ClockAdvanced(at=closed))


def _note(offered: Offered, at: Rig, *, due: float, began: float, statements: Statements) -> None:
    _, decided = at.stages.passages["decide"][-1]
    handed = at.client.handed[-1] if at.client.handed else 0.0
    if handed < began:
        offered.silent += 1
        return
    sent, send = at.stages.passages["send"][-1]
    offered.latency.append(handed - due)
    offered.waited.append(began - due)
    offered.decided.append(decided)
    offered.statements.append(statements.before(sent - send))
    offered.handed.append(handed - (sent - send))


def _settle(at: Rig, number: int) -> None:
    """Tell that the order was cancelled, as one that takes at once is when nothing is there."""
    if not at.client.handed:
        return
    at.trader.turn(
        ExecutionReport(
            exec_type="canceled",
            order_id=f"OBENCH-{len(at.client.handed):05}-AAAAAA",
            cl_ord_id=None,
            exec_id=None,
            symbol=XRP,
            side=Side.BUY,
            last_quantity=None,
            last_price=None,
            cost=None,
            fee=None,
            fee_asset=None,
            liquidity=None,
            cumulative=None,
            status="canceled",
            reason="IOC",
            at=_end(number),
            snapshot=False,
        )
    )


def _approach(at: Rig, number: int) -> None:
    """Trade once in the next bar, and look at the duties shortly before its end.

    The neighbours' bars before it are on record by then.
    """
    start = _end(number) - MINUTE
    with Session(at.trader.engine) as session, session.begin():
        beside = [_bar(symbol, start - MINUTE) for symbol in neighbours(XRP)]
        history.record_bars(session, beside, "bench")
    trade = Trade(
        symbol=XRP,
        trade_id=number + 1,
        at=start + MINUTE / 2,
        side=Side.BUY,
        price=PRICE + Decimal(number % 7) / 1000,
        quantity=Decimal(100),
    )
    at.desk.builder.add(trade)
    last = _end(number) - timedelta(seconds=BEFORE)
    at.clock.leap((last - at.trader.now()).total_seconds())
    at.trader.turn(None)


def _bar(symbol: str, start: datetime) -> Bar:
    return Bar(
        symbol=symbol,
        interval=MINUTE,
        start=start,
        open=PRICE,
        high=PRICE,
        low=PRICE,
        close=PRICE,
        volume=Decimal(100),
        trades=1,
    )


def _quote(at: datetime, heard: float) -> BookChanged:
    return BookChanged(
        symbol=XRP,
        bid=PRICE,
        ask=PRICE + Decimal("0.001"),
        bid_quantity=Decimal(1000),
        ask_quantity=Decimal(1000),
        bid_depth=Decimal(20_000),
        ask_depth=Decimal(20_000),
        at=at,
        heard=heard,
    )


class Statements:
    """The time that statements take in PostgreSQL and on the way there, in this process."""

    def __init__(self, engine: Engine) -> None:
        self._passages: list[tuple[float, float]] = []
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)

    def _begin(self, *_: Any) -> None:
        self._began = time.perf_counter()

    def _end(self, *_: Any) -> None:
        ended = time.perf_counter()
        self._passages.append((ended, ended - self._began))

    def forget(self) -> None:
        """Forget all there were."""
        self._passages.clear()

    def before(self, moment: float) -> float:
        """Return the seconds of the statements that ended before a moment."""
        return sum(seconds for ended, seconds in self._passages if ended <= moment)
