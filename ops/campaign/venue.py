"""The real sandbox without a socket: it answers, beats, dies and comes back on a timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ops.campaign.timeline import SECOND, Timeline
from sandbox import rest
from sandbox.clock import Anchor, Clock
from sandbox.connection import Connection
from sandbox.disturbance import Reply, reply_in_time
from sandbox.floor import Floor
from sandbox.keys import Key
from sandbox.opening import Settings, open_venue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sandbox.disturbance import Inlet
    from sandbox.venue import Venue

    Headers = dict[str, str]
    Steps = Generator[float, None, Reply]

PULSE = 0.5  # seconds between two looks of the exchange at its market
CHECKPOINT = 5.0
PATIENCE = 10.0  # seconds that the trader waits for an answer
KEY, FLOW_KEY, SECRET = "trader", "flow", "Y2FtcGFpZ24="
DOORS = {"public": frozenset({"public"}), "private": frozenset({"private"})}


class Lost(Exception):
    """No answer came: the connection was refused or cut."""


class TooSlow(Exception):
    """No answer came in time; the exchange may still carry the request out."""


class Killed(BaseException):
    """The exchange dies here."""


class SimulatedClock(Clock):
    """The exchange's clock, moved by the timeline alone."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(Anchor(timeline.now, timeline.now, 1.0), simulated=True)
        self._timeline = timeline

    def now(self) -> int:
        """Tell the time on the exchange."""
        return self._timeline.now


@dataclass(eq=False, kw_only=True)
class Line(Connection):
    """A connection without a socket; whoever reads it takes from `waiting`."""

    closed: bool = False
    cut: bool = False

    def abort(self) -> None:
        """Cut the connection without a word."""
        super().abort()
        self.cut = True


@dataclass(frozen=True, kw_only=True)
class Death:
    """When the exchange is to die: at which call of a method, where in it, for how long."""

    method: str
    number: int
    place: str
    seconds: float


PLACES = ("before it acts", "before it keeps what it did", "before it answers")


@dataclass(eq=False, kw_only=True)
class SimulatedExchange:
    """One exchange, and whether it is up; `state` is the file that it survives in."""

    timeline: Timeline
    market: str
    seed: int
    state: str
    latency: float = 0.02
    death: Death | None = None
    deaths: list[str] = field(default_factory=list)
    most_held: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    carried: int = 0
    between: tuple[int, Callable[[], None]] | None = None
    _calls: int = 0
    _lines: int = 0
    _venue: Venue | None = None
    _floor: Floor[Line] | None = None

    def open(self) -> Venue:
        """Start the exchange, or start it again from its state file."""
        began = datetime.fromtimestamp(self.timeline.start / SECOND, UTC)
        settings = Settings(
            seed=self.seed,
            market=f"replay:{self.market}",
            edge=150.0,
            clock="simulated",
            speed=1.0,
            start=began.isoformat(),
            state=self.state,
            fees=1,
            balance=("USD=10000", "XRP=0", "DOGE=0"),
            key=KEY,
            secret=SECRET,
        )
        self._venue = open_venue(settings)
        self._venue.clock = SimulatedClock(self.timeline)
        self._floor = Floor(self._venue)
        return self._venue

    def close(self) -> None:
        """Let go of the state file."""
        if self._venue is not None:
            self._venue.store.close()
            self._venue = self._floor = None

    @property
    def venue(self) -> Venue:
        """The exchange in operation."""
        assert self._venue is not None
        return self._venue

    @property
    def up(self) -> bool:
        """Whether anybody answers."""
        return self._venue is not None

    def begin(self) -> None:
        """Open, and look at the market from now on as time passes."""
        self.open()
        self.venue.add_key(Key(FLOW_KEY, SECRET, "main"), self.venue.sync())
        self._pulse()
        self._checkpoint()

    def ask(self, name: str, query: str, headers: Headers | None, body: bytes) -> Reply:
        """Carry a request to the exchange and its answer back.

        Raises:
            Lost: The exchange is down, or the connection was cut.
            TooSlow: Ten seconds have passed.
        """
        self.timeline.wait(self.latency)
        self.asked.append(name)
        if self._venue is None:
            raise Lost("connection refused")
        venue = self._venue
        steps = reply_in_time(
            venue,
            name,
            partial(self._make, venue, name, query, headers, body),
            None if headers is None else (headers, body),
        )
        reply = self._follow(venue, steps)
        if name == "AddOrder":
            self._come_between()
        self.timeline.wait(self.latency)
        if venue is not self._venue or not reply.given:
            raise Lost("connection reset")
        return reply

    def _come_between(self) -> None:
        """Let somebody act between an order and its answer, if this is the order."""
        if self.between is not None:
            number, act = self.between
            self.between = (number - 1, act) if number > 1 else None
            if self.between is None:
                act()

    def enter(self, door: str) -> tuple[Line, Inlet]:
        """Connect to a door of the websocket.

        Raises:
            Lost: The exchange is down.
        """
        self.timeline.wait(self.latency)
        if self._floor is None:
            raise Lost("connection refused")
        self._lines += 1
        at = self.timeline.monotonic()
        line = Line(number=self._lines, opens=DOORS[door], heard=at, said=at)
        return line, self._floor.enter(line, self.timeline.later)

    def leave(self, line: Line) -> None:
        """Forget a connection that the client has closed."""
        if self._floor is not None and line in self._floor.connections:
            self._floor.leave(line)

    def _follow(self, venue: Venue, steps: Steps) -> Reply:
        waited = 0.0
        while True:
            try:
                pause = next(steps)
            except StopIteration as over:
                reply: Reply = over.value
                return reply
            except Killed as killed:
                self._die(str(killed))
                raise Lost("connection reset") from None
            left = min(pause, PATIENCE - waited)
            try:
                self.timeline.wait(left)
            except BaseException:
                # Who asked is dead; the exchange does not know and goes on.
                self.timeline.later(pause, partial(self._finish, venue, steps))
                raise
            waited += left
            if left < pause:
                self.timeline.later(pause - left, partial(self._finish, venue, steps))
                raise TooSlow("nothing came in time")

    def _finish(self, venue: Venue, steps: Steps) -> None:
        """Carry out what nobody waits for any more."""
        if venue is self._venue:
            try:
                for _ in steps:
                    pass
            except Killed as killed:
                self._die(str(killed))

    def _make(
        self, venue: Venue, name: str, query: str, headers: Headers | None, body: bytes
    ) -> bytes:
        if venue is not self._venue:
            raise Lost("connection reset")
        place = self._place(name)
        if place == PLACES[0]:
            raise Killed(place)
        if place == PLACES[1]:
            venue.store.save = _killed  # type: ignore[method-assign, assignment] # until it has answered
        try:
            if headers is None:
                answer = rest.answer_public(venue, name, dict(parse_qsl(query)))
            else:
                answer = rest.answer_private(venue, name, headers, body)
        finally:
            vars(venue.store).pop("save", None)
        self._note_positions()
        if place == PLACES[2]:
            raise Killed(place)
        return answer

    def _place(self, name: str) -> str:
        if self.death is None or self.death.method not in {name, ""}:
            return ""
        self._calls += 1
        return self.death.place if self._calls == self.death.number else ""

    def _die(self, place: str) -> None:
        assert self.death is not None
        seconds, self.death, self._calls = self.death.seconds, None, 0
        self.deaths.append(place)
        self.timeline.tell(f"the exchange dies {place}, for {seconds:.1f} s")
        if self._floor is not None:
            for line in list(self._floor.connections):
                line.abort()
        self.close()
        self.timeline.later(seconds, self._return)

    def _return(self) -> None:
        self.timeline.tell("the exchange is back")
        self.open()

    def _pulse(self) -> None:
        if self._floor is not None:
            for line, _code in self._floor.pulse(self.timeline.monotonic()):
                line.closed = True
            self._note_positions()
        self.timeline.later(PULSE, self._pulse)

    def _checkpoint(self) -> None:
        if self._venue is not None:
            self._venue.checkpoint()
        self.timeline.later(CHECKPOINT, self._checkpoint)

    def _note_positions(self) -> None:
        if self._venue is None:
            return
        for asset, amount in self._venue.exchange.accounts.of("main").items():
            self.most_held[asset] = max(amount, self.most_held.get(asset, amount))


def _killed(*_: object) -> None:
    raise Killed(PLACES[1])
