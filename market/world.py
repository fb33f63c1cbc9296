"""What the trader touches of the world besides its database: time, waiting, connections.

The real things are the defaults. A simulation hands in others, and the trader is the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from queue import Queue
from typing import TYPE_CHECKING, Protocol, TypeVar

import requests
from websocket import create_connection

if TYPE_CHECKING:
    from collections.abc import Callable


Found = TypeVar("Found")


class Socket(Protocol):
    """A websocket, as far as a stream needs one."""

    def send(self, text: str, /) -> object:
        """Send a message."""

    def recv(self) -> str | bytes:
        """Return the next message, or an empty one once the other side has closed.

        Raises:
            WebSocketTimeoutException: None came within the timeout.
            WebSocketException: The connection is gone.
        """

    def settimeout(self, seconds: float, /) -> None:
        """Set how long `recv` waits."""

    def close(self) -> None:
        """Close the connection."""


def http_session() -> requests.Session:
    """Return a session that looks at no proxy settings of the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


def open_socket(url: str, timeout: float) -> Socket:
    """Connect a websocket within so many seconds.

    That a message is UTF-8 is checked once, when it becomes a string (`recv` raises ValueError):
    checking every byte before in Python as well would more than halve what a feed can take.
    """
    socket: Socket = create_connection(url, timeout=timeout, skip_utf8_validation=True)
    return socket


def wall_milliseconds() -> int:
    """Return this machine's time in milliseconds since 1970; nonces are made of it."""
    return time.time_ns() // 1_000_000


def as_found(found: Found) -> Found:
    """Return what was found."""
    return found


class Witness(Protocol):
    """What passes on something a thread learns otherwise than by a connection or its clock."""

    def __call__(self, found: Found, /) -> Found:
        """Return what was found, or in a replay what was found then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Time, waiting, the two kinds of connection, and what passes between threads.

    `monotonic` gives seconds of a clock that never goes back, `sleep` waits for so many,
    `queue` makes the queue of the loop's events.
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    milliseconds: Callable[[], int] = wall_milliseconds
    http: Callable[[], requests.Session] = http_session
    connect: Callable[[str, float], Socket] = open_socket
    queue: Callable[[int], Queue[object]] = Queue
    witness: Witness = as_found


REAL = World()
