"""What is behind every path of the port: REST, websocket, health and administration."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from sandbox import admin, rest
from sandbox.bodies import read_form
from sandbox.candles import INTERVALS, WIDE, warm
from sandbox.connection import SocketConnection
from sandbox.disturbance import JSON, reply_in_time
from sandbox.errors import Refused
from sandbox.gate import BAN_NS
from sandbox.instruments import find_pair
from sandbox.limits import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.disturbance import Signed
    from sandbox.floor import Floor
    from sandbox.venue import Venue

    Act = Callable[[web.Request], Awaitable[web.StreamResponse]]

WIDE_INTERVALS = tuple(str(interval) for interval in INTERVALS if interval >= WIDE)
LARGEST_BODY = 1 << 20
READS = ("GET", "HEAD", "POST")
DOORS = {
    "/v2": frozenset({"public", "private"}),
    "/public/v2": frozenset({"public"}),
    "/auth/v2": frozenset({"private"}),
}


class Doors:
    """Opens to everybody who calls at one port."""

    def __init__(
        self, venue: Venue, floor: Floor[SocketConnection], certificate: bytes = b""
    ) -> None:
        self._venue = venue
        self._floor = floor
        self._certificate = certificate

    def application(self) -> web.Application:
        """Build the routes."""
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_readable])
        app.router.add_route("*", "/0/public/{name:.+}", self._public)
        app.router.add_route("*", "/0/private/{name:.+}", self._private)
        app.router.add_route("*", "/0/{elsewhere:.*}", self._elsewhere)
        for path in DOORS:
            app.router.add_get(path, self._websocket)
        app.router.add_get("/admin/certificate", self._trust)
        admin.add_routes(app, self._venue, self._floor.connections)
        return app

    async def _public(self, request: web.Request) -> web.StreamResponse:
        if request.method not in READS:
            return _refuse(rest.WRONG)
        query = asked(dict(request.query), await request.read())
        name, address = request.match_info["name"], request.remote or ""
        if name == "OHLC":
            await self._prepare_candles(query)
        return await self._respond(
            request, name, lambda: rest.answer_public(self._venue, name, query, address)
        )

    async def _prepare_candles(self, query: dict[str, str]) -> None:
        """Make or ask for years of history, while nobody else waits for it."""
        found, interval = find_pair(query.get("pair", "")), query.get("interval", "1")
        if found is None or interval not in WIDE_INTERVALS:
            return
        if self._venue.mirror is not None:
            await self._venue.mirror.prepare(found[1], int(interval))
            return
        tape = self._venue.exchange.tapes[found[1].symbol]
        await asyncio.to_thread(warm, tape, int(interval), self._venue.clock.now())

    async def _private(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return _refuse(rest.WRONG)
        headers = {name.lower(): value for name, value in request.headers.items()}
        key, gate = headers.get("api-key", ""), self._venue.gate
        try:
            gate.enter(key, self._venue.clock.now())
        except Refused as refused:
            return _refuse(refused.text)
        try:
            return await self._answer_private(request, headers)
        finally:
            gate.leave(key)

    async def _answer_private(
        self, request: web.Request, headers: dict[str, str]
    ) -> web.StreamResponse:
        body = await request.read()
        name, address = request.match_info["name"], request.remote or ""
        return await self._respond(
            request,
            name,
            lambda: rest.answer_private(self._venue, name, headers, body, address),
            (headers, body),
        )

    async def _elsewhere(self, _request: web.Request) -> web.Response:
        return _refuse(rest.UNKNOWN)

    async def _trust(self, _request: web.Request) -> web.Response:
        """Give the certificate to whoever wants to trust the encrypted port."""
        if not self._certificate:
            raise web.HTTPNotFound(text="there is no encrypted port; ask for one by --tls-port\n")
        kind = {"Content-Type": "application/x-pem-file"}
        return web.Response(body=self._certificate, headers=kind)

    async def _respond(
        self,
        request: web.Request,
        name: str,
        make: Callable[[], bytes],
        signed: Signed | None = None,
    ) -> web.StreamResponse:
        steps = reply_in_time(self._venue, name, make, signed)
        while True:
            try:
                await asyncio.sleep(next(steps))
            except StopIteration as over:
                reply = over.value
                break
        if not reply.given and request.transport is not None:
            request.transport.abort()
        if reply.short:
            return await _break_off(request, reply.body)
        return web.Response(
            body=reply.body, status=reply.status, headers={"Content-Type": reply.kind}
        )

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if not self._venue.gate.connect(request.remote or "", self._venue.clock.now()):
            wait = {"Retry-After": str(BAN_NS // SECOND_NS)}
            return web.Response(status=429, text="error code: 1015", headers=wait)
        ws = web.WebSocketResponse(
            compress=False, max_msg_size=LARGEST_BODY, timeout=0.2, writer_limit=0
        )
        await ws.prepare(request)
        connection = SocketConnection(
            socket=ws,
            transport=request.transport,
            number=secrets.randbits(63),
            opens=DOORS[request.path],
            address=request.remote or "",
            door=request.path,
        )
        loop = asyncio.get_running_loop()
        dialogue = self._floor.enter(connection, loop.call_later)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in ws:
                if message.type == WSMsgType.TEXT:
                    dialogue.hear(message.data)
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer
            self._floor.leave(connection)
        return ws


async def _break_off(request: web.Request, body: bytes) -> web.StreamResponse:
    """Send half of an answer whose length was promised, and hang up."""
    answer = web.StreamResponse(headers={"Content-Type": JSON})
    answer.content_length = len(body)
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return answer


def asked(query: dict[str, str], body: bytes) -> dict[str, str]:
    """Join what a public request asks in its address and in its body.

    Kraken reads the body whatever its type is said to be, and some clients say none. What cannot
    be read asks nothing.
    """
    with suppress(Refused):
        return query | {name: str(value) for name, value in read_form(body).items()}
    return query


@web.middleware
async def _readable(request: web.Request, handler: Act) -> web.StreamResponse:
    """Refuse a body that is not what its headers say, such as gzip that is none."""
    try:
        return await handler(request)
    except web.RequestPayloadError:
        return _refuse(rest.WRONG)


def _refuse(text: str) -> web.Response:
    return web.Response(body=rest.refusal(text), headers={"Content-Type": JSON})
