"""The damage that faults do at the doors: to answers over REST and to websocket messages.

Nothing here waits: who serves is told for how long to wait, and does it on its own clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.kinds import MESSAGES, REST
from sandbox.rest import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sandbox.connection import Connection
    from sandbox.faults import Fault
    from sandbox.venue import Venue

    Later = Callable[[float, Callable[[], None]], object]

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
BEAT = b'{"channel":"heartbeat"}'
_CHANNEL = re.compile(rb'^\{"channel":"([a-z]+)"')
_METHOD = re.compile(rb'"method":"([a-z_]+)"')
_SYMBOL = re.compile(rb'"symbol":"([A-Z/]+)"')
_SEQUENCE = re.compile(rb'"sequence":(\d+)')
_CHECKSUM = re.compile(rb'"checksum":(\d+)')


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a request gets: 200 and JSON, as Kraken does whatever the JSON says, or damage.

    Where nothing is `given` the connection is cut instead.
    """

    body: bytes = b""
    status: int = 200
    kind: str = JSON
    given: bool = True


def reply_in_time(
    venue: Venue, name: str, make: Callable[[], bytes]
) -> Generator[float, None, Reply]:
    """Answer a request over REST, unless a fault has something else in mind.

    Yields:
        Seconds to wait before going on.
    """
    fault = venue.faults.take(REST, venue.clock.now(), method=name)
    if fault is None:
        return Reply(body=make())
    if fault.kind == "delay_before":
        yield fault.seconds
        return Reply(body=make())
    if fault.kind == "drop_before" or (fault.kind in {"status", "error"} and not fault.after):
        return _damaged(fault, b"")
    body = make()
    if fault.kind == "delay":
        yield fault.seconds
    return _damaged(fault, body)


def _damaged(fault: Fault, body: bytes) -> Reply:
    match fault.kind:
        case "status":
            page = f"<html><body>{fault.status}</body></html>"
            return Reply(body=page.encode(), status=fault.status, kind=HTML)
        case "error":
            return Reply(body=refusal(fault.text))
        case "truncated":
            return Reply(body=body[: len(body) // 2])
        case "delay":
            return Reply(body=body)
        case "drop_before" | "drop_after":
            return Reply(given=False)
    return Reply()


class Outlet:
    """Everything a connection sends passes here, one outlet a connection.

    `later` calls a function when so many seconds have passed.
    """

    def __init__(self, venue: Venue, later: Later) -> None:
        self._venue = venue
        self._later = later
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
        now = self._venue.clock.now()
        return self._venue.faults.take(kinds, now, method=method, channel=channel, symbol=symbol)

    def _disturb(self, connection: Connection, fault: Fault, message: bytes) -> list[bytes]:
        match fault.kind:
            case "duplicate":
                return [message, message]
            case "reordered":
                self._kept.append(message)
            case "late":
                self._later(fault.seconds, lambda: connection.queue(message))
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
