"""The doors of the exchange on one port: REST, websocket, health and administration."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from sandbox import admin, rest
from sandbox.candles import INTERVALS, WIDE, warm
from sandbox.connection import Connection
from sandbox.disturbance import Outlet, respond
from sandbox.errors import BadStart
from sandbox.feeds import Feeds
from sandbox.instruments import find_pair
from sandbox.requests import Dialogue
from sandbox.wire import encode

if TYPE_CHECKING:
    from sandbox.venue import Venue

BEAT_SECONDS = 1.0
TICK_SECONDS = 0.02
IDLE_SECONDS = 60.0
WIDE_INTERVALS = tuple(str(interval) for interval in INTERVALS if interval >= WIDE)
LARGEST_BODY = 1 << 20
DOORS = {
    "/v2": frozenset({"public", "private"}),
    "/public/v2": frozenset({"public"}),
    "/auth/v2": frozenset({"private"}),
}


class Server:
    """Serves one venue until it is told to stop."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._feeds = Feeds(venue)
        self._announced = venue.mode
        self.connections: set[Connection] = set()
        self.stopping = asyncio.Event()

    def application(self) -> web.Application:
        """Build the routes."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/0/public/{name}", self._public)
        app.router.add_route("*", "/0/private/{name}", self._private)
        for path in DOORS:
            app.router.add_get(path, self._websocket)
        admin.add_routes(app, self._venue, self.connections)
        return app

    async def _public(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if request.method == "POST":
            query |= {name: str(value) for name, value in (await request.post()).items()}
        if request.match_info["name"] == "OHLC":
            await self._prepare_candles(query)
        name = request.match_info["name"]
        return await respond(
            self._venue, request, name, lambda: rest.answer_public(self._venue, name, query)
        )

    async def _prepare_candles(self, query: dict[str, str]) -> None:
        """Make years of history in a thread, so that nobody else waits for it."""
        found, interval = find_pair(query.get("pair", "")), query.get("interval", "1")
        if found is None or interval not in WIDE_INTERVALS:
            return
        tape = self._venue.exchange.tapes[found[1].symbol]
        await asyncio.to_thread(warm, tape, int(interval), self._venue.clock.now())

    async def _private(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        name = request.match_info["name"]
        return await respond(
            self._venue,
            request,
            name,
            lambda: rest.answer_private(self._venue, name, headers, body),
        )

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False, max_msg_size=LARGEST_BODY, timeout=0.2)
        await ws.prepare(request)
        connection = Connection(ws, secrets.randbits(63), DOORS[request.path])
        connection.outlet = Outlet(self._venue)
        self.connections.add(connection)
        writer = asyncio.create_task(connection.write())
        connection.send(status_message(self._venue.mode, connection.number))
        dialogue = Dialogue(self._venue, self._feeds, connection)
        try:
            async for message in ws:
                connection.heard = time.monotonic()
                if message.type == WSMsgType.TEXT:
                    dialogue.hear(message.data)
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer
            self._feeds.drop(connection)
            self.connections.discard(connection)
        return ws

    def announce(self) -> None:
        """Tell every connection the exchange's mode if it has changed."""
        if self._venue.mode == self._announced:
            return
        self._announced = self._venue.mode
        for connection in self.connections:
            connection.send(status_message(self._venue.mode, connection.number))

    async def tick(self) -> None:
        """Let time pass: publish the market, beat, and close what has gone quiet."""
        beaten = checkpointed = time.monotonic()
        while not self.stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), TICK_SECONDS)
            now = self._venue.sync()
            self._venue.commit(now)
            self.announce()
            at = time.monotonic()
            if at - beaten >= BEAT_SECONDS:
                beaten = at
                await self._beat(at)
            if at - checkpointed >= 5 * BEAT_SECONDS:
                checkpointed = at
                self._venue.checkpoint()

    async def _beat(self, at: float) -> None:
        for connection in list(self.connections):
            if connection.topics:
                if at - connection.said >= BEAT_SECONDS:
                    connection.send(b'{"channel":"heartbeat"}')
            elif at - connection.heard > IDLE_SECONDS:
                await connection.socket.close(code=1000)


def status_message(mode: str, number: int) -> bytes:
    """Write the message that greets a connection and tells of a change of mode."""
    body = {
        "version": "2.0.10",
        "system": "online" if mode == "limit_only" else mode,
        "api_version": "v2",
        "connection_id": number,
        "upcoming_maintenance": [],
        "emergency": [],
    }
    return encode({"channel": "status", "type": "update", "data": [body]})


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


async def serve(venue: Venue, door: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then stop within a second."""
    server = Server(venue)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.SockSite(runner, door).start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    await server.tick()
    closing = [connection.socket.close(code=1001) for connection in server.connections]
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*closing, return_exceptions=True), 0.3)
    await runner.cleanup()
    venue.checkpoint()
    venue.store.close()
