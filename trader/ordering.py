"""From a bar's end to an order, its answer and its reports, each written down as it comes.

An order is committed before it is sent. Everything happens in the trader's loop.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from market import history, ingestion
from market.errors import ExchangeRefused, ExchangeUnreachable, OtherHouse
from market.features import WARM_UP
from trader import journal
from trader.closing import close_bar, keep_bar
from trader.desk import ONLINE
from trader.errors import IllegalTransition, OrderUnknown
from trader.execution import OnStop
from trader.outlook import Circumstances
from trader.reporting import record_report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from market.bars import Bar
    from streams.events import ExecutionReport
    from trader.desk import Desk
    from trader.live import Trader
    from trader.orders import Order


def close(trader: Trader, closed: Iterable[tuple[Desk, Bar]]) -> None:
    """Decide on bars that have closed; one that was not seen in time and whole cools its desk.

    Every order is sent before any of the bars is written down.
    """
    decided = []
    for desk, bar in closed:
        if not bar.complete:
            desk.cool()
            desk.last_word = f"the bar of {bar.start:%H:%M} was not seen whole"
        elif trader.now() - bar.end > trader.settings.limits.max_bar_age * desk.interval:
            # As after a start: a score were no forecast, and warming up fetches the bar.
            desk.cool()
            desk.last_word = f"the bar of {bar.start:%H:%M} was seen too late"
        else:
            decided.append((desk, bar, circumstances(trader, desk)))
            _decide(trader, *decided[-1])
    for desk, bar, around in decided:
        with trader.lease.transaction() as session:
            keep_bar(session, desk, bar, around, trader.memory)


def circumstances(trader: Trader, desk: Desk) -> Circumstances:
    """Return what is known beside the market at this moment."""
    age = None if desk.heard is None else timedelta(seconds=trader.world.monotonic() - desk.heard)
    return Circumstances(
        now=trader.now(),
        quote_age=age,
        exchange_status=_openness(trader, desk),
        deadline=timedelta(seconds=trader.settings.order_deadline_seconds),
        limits=trader.settings.limits,
        policy=trader.settings.execution,
        patience=timedelta(seconds=trader.settings.post_only_seconds),
        appetite=trader.settings.appetite,
        marks={d.symbol: d.quote.middle for d in trader.desks.values() if d.quote is not None},
        clock_skew=trader.clock.skew,
        switch_age=trader.switch.age(trader.now()),
        stopping=trader.stopping and trader.settings.on_stop is OnStop.CANCEL,
    )


def send(trader: Trader, order: Order) -> None:
    """Send an order that is committed, and write down what the exchange made of it."""
    began = trader.world.monotonic()
    answer = trader.exchange.place(order)
    trader.telemetry.metrics.stage("send", trader.world.monotonic() - began)
    trader.telemetry.metrics.order(type(answer).__name__)
    try:
        with Session(trader.engine) as session, session.begin():
            journal.record_event(session, order.id, answer)
    except (IllegalTransition, OrderUnknown):
        trader.reconcile("unexpected answer")


def hear(trader: Trader, report: ExecutionReport) -> None:
    """Write an execution report down; one that makes no sense calls for a reconciliation."""
    began = trader.world.monotonic()
    try:
        with Session(trader.engine) as session, session.begin():
            known = record_report(session, report) is not None
    except (IllegalTransition, OrderUnknown):
        known = False
    trader.telemetry.metrics.stage("record", trader.world.monotonic() - began)
    if not (known or report.snapshot):
        trader.reconcile("unexpected report")


def _decide(trader: Trader, desk: Desk, bar: Bar, around: Circumstances) -> None:
    if desk.needs_warming(bar):
        _warm(trader, desk, bar)
        around = circumstances(trader, desk)
    began = trader.world.monotonic()
    with trader.lease.transaction() as session:
        order = close_bar(session, desk, bar, around, trader.memory)
    taken = trader.world.monotonic() - began
    if order is not None:
        send(trader, order)
    trader.telemetry.metrics.stage("decide", taken)
    trader.telemetry.point("bar_closed", {"symbol": desk.symbol}, {"seconds": taken}, bar.end)


def _warm(trader: Trader, desk: Desk, bar: Bar) -> None:
    span = (WARM_UP + 1) * desk.interval
    try:
        ingestion.ingest(
            trader.engine, trader.public_data, desk.symbol, desk.interval, span, until=bar.start
        )
    except (ExchangeRefused, ExchangeUnreachable, OtherHouse) as error:
        desk.cool()
        desk.last_word = f"cannot warm up, the next bar tries again: {error}"
        return
    with Session(trader.engine) as session:
        recent = history.last_bars(session, desk.symbol, desk.interval, WARM_UP)
    desk.warm((old, beside) for old, beside in recent if old.start < bar.start)


def _openness(trader: Trader, desk: Desk) -> str:
    """Return the exchange's status and the market's, or why no order may be sent at all."""
    if trader.stopping:
        return "stopping"
    if trader.outage.halt is not None:
        return "halted over HTTP"
    # Without execution reports an order's fate would be learned late.
    if not trader.reporting:
        return "not reporting"
    return desk.status if trader.exchange_status == ONLINE else trader.exchange_status
