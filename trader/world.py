"""What the trader touches of the world besides its database: time, waiting, connections.

The real things are the defaults. A simulation hands in others, and the trader is the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import requests
from websocket import create_connection

if TYPE_CHECKING:
    from collections.abc import Callable


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
    """Connect a websocket within so many seconds."""
    socket: Socket = create_connection(url, timeout=timeout)
    return socket


def wall_milliseconds() -> int:
    """Return this machine's time in milliseconds since 1970; nonces are made of it."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Time, waiting and the two kinds of connection.

    `monotonic` gives seconds of a clock that never goes back, `sleep` waits for so many.
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    milliseconds: Callable[[], int] = wall_milliseconds
    http: Callable[[], requests.Session] = http_session
    connect: Callable[[str, float], Socket] = open_socket


REAL = World()
