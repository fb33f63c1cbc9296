"""The live process: one loop that takes events in turn and never two at once.

Threads only read sockets, watch the registry and put what they learn on one queue. All
state belongs to the loop, all writing happens in it, and an order is committed before
it is sent.
"""

from __future__ import annotations

import queue
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from market import history, ingestion
from market.errors import ExchangeRefused, ExchangeUnreachable, OtherHouse
from market.features import WARM_UP
from market.instruments import Side
from market.world import REAL, World
from trader import candour, deployment, journal, record, settlement
from trader.closing import close_bar
from trader.endpoint import Health
from trader.errors import IllegalTransition, LeaseLost, LeaseTaken, OrderUnknown
from trader.events import (
    BookChanged,
    CaughtUp,
    ClockAdvanced,
    ExecutionReport,
    ModelLoaded,
    ModelRefused,
    ModelWithdrawn,
    SystemStatus,
    Traded,
    TradesMissed,
    Trusted,
    Untrusted,
)
from trader.execution import OnStop
from trader.memory import Memory
from trader.orders import Status
from trader.outlook import Circumstances
from trader.pursuit import pursue
from trader.reporting import record_report
from trader.status import publish
from trader.stream import Disconnected
from trader.switch import DeadMansSwitch

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from market.bars import Bar
    from market.public_data import PublicData
    from trader.clock import ExchangeClock
    from trader.desk import Desk
    from trader.exchange import Exchange
    from trader.lease import Lease
    from trader.orders import Order
    from trader.outage import Outage
    from trader.settings import TraderSettings
    from trader.telemetry import Telemetry

POLL = 0.2  # seconds the loop waits for an event before it looks at its own duties
DUTIES_EVERY = 1.0  # seconds between looks at halts, the lease and unsettled orders
SETTLE_EVERY = 15.0  # seconds between attempts to settle what stays open; bars close meanwhile
OWN_GHOST = 15.0  # seconds for which the lease may be held by a connection of ours that died
RECORD_AWAY = "the record is away"
# What a question to the record raises while it is away, or away again since the last.
AWAY = (OperationalError, InterfaceError, LeaseLost)
DRAIN = 4.0  # seconds that orders under way are waited for after being told to stop
SETTLE_AFTER = settlement.GRACE + timedelta(seconds=1)  # past its deadline, an order is looked for


@dataclass(slots=True)
class Trader:
    """The live trader of one account."""

    engine: Engine
    exchange: Exchange
    public_data: PublicData
    settings: TraderSettings
    desks: dict[str, Desk]
    clock: ExchangeClock
    lease: Lease
    telemetry: Telemetry
    events: queue.Queue[object]
    exchange_status: str
    outage: Outage
    world: World = REAL
    stopping: bool = False
    caught_up: bool = False
    word: str = ""
    memory: Memory = field(default_factory=Memory)
    _owed: str | None = field(default=None, init=False)  # a reconciliation that is still due
    _ghost_since: float | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)
    _settle_due: float = field(default=0.0, init=False)
    _said: dict[str, Any] = field(default_factory=dict, init=False)
    _said_at: float = field(default=float("-inf"), init=False)
    _switch: DeadMansSwitch = field(init=False)

    def __post_init__(self) -> None:
        self._switch = DeadMansSwitch(self.exchange)

    def run(self) -> None:
        """Take events until told to stop.

        Raises:
            LeaseLost: Another trader may be live; nothing was sent since the last check.
        """
        while not self.stopping:
            self._hear()
        self._due, until = 0.0, self.world.monotonic() + DRAIN
        while self._under_way() and self.world.monotonic() < until:
            self._hear()
        self._switch.disarm()

    def _hear(self) -> None:
        event = None
        with suppress(queue.Empty):
            event = self.events.get(timeout=POLL)
        self.turn(event)

    def _under_way(self) -> bool:
        """Tell whether an order has not ended that should before we stop."""
        leave = self.settings.on_stop is OnStop.LEAVE
        try:
            with Session(self.engine) as session:
                orders = journal.unsettled_orders(session)
        except AWAY:
            return False  # the next start reconciles
        return any(not (leave and one.rests and one.status is Status.OPEN) for one in orders)

    def turn(self, event: object | None = None) -> None:
        """Take an event, if there is one, and attend to what is due.

        Raises:
            LeaseTaken: The record was away, and another trader was quicker when it came back.
        """
        if event is not None:
            self.telemetry.metrics.event(type(event).__name__)
        recording = self.outage.since is None
        try:
            if recording:
                self._turn(event)
            else:
                self._get_by(event)
        except AWAY as error:
            if recording:
                self._postpone(event)
            self._lose_record(error)

    def _turn(self, event: object | None) -> None:
        if event is not None:
            self._take(event)
        if self.world.monotonic() >= self._due:
            self._attend()
            self._due = self.world.monotonic() + DUTIES_EVERY

    def _postpone(self, event: object | None) -> None:
        match event:
            case ExecutionReport():
                self.outage.keep(event)
            case ModelLoaded() | ModelRefused() | ModelWithdrawn():
                self.outage.postponed.append(event)

    def _lose_record(self, error: Exception) -> None:
        """Go on without the record, and take back what would buy."""
        if self.outage.since is not None:
            return
        self.outage.since = self.world.monotonic()
        self.world.witness(RECORD_AWAY)
        self.word = f"{RECORD_AWAY}: {str(error).splitlines()[0]}"
        sys.stderr.write(f"{self.word}\n")
        for desk in self.desks.values():
            desk.cool()
        with suppress(ExchangeUnreachable, ExchangeRefused):
            for order in self.exchange.open_orders():
                if order.side is Side.BUY and order.client_order_id is not None:
                    self.exchange.cancel(order.client_order_id)

    def _get_by(self, event: object | None) -> None:
        match event:
            case Traded(trade=trade):
                self.desks[trade.symbol].builder.add(trade)
            case ClockAdvanced(at=at):
                self.clock.observe(at, self.world.monotonic())
            case ExecutionReport() | ModelLoaded() | ModelRefused() | ModelWithdrawn():
                self._postpone(event)
            case CaughtUp():
                self.caught_up = True
            case None:
                pass
            case _:
                self._take(event)
        self._said = {**self._said, "state": "waiting", "word": self.word}
        self._said_at = self.world.monotonic()
        if self.world.monotonic() >= self._due:
            self._due = self.world.monotonic() + DUTIES_EVERY
            self._find_record()

    def _find_record(self) -> None:
        try:
            self.lease.retake()
        except LeaseTaken as error:
            # PostgreSQL may not have noticed yet that our own last connection is gone.
            now = self.world.monotonic()
            self._ghost_since = now if self._ghost_since is None else self._ghost_since
            if now - self._ghost_since > OWN_GHOST:
                raise
            raise LeaseLost(str(error)) from error
        self._ghost_since = None
        self.catch_up()
        self.word = ""
        sys.stderr.write("the record is back\n")
        self._reconcile("record back")

    def catch_up(self) -> None:
        """Tell the record what it missed while it was away, in this process or the one before."""
        for report in self.outage.kept():
            self._report(report)
        while self.outage.postponed:
            self._take(self.outage.postponed[0])
            del self.outage.postponed[0]  # only now: the record may have gone again meanwhile
        self.outage.end()

    def stop(self, *_signal: object) -> None:
        """Let the loop end after the event it is at."""
        self.stopping = True

    def settle(self, trigger: str) -> None:
        """Compare the record with the exchange's; halt over what no news explains."""
        found = settlement.reconcile(self.engine, self.exchange, trigger=trigger, world=self.world)
        with Session(self.engine) as session, session.begin():
            wrong = self.memory.wrong(session) if found.clean else found.reason
            if wrong is not None:
                record.halt(
                    session,
                    reason_code="reconciliation",
                    reason=wrong,
                    who="trader",
                    at=self.now(),
                )

    @property
    def reporting(self) -> bool:
        """Whether the exchange tells us of our orders and the record agrees with it."""
        return self.caught_up and self._owed is None

    def health(self) -> Health:
        """Return what the loop last said of itself; any thread may ask."""
        return Health(age=self.world.monotonic() - self._said_at, detail=self._said)

    def now(self) -> datetime:
        """Return the exchange's time."""
        return self.clock.now(self.world.monotonic())

    def _take(self, event: object) -> None:
        match event:
            case Traded(trade=trade):
                # A bar it closes has ended by then, whatever our own clock makes of it.
                self.clock.observe(trade.at, self.world.monotonic())
                desk = self.desks[trade.symbol]
                self._close(desk, desk.builder.add(trade))
            case BookChanged():
                self._quote(event)
            case ClockAdvanced(at=at):
                self._advance(at)
            case ExecutionReport():
                self._report(event)
            case ModelLoaded() | ModelRefused() | ModelWithdrawn():
                self._change_model(event)
            case Trusted() | Untrusted() | TradesMissed():
                self._trust(event)
            case _:
                self._connection(event)

    def _advance(self, at: datetime) -> None:
        self.clock.observe(at, self.world.monotonic())
        # What traded while a market was not trusted comes before it is again.
        for desk in [desk for desk in self.desks.values() if desk.trusted]:
            self._close(desk, desk.builder.advance(at))

    def _trust(self, event: Trusted | Untrusted | TradesMissed) -> None:
        desk = self.desks[event.symbol]
        match event:
            case Trusted():
                desk.trusted = True
            case Untrusted(reason=reason):
                desk.trusted, desk.last_word = False, f"not trusted: {reason}"
            case TradesMissed():
                desk.cool()

    def _connection(self, event: object) -> None:
        match event:
            case SystemStatus(status=status):
                self.exchange_status = status
            case CaughtUp():
                self.caught_up, self.word = True, ""
                self._reconcile("reconnect")
            case Disconnected(stream="private", reason=reason):
                self.caught_up, self.word = False, f"no execution reports: {reason}"
                sys.stderr.write(f"{self.word}\n")
            case Disconnected(reason=reason):
                for desk in self.desks.values():
                    desk.trusted, desk.last_word = False, f"disconnected: {reason}"

    def _quote(self, event: BookChanged) -> None:
        desk = self.desks[event.symbol]
        desk.hear(event)
        prices = {"bid": float(event.bid), "ask": float(event.ask)}
        self.telemetry.point("quote", {"symbol": event.symbol}, prices, event.at)

    def _close(self, desk: Desk, bars: list[Bar]) -> None:
        for bar in bars:
            if not bar.complete:
                desk.cool()
                desk.last_word = f"the bar of {bar.start:%H:%M} was not seen whole"
            elif self.now() - bar.end > self.settings.limits.max_bar_age * desk.interval:
                # As after a start: a score were no forecast, and warming up fetches the bar.
                desk.cool()
                desk.last_word = f"the bar of {bar.start:%H:%M} was seen too late"
            else:
                self._decide(desk, bar)

    def _warm(self, desk: Desk, bar: Bar) -> None:
        span = (WARM_UP + 1) * desk.interval
        try:
            ingestion.ingest(
                self.engine, self.public_data, desk.symbol, desk.interval, span, until=bar.start
            )
        except (ExchangeRefused, ExchangeUnreachable, OtherHouse) as error:
            desk.cool()
            desk.last_word = f"cannot warm up, the next bar tries again: {error}"
            return
        with Session(self.engine) as session:
            recent = history.last_bars(session, desk.symbol, desk.interval, WARM_UP)
        desk.warm((old, beside) for old, beside in recent if old.start < bar.start)

    def _decide(self, desk: Desk, bar: Bar) -> None:
        if desk.needs_warming(bar):
            self._warm(desk, bar)
        began = self.world.monotonic()
        with self.lease.transaction() as session:
            order = close_bar(session, desk, bar, self._circumstances(desk), self.memory)
        taken = self.world.monotonic() - began
        if order is not None:
            self._send(order)
        self.telemetry.metrics.stage("decide", taken)
        self.telemetry.point("bar_closed", {"symbol": desk.symbol}, {"seconds": taken}, bar.end)

    def _circumstances(self, desk: Desk) -> Circumstances:
        age = None if desk.heard is None else timedelta(seconds=self.world.monotonic() - desk.heard)
        return Circumstances(
            now=self.now(),
            quote_age=age,
            exchange_status=self._openness(),
            deadline=timedelta(seconds=self.settings.order_deadline_seconds),
            limits=self.settings.limits,
            policy=self.settings.execution,
            patience=timedelta(seconds=self.settings.post_only_seconds),
            appetite=self.settings.appetite,
            marks={d.symbol: d.quote.middle for d in self.desks.values() if d.quote is not None},
            clock_skew=self.clock.skew,
            switch_age=self._switch.age(self.now()),
            stopping=self.stopping and self.settings.on_stop is OnStop.CANCEL,
        )

    def _openness(self) -> str:
        """Return the exchange's status, or why no order may be sent whatever it is."""
        if self.stopping:
            return "stopping"
        # Without execution reports an order's fate would be learned late.
        return self.exchange_status if self.reporting else "not reporting"

    def _send(self, order: Order) -> None:
        began = self.world.monotonic()
        answer = self.exchange.place(order)
        self.telemetry.metrics.stage("send", self.world.monotonic() - began)
        self.telemetry.metrics.order(type(answer).__name__)
        try:
            with Session(self.engine) as session, session.begin():
                journal.record_event(session, order.id, answer)
        except (IllegalTransition, OrderUnknown):
            self._reconcile("unexpected answer")

    def _report(self, report: ExecutionReport) -> None:
        began = self.world.monotonic()
        try:
            with Session(self.engine) as session, session.begin():
                known = record_report(session, report) is not None
        except (IllegalTransition, OrderUnknown):
            known = False
        self.telemetry.metrics.stage("record", self.world.monotonic() - began)
        if not (known or report.snapshot):
            self._reconcile("unexpected report")

    def _change_model(self, event: ModelLoaded | ModelRefused | ModelWithdrawn) -> None:
        desk = self.desks[event.symbol]
        with Session(self.engine) as session, session.begin():
            events = deployment.take_up(session, desk, event, self.now())
        for one in events:
            desk.adopt(one)

    def _reconsider_models(self) -> None:
        for desk in [desk for desk in self.desks.values() if desk.set_aside is not None]:
            with Session(self.engine) as session, session.begin():
                events = deployment.reconsider(session, desk, self.now())
            for one in events:
                desk.adopt(one)

    def _reconcile(self, trigger: str) -> None:
        try:
            self.settle(trigger)
        except ExchangeUnreachable:
            self._owed = trigger  # until it succeeds, nothing is opened
        else:
            self._owed = None

    def _attend(self) -> None:
        self.lease.check()
        # First what a halt asks: a reconciliation may take its time.
        self._switch.renew(self.now(), self.exchange_status)
        self._reconsider_models()
        for desk in self.desks.values():
            candour.review(self.engine, desk, self.now(), self.settings.max_model_odds)
        for one in pursue(self.engine, self.exchange, self.desks, self._circumstances, self.memory):
            self._send(one)
        patience = timedelta(seconds=self.settings.post_only_seconds)
        with Session(self.engine) as session:
            halts = record.current_halts(session)
            overdue = any(
                self.now() > order.due(patience) + SETTLE_AFTER
                for order in journal.unsettled_orders(session)
            )
        due = "overdue order" if overdue else self._owed
        if due is not None and self.world.monotonic() >= self._settle_due:
            self._reconcile(due)
            self._settle_due = self.world.monotonic() + SETTLE_EVERY
        with Session(self.engine) as session, session.begin():
            sums = self.memory.prepare(session, self.desks.values())
            said = publish(
                session,
                self.settings.account,
                self.desks,
                halts=halts,
                held=sums.held,
                connected=self.reporting,
                word=self.word,
                at=self.now(),
            )
        self._said, self._said_at = said, self.world.monotonic()
        self.telemetry.metrics.account(halted=bool(halts), connected=self.reporting)
        self.telemetry.metrics.markets(self.desks.values())
