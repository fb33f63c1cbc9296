"""The trader as a process: it starts, goes on turn by turn, ends or is killed, and comes back.

What a thread does in the real process is done here whenever time passes, so messages
arrive while the loop waits for an answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from market.errors import ExchangeRefused, ExchangeUnreachable
from ops.campaign.points import Crash
from ops.campaign.venue import PULSE, SimulatedExchange
from sql.errors import DatabaseError
from sql.lease import Lease
from telemetry.points import InfluxSettings, Telemetry
from trader import start

if TYPE_CHECKING:
    from collections.abc import Callable

    from market.world import World
    from ops.campaign.storage import Storage
    from ops.campaign.timeline import Timeline
    from ops.campaign.wires import Door
    from serving.events import ModelLoaded
    from streams.stream import Stream
    from trader.live import Trader
    from trader.settings import ExchangeSettings, TraderSettings

BACKOFF = (1.0, 2.0, 5.0)  # seconds until a trader that ended is started again
# How `friday trade` ends of its own accord, with a code of its own; all else is a defect.
ENDS = (DatabaseError, ExchangeUnreachable, DBAPIError, ExchangeRefused)
OF_STORAGE = (DatabaseError, DBAPIError)
MOST_MESSAGES = 100_000


@dataclass(slots=True, kw_only=True)
class TraderProcess:
    """One trader over all its lives in a run."""

    timeline: Timeline
    storage: Storage
    exchange: SimulatedExchange
    door: Door
    settings: TraderSettings
    exchange_settings: ExchangeSettings
    models: tuple[ModelLoaded, ...]
    world: World = field(init=False)
    trader: Trader | None = None
    ends: Counter[str] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    _streams: dict[Stream, float] = field(default_factory=dict)
    _lease: Lease | None = None
    _due: float = 0.0
    _ended: int = 0
    _outages: int = 0

    def begin(self) -> None:
        """Move messages from now on as time passes."""
        self.timeline.later(PULSE, self._pump)

    def go(self, seconds: float) -> None:
        """Let time pass and then do what there is to do."""
        self._guard(lambda: self.timeline.wait(seconds))
        if self.trader is None:
            if self.timeline.monotonic() >= self._due:
                self._guard(self._start)
            return
        self._guard(self._turn)

    def settle(self, trigger: str) -> None:
        """Reconcile, as the flow that does so every few minutes."""
        if self.trader is not None:
            trader = self.trader
            self._guard(lambda: trader.settle(trigger))

    def stop(self) -> None:
        """End for good."""
        self._let_go()

    def _start(self) -> None:
        if not self.storage.away:
            self._outages = self.storage.outages
        self.storage.engine.connect().close()
        self._lease = Lease(self.storage.engine, self.settings.account)
        telemetry = Telemetry(InfluxSettings(url=None))
        self.trader = start.assemble(
            self.storage.engine,
            self._lease,
            telemetry,
            self.settings,
            self.exchange_settings,
            world=self.world,
        )
        for model in self.models:
            self.trader.events.put(model)
        streams = start.open_streams(self.trader, self.exchange_settings)
        self._streams = dict.fromkeys(streams, 0.0)
        self.timeline.tell("the trader has started")

    def _turn(self) -> None:
        trader = self.trader
        assert trader is not None
        self._move()
        while not trader.events.empty():
            trader.turn(trader.events.get())
        trader.turn()

    def _pump(self) -> None:
        self.timeline.later(PULSE, self._pump)
        if self.trader is not None:
            self._move()

    def _move(self) -> None:
        """Let every stream take its turns until there is nothing more to read."""
        for stream in list(self._streams):
            for _ in range(MOST_MESSAGES):
                busy = self.door.asking and not stream.connected
                if busy or self.timeline.monotonic() < self._streams.get(stream, 0.0):
                    break
                before = stream.connected, self.exchange.carried
                self._streams[stream] = self.timeline.monotonic() + stream.turn()
                if before == (stream.connected, self.exchange.carried):
                    break

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Crash as crash:
            self._end(f"killed {crash}", "killed")
        except ENDS as error:
            told = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            if isinstance(error, OF_STORAGE) and self._outages == self.storage.outages:
                self.defects.append(f"PostgreSQL was there all the time: {told}")
            self._end(told, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the campaign looks for
            self.defects.append(f"{type(error).__name__}: {error}")
            self._end(self.defects[-1], "defect")

    def _end(self, how: str, kind: str) -> None:
        self.timeline.tell(f"the trader ends: {how}")
        self.ends[kind] += 1
        self._let_go()
        self._due = self.timeline.monotonic() + BACKOFF[min(self._ended, len(BACKOFF) - 1)]
        self._ended += 1

    def _let_go(self) -> None:
        for stream in self._streams:
            stream.stop()
        if self._lease is not None:
            self._lease.release()
        self.trader, self._lease, self._streams = None, None, {}
        self.storage.abandon()
