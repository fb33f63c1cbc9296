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
from sandbox.connection import SocketConnection
from sandbox.disturbance import reply_in_time
from sandbox.errors import BadStart, Refused
from sandbox.floor import Floor
from sandbox.instruments import find_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.disturbance import Signed
    from sandbox.venue import Venue

TICK_SECONDS = 0.02
CHECKPOINT_SECONDS = 5.0
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
        self._floor: Floor[SocketConnection] = Floor(venue)
        self.connections = self._floor.connections
        self.stopping = asyncio.Event()

    def application(self) -> web.Application:
        """Build the routes."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/0/public/{name:.+}", self._public)
        app.router.add_route("*", "/0/private/{name:.+}", self._private)
        for path in DOORS:
            app.router.add_get(path, self._websocket)
        admin.add_routes(app, self._venue, self.connections)
        return app

    async def _public(self, request: web.Request) -> web.Response:
        query = asked(dict(request.query), await request.read())
        if request.match_info["name"] == "OHLC":
            await self._prepare_candles(query)
        name = request.match_info["name"]
        return await self._respond(
            request, name, lambda: rest.answer_public(self._venue, name, query)
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
        return await self._respond(
            request,
            name,
            lambda: rest.answer_private(self._venue, name, headers, body),
            (headers, body),
        )

    async def _respond(
        self,
        request: web.Request,
        name: str,
        make: Callable[[], bytes],
        signed: Signed | None = None,
    ) -> web.Response:
        steps = reply_in_time(self._venue, name, make, signed)
        while True:
            try:
                await asyncio.sleep(next(steps))
            except StopIteration as over:
                reply = over.value
                break
        if not reply.given and request.transport is not None:
            request.transport.abort()
        return web.Response(
            body=reply.body, status=reply.status, headers={"Content-Type": reply.kind}
        )

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(
            compress=False, max_msg_size=LARGEST_BODY, timeout=0.2, writer_limit=0
        )
        await ws.prepare(request)
        connection = SocketConnection(
            socket=ws,
            transport=request.transport,
            number=secrets.randbits(63),
            opens=DOORS[request.path],
        )
        loop = asyncio.get_running_loop()
        dialogue = self._floor.enter(connection, loop.call_later)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in ws:
                connection.heard = time.monotonic()
                if message.type == WSMsgType.TEXT:
                    dialogue.hear(message.data)
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer
            self._floor.leave(connection)
        return ws

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


def asked(query: dict[str, str], body: bytes) -> dict[str, str]:
    """Join what a public request asks in its address and in its body.

    Kraken reads the body whatever its type is said to be, and some clients say none. What cannot
    be read asks nothing.
    """
    with suppress(Refused):
        return query | {name: str(value) for name, value in rest.read_form(body).items()}
    return query


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
