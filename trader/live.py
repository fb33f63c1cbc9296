"""The live process: one loop that takes events in turn and never two at once.

Threads only read sockets, watch the registry and put what they learn on one queue. All
state belongs to the loop, all writing happens in it. What an event about a bar or an order
leads to is in trader/ordering.py; what is due without one, in trader/duties.py.
"""

from __future__ import annotations

import queue
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from market.errors import ExchangeRefused, ExchangeUnreachable
from market.world import REAL, World
from serving.events import ModelLoaded, ModelRefused, ModelWithdrawn
from sql.errors import LeaseLost, LeaseTaken
from streams.events import (
    BookChanged,
    CaughtUp,
    ClockAdvanced,
    DayTold,
    Described,
    ExecutionReport,
    MarketNews,
    SystemStatus,
    Traded,
)
from streams.stream import Disconnected
from telemetry.endpoint import Health
from trader import record, settlement
from trader.duties import attend, change_model, under_way
from trader.memory import Memory
from trader.ordering import close, hear
from trader.outage import AWAY, take_back
from trader.settlement_record import HALT
from trader.switch import DeadMansSwitch

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from market.public_data import PublicData
    from sql.lease import Lease
    from streams.clock import ExchangeClock
    from telemetry.points import Telemetry
    from trader.desk import Desk
    from trader.exchange import Exchange
    from trader.outage import Outage
    from trader.settings import TraderSettings

POLL = 0.2  # seconds the loop waits for an event before it looks at its own duties
DUTIES_EVERY = 1.0  # seconds between looks at halts, the lease and unsettled orders
OWN_GHOST = 15.0  # seconds for which the lease may be held by a connection of ours that died
RECORD_AWAY = "the record is away"
STRAGGLING = timedelta(seconds=0.5)  # that another channel's clock may be ahead of the trades
DRAIN = 4.0  # seconds that orders under way are waited for after being told to stop


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
    owed: str | None = field(default=None, init=False)  # a reconciliation that is still due
    why_owed: str = field(default="", init=False)
    _ghost_since: float | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)
    settle_due: float = field(default=0.0, init=False)
    said: dict[str, Any] = field(default_factory=dict, init=False)
    said_at: float = field(default=float("-inf"), init=False)
    switch: DeadMansSwitch = field(init=False)

    def __post_init__(self) -> None:
        self.switch = DeadMansSwitch(self.exchange)

    def run(self) -> None:
        """Take events until told to stop.

        Raises:
            LeaseLost: Another trader may be live; nothing was sent since the last check.
        """
        while not self.stopping:
            self._hear()
        self._due, until = 0.0, self.world.monotonic() + DRAIN
        while under_way(self) and self.world.monotonic() < until:
            self._hear()
        if not under_way(self):  # else the exchange ends what we could not
            self.switch.disarm()

    def _hear(self) -> None:
        event = None
        with suppress(queue.Empty):
            event = self.events.get(timeout=POLL)
        self.turn(event)

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
            attend(self)
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
        take_back(self.exchange)

    def _get_by(self, event: object | None) -> None:
        match event:
            case Traded(trade=trade):
                self.desks[trade.symbol].add(trade)
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
        self.said = {**self.said, "state": "waiting", "word": self.word}
        self.said_at = self.world.monotonic()
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
        self.reconcile("record back")

    def catch_up(self) -> None:
        """Tell the record what it missed while it was away, in this process or the one before."""
        for report in self.outage.kept():
            hear(self, report)
        while self.outage.postponed:
            self._take(self.outage.postponed[0])
            del self.outage.postponed[0]  # only now: the record may have gone again meanwhile
        self.outage.end()

    def stop(self, *_signal: object) -> None:
        """Let the loop end after the event it is at."""
        self.stopping = True

    def settle(self, trigger: str) -> None:
        """Compare the record with the exchange's, and what is remembered with the record."""
        found = settlement.reconcile(self.engine, self.exchange, trigger=trigger, world=self.world)
        with Session(self.engine) as session, session.begin():
            if found.clean and (wrong := self.memory.wrong(session)) is not None:
                record.halt(session, reason_code=HALT, reason=wrong, who="trader", at=self.now())

    @property
    def reporting(self) -> bool:
        """Whether the exchange tells us of our orders and the record agrees with it."""
        return self.caught_up and self.owed is None

    def health(self) -> Health:
        """Return what the loop last said of itself; any thread may ask."""
        return Health(age=self.world.monotonic() - self.said_at, detail=self.said)

    def now(self) -> datetime:
        """Return the exchange's time."""
        return self.clock.now(self.world.monotonic())

    def _take(self, event: object) -> None:
        match event:
            case Traded(trade=trade):
                # A bar it closes has ended by then, whatever our own clock makes of it.
                self.clock.observe(trade.at, self.world.monotonic())
                desk = self.desks[trade.symbol]
                close(self, [(desk, bar) for bar in desk.add(trade)])
            case ClockAdvanced(at=at):
                self._advance(at)
            case ExecutionReport():
                hear(self, event)
            case ModelLoaded() | ModelRefused() | ModelWithdrawn():
                change_model(self, event)
            case _ if isinstance(event, MarketNews):
                self._learn(event)
            case _:
                self._connection(event)

    def _advance(self, at: datetime) -> None:
        self.clock.observe(at, self.world.monotonic())
        # What traded while a market was not trusted comes before it is again.
        trusted = [desk for desk in self.desks.values() if desk.trusted]
        ended = at - STRAGGLING
        close(self, ((desk, bar) for desk in trusted for bar in desk.builder.advance(ended)))

    def _learn(self, event: MarketNews) -> None:
        self.desks[event.symbol].learn(event)
        match event:
            case BookChanged(symbol=symbol, bid=bid, ask=ask, at=at):
                prices = {"bid": float(bid), "ask": float(ask)}
                self.telemetry.point("quote", {"symbol": symbol}, prices, at)
            case DayTold(symbol=symbol, at=at):
                self.telemetry.point("day", {"symbol": symbol}, event.figures, at)
            case Described(instrument=instrument):
                with Session(self.engine) as session, session.begin():
                    record.record_instruments(session, [instrument], self.now())

    def _connection(self, event: object) -> None:
        match event:
            case SystemStatus(status=status):
                self.exchange_status = status
            case CaughtUp():
                self.caught_up, self.word = True, ""
                self.reconcile("reconnect")
            case Disconnected(stream="private", reason=reason):
                self.caught_up, self.word = False, f"no execution reports: {reason}"
                sys.stderr.write(f"{self.word}\n")
            case Disconnected(reason=reason):
                for desk in self.desks.values():
                    desk.trusted, desk.last_word = False, f"disconnected: {reason}"

    def reconcile(self, trigger: str) -> None:
        """Settle, or owe it if the exchange does not let us; until it succeeds nothing opens."""
        try:
            self.settle(trigger)
        except (ExchangeUnreachable, ExchangeRefused) as error:
            self.owed, self.why_owed = trigger, f"not compared with the exchange: {error}"
            sys.stderr.write(f"{self.why_owed}\n")
        else:
            self.owed, self.why_owed = None, ""
