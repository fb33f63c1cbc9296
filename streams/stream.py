"""The exchange's streams: what moves text between a socket and a feed.

One thread a connection moves text between the socket and a feed, puts what the feed
makes of it on a queue, and connects anew, with pauses, when either breaks. Every rule
about messages is in the feed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from websocket import WebSocketException, WebSocketTimeoutException

from market.errors import MarketError
from market.world import REAL, World
from streams.errors import FeedBroken, StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from queue import Queue

    from market.world import Socket

PAUSES = (0.0, 0.0, 1.0, 2.0, 5.0)  # seconds; five keeps within 150 connections in ten minutes
PROVEN = 60.0  # seconds a connection must last for the next attempt to be instant again
WAIT = 0.5  # seconds for a message before the feed looks at the clock
CONNECT_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A connection stands; its feed has nothing to say yet."""

    stream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A connection is gone; another is being tried."""

    stream: str
    reason: str


class ProtocolFeed(Protocol):
    """A protocol without the network: Feed and ExecutionFeed."""

    def receive(self, text: str | bytes, at: float) -> Sequence[object]:
        """Take one message and return the events it holds; raises FeedBroken."""

    def tick(self, now: float) -> None:
        """Look at the clock; raises FeedBroken."""

    def to_send(self) -> list[str]:
        """Hand over the text waiting to be sent."""


class Stream:
    """One connection that is kept up until stopped.

    The queue receives Connected, the feed's events in order, and Disconnected. A full
    queue makes the stream wait, never lose.

    Args:
        name: What Connected and Disconnected call it.
        url: Where the exchange listens.
        make_feed: Called for every connection with the time it stood, in seconds of
            a clock that never goes back; may raise MarketError, which counts as a
            failed attempt.
        queue: Where events go.
    """

    def __init__(
        self,
        name: str,
        url: str,
        make_feed: Callable[[float], ProtocolFeed],
        queue: Queue[object],
        *,
        world: World = REAL,
    ) -> None:
        self._name = name
        self._url = url
        self._make_feed = make_feed
        self._queue = queue
        self._world = world
        self._line: tuple[Socket, ProtocolFeed] | None = None
        self._began = 0.0
        self._failures = 0
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=f"stream-{name}", daemon=True)

    def start(self) -> None:
        """Begin to connect, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Close the connection and wait until the thread has ended."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=WAIT + CONNECT_TIMEOUT)
        self._hang_up()

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._line is not None

    def turn(self) -> float:
        """Connect, or move messages once; return the seconds to pause before the next turn."""
        try:
            if self._line is None:
                self._began = self._world.monotonic()
                self._line = self._connect()
                self._queue.put(Connected(stream=self._name))
            else:
                self._exchange(*self._line)
        except (MarketError, StreamError, WebSocketException, OSError, ValueError) as error:
            self._hang_up()
            reason = f"{type(error).__name__}: {error}"
            self._queue.put(Disconnected(stream=self._name, reason=reason))
            lasted = self._world.monotonic() - self._began
            self._failures = 0 if lasted > PROVEN else self._failures + 1
            return PAUSES[min(self._failures, len(PAUSES) - 1)]
        return 0.0

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self.turn()

    def _connect(self) -> tuple[Socket, ProtocolFeed]:
        socket = self._world.connect(self._url, CONNECT_TIMEOUT)
        try:
            feed = self._make_feed(self._world.monotonic())
        except (MarketError, StreamError):
            socket.close()
            raise
        socket.settimeout(WAIT)
        return socket, feed

    def _exchange(self, socket: Socket, feed: ProtocolFeed) -> None:
        for text in feed.to_send():
            socket.send(text)
        try:
            received = socket.recv()
        except WebSocketTimeoutException:
            received = None
        if received == "":
            raise FeedBroken("the exchange closed the connection")
        now = self._world.monotonic()
        if received is not None:
            for event in feed.receive(received, now):
                self._queue.put(event)
        feed.tick(now)

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with suppress(WebSocketException, OSError):
                line[0].close()
