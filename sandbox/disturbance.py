"""The damage that faults do at the doors: to answers over REST and to websocket messages."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.faults import MESSAGES, REST, Fault
from sandbox.rest import refusal
from sandbox.wire import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.connection import Connection
    from sandbox.venue import Venue

JSON = "application/json; charset=utf-8"
BEAT = b'{"channel":"heartbeat"}'
_CHANNEL = re.compile(rb'^\{"channel":"([a-z]+)"')
_METHOD = re.compile(rb'"method":"([a-z_]+)"')
_SYMBOL = re.compile(rb'"symbol":"([A-Z/]+)"')
_SEQUENCE = re.compile(rb'"sequence":(\d+)')
_CHECKSUM = re.compile(rb'"checksum":(\d+)')


def answer(body: bytes) -> web.Response:
    """Answer the way Kraken does: 200 and JSON, whatever the JSON says."""
    return web.Response(body=body, headers={"Content-Type": JSON})


async def respond(
    venue: Venue, request: web.Request, name: str, make: Callable[[], bytes]
) -> web.Response:
    """Answer a request over REST, unless a fault has something else in mind."""
    fault = venue.faults.take(REST, stamp(venue.clock.now()), method=name)
    if fault is None:
        return answer(make())
    if fault.kind == "delay_before":
        await asyncio.sleep(fault.seconds)
        return answer(make())
    if fault.kind == "drop_before" or (fault.kind in {"status", "error"} and not fault.after):
        return _damaged(fault, request, b"")
    body = make()
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
    return _damaged(fault, request, body)


def _damaged(fault: Fault, request: web.Request, body: bytes) -> web.Response:
    match fault.kind:
        case "status":
            page = f"<html><body>{fault.status}</body></html>"
            return web.Response(status=fault.status, text=page, content_type="text/html")
        case "error":
            return answer(refusal(fault.text))
        case "truncated":
            return answer(body[: len(body) // 2])
        case "delay":
            return answer(body)
        case "drop_before" | "drop_after":
            if request.transport is not None:
                request.transport.abort()
    return answer(b"")


class Outlet:
    """Everything a connection sends passes here, one outlet a connection."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._kept: list[bytes] = []

    def __call__(self, connection: Connection, message: bytes) -> list[bytes]:
        """Give the messages to send in place of one."""
        if not self._venue.faults.waiting and not self._kept:
            return [message]
        fault = self._strike(message)
        kept, self._kept = self._kept, []
        if fault is None:
            return [message, *kept]
        return [*self._disturb(connection, fault, message), *kept]

    def _strike(self, message: bytes) -> Fault | None:
        beats = message == BEAT
        kinds = {"silence"} if beats else MESSAGES
        if b'"checksum"' not in message:
            kinds = kinds - {"wrong_checksum"}
        if b'"sequence"' not in message:
            kinds = kinds - {"sequence_gap"}
        channel, method, symbol = (
            found[1].decode() if (found := part.search(message)) else ""
            for part in (_CHANNEL, _METHOD, _SYMBOL)
        )
        now = stamp(self._venue.clock.now())
        return self._venue.faults.take(kinds, now, method=method, channel=channel, symbol=symbol)

    def _disturb(self, connection: Connection, fault: Fault, message: bytes) -> list[bytes]:
        match fault.kind:
            case "duplicate":
                return [message, message]
            case "reordered":
                self._kept.append(message)
            case "late":
                loop = asyncio.get_running_loop()
                loop.call_later(fault.seconds, connection.queue, message)
            case "wrong_checksum":
                return [_CHECKSUM.sub(_next, message)]
            case "sequence_gap":
                for name in connection.sequences:
                    if f'"channel":"{name}"'.encode() in message:
                        connection.next_sequence(name)
                return [_SEQUENCE.sub(_next, message)]
        return []


def _next(found: re.Match[bytes]) -> bytes:
    name, _, number = found[0].partition(b":")
    return name + b":" + str((int(number) + 1) % 2**32).encode()
