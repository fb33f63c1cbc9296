"""One websocket connection: what it subscribed to, and messages on their way out."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_QUEUE = 100_000
MOST_FRAMES = 512
SHORT_FRAME = 125


@dataclass(frozen=True)
class Topic:
    """What a subscription is for. `detail` is the depth, the interval or the trigger."""

    channel: str
    symbol: str = ""
    detail: str = ""


@dataclass(eq=False, kw_only=True)
class Connection:
    """A client's connection. Messages are queued and leave in order.

    `opens` says which channels the door it came through serves: public, private or both.
    """

    number: int
    opens: frozenset[str]
    topics: set[Topic] = field(default_factory=set)
    accounts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    plain_statuses: bool = True
    tells_rate: bool = False
    heard: float = 0.0
    said: float = field(default_factory=time.monotonic)
    outlet: Callable[[Connection, bytes], list[bytes]] | None = None
    tap: Callable[[bytes], None] | None = None
    waiting: deque[bytes] = field(default_factory=deque)
    address: str = ""
    door: str = ""
    since: float = field(default_factory=time.monotonic)
    sent: int = 0

    def send(self, message: bytes) -> None:
        """Send a message, by way of the outlet if there is one."""
        for each in (message,) if self.outlet is None else self.outlet(self, message):
            self.queue(each)

    def queue(self, message: bytes) -> None:
        """Queue a message; a client that does not read is cut off."""
        if self.tap is not None:
            self.tap(message)
        self.waiting.append(message)
        self.sent += 1
        if len(self.waiting) > LONGEST_QUEUE:
            self.abort()

    def next_sequence(self, channel: str) -> int:
        """Number the messages of a private channel on this connection."""
        self.sequences[channel] = self.sequences.get(channel, 0) + 1
        return self.sequences[channel]

    def abort(self) -> None:
        """Cut the connection without a word."""
        self.waiting.clear()


@dataclass(eq=False, kw_only=True)
class SocketConnection(Connection):
    """A connection whose messages leave through a socket."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def queue(self, message: bytes) -> None:
        """Queue a message and wake the writer."""
        super().queue(message)
        self._wake.set()

    def abort(self) -> None:
        """Cut the connection without a word."""
        super().abort()
        transport = self.socket.get_extra_info("transport")
        request = getattr(self.socket, "_req", None)
        transport = transport or (request.transport if request is not None else None)
        if transport is not None:
            transport.abort()

    async def write(self) -> None:
        """Send what is queued until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.waiting:
                await self._write_some()
            self.said = time.monotonic()

    async def _write_some(self) -> None:
        """Write many frames in one go; only the last one waits for a client that is slow."""
        frames: list[bytes] = []
        while self.transport is not None and len(self.waiting) > 1 and len(frames) < MOST_FRAMES:
            frames.append(frame(self.waiting.popleft()))
        if self.transport is not None and frames and not self.socket.closed:
            self.transport.write(b"".join(frames))
        await self.socket.send_frame(self.waiting.popleft(), WSMsgType.TEXT)


def frame(message: bytes) -> bytes:
    """Wrap a text as a server does: final, not masked.

    Source: RFC 6455, section 5.2.
    """
    size = len(message)
    if size <= SHORT_FRAME:
        return bytes((0x81, size)) + message
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + message
    return struct.pack("!BBQ", 0x81, 127, size) + message
