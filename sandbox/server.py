"""The exchange in service: its ports, the passing of its time, and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from sandbox.doors import Doors
from sandbox.errors import BadStart
from sandbox.floor import Floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.connection import SocketConnection
    from sandbox.tls import Lock
    from sandbox.venue import Venue

TICK_SECONDS = 0.02
CHECKPOINT_SECONDS = 5.0


class Server:
    """Serves one venue until it is told to stop."""

    def __init__(self, venue: Venue, lock: Lock | None = None) -> None:
        self._venue = venue
        self._floor: Floor[SocketConnection] = Floor(venue)
        self.doors = Doors(venue, self._floor, b"" if lock is None else lock.certificate)
        self.connections = self._floor.connections
        self.stopping = asyncio.Event()

    async def tick(self) -> None:
        """Let time pass until it is time to stop."""
        checkpointed = time.monotonic()
        while not self.stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), TICK_SECONDS)
            at = time.monotonic()
            for connection, code in self._floor.pulse(at):
                await connection.socket.close(code=code)
            if at - checkpointed >= CHECKPOINT_SECONDS:
                checkpointed = at
                self._venue.checkpoint()


def bind(host: str, port: int) -> socket.socket:
    """Take the port, or say in one sentence that it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(1024)
    except OSError as error:
        door.close()
        msg = f"port {port} on {host} cannot be used: {error.strerror or error}"
        raise BadStart(msg, 3) from error
    return door


def _about_us(record: logging.LogRecord) -> bool:
    """Whether a line of the log is about us, not about bytes or callers that broke off."""
    problem = record.exc_info[1] if record.exc_info else None
    theirs = HttpProcessingError | web.RequestPayloadError | ConnectionError
    return not isinstance(problem, theirs)


async def serve(
    venue: Venue,
    door: socket.socket,
    tls_door: socket.socket | None = None,
    lock: Lock | None = None,
    *,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then stop within a second.

    Args:
        venue: The exchange.
        door: The port, bound already.
        tls_door: The encrypted port, if there is one.
        lock: What it is opened with.
        ready: Called once it can be asked, and told to stop.
    """
    server = Server(venue, lock)
    logging.getLogger("aiohttp.server").addFilter(_about_us)
    runner = web.AppRunner(server.doors.application(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.SockSite(runner, door).start()
    if tls_door is not None and lock is not None:
        await web.SockSite(runner, tls_door, ssl_context=lock.context).start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    ready()
    following = None if venue.mirror is None else asyncio.create_task(venue.mirror.run(venue))
    await server.tick()
    if following is not None:
        following.cancel()
    closing = [connection.socket.close(code=1001) for connection in server.connections]
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*closing, return_exceptions=True), 0.3)
    await runner.cleanup()
    venue.checkpoint()
    venue.store.close()
    if venue.recording is not None:
        venue.recording.close()
