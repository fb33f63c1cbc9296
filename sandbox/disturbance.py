"""The damage that faults do at the doors: to answers over REST and to websocket messages.

Nothing here waits: who serves is told for how long to wait, and does it on its own clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.bodies import read_form
from sandbox.errors import Refused
from sandbox.forms import whole
from sandbox.keys import LARGEST_NONCE
from sandbox.kinds import MESSAGES, PRIVATE, REST
from sandbox.rest import refusal
from sandbox.wire import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sandbox.connection import Connection
    from sandbox.faults import Fault
    from sandbox.requests import Dialogue
    from sandbox.venue import Venue

    Signed = tuple[dict[str, str], bytes]
    Later = Callable[[float, Callable[[], None]], object]

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
BEAT = b'{"channel":"heartbeat"}'
# What a message holds that a fault of a kind can strike.
NEEDS = {
    "wrong_checksum": b'"checksum"',
    "sequence_gap": b'"sequence"',
    "repeated": b'"exec_type":"trade"',
    "trade_id_gap": b'{"channel":"trade","type":"update"',
    "delay": b'"method"',
    "drop_after": b'"method"',
}
_ASKED = re.compile(r'"method"\s*:\s*"([a-z_]+)"')
_STAMP = re.compile(rb"(?<=\")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?=[\d.]*Z\")")
_CHANNEL = re.compile(rb'^\{"channel":"([a-z]+)"')
_METHOD = re.compile(rb'"method":"([a-z_]+)"')
_SYMBOL = re.compile(rb'"symbol":"([A-Z/]+)"')
_SEQUENCE = re.compile(rb'"sequence":(\d+)')
_CHECKSUM = re.compile(rb'"checksum":(\d+)')


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a request gets: 200 and JSON, as Kraken does whatever the JSON says, or damage.

    Where nothing is `given` the connection is cut instead, and where `short` after half of it.
    """

    body: bytes = b""
    status: int = 200
    kind: str = JSON
    given: bool = True
    short: bool = False


def reply_in_time(
    venue: Venue, name: str, make: Callable[[], bytes], signed: Signed | None = None
) -> Generator[float, None, Reply]:
    """Answer a request over REST, unless a fault has something else in mind.

    Args:
        venue: The exchange.
        name: The method that is called.
        make: Carries the request out and gives its answer.
        signed: Headers and body of a private request.

    Yields:
        Seconds to wait before going on.
    """
    kinds = REST if signed is None else PRIVATE
    fault = venue.faults.take(kinds, venue.clock.now(), method=name)
    if fault is None:
        return Reply(body=make())
    venue.keep_faults()
    if fault.kind in {"delay_before", "nonce_race"}:
        yield fault.seconds
        if fault.kind == "nonce_race" and signed is not None:
            overtake(venue, *signed)
        return Reply(body=make())
    if fault.kind == "drop_before" or (fault.kind in {"status", "error"} and not fault.after):
        return _damaged(fault, b"")
    body = make()
    if fault.kind == "delay":
        yield fault.seconds
    return _damaged(fault, body)


def overtake(venue: Venue, headers: dict[str, str], body: bytes) -> None:
    """Let another call of the same key come first; if none came, as if one had."""
    key = venue.keys.get(headers.get("api-key", ""))
    try:
        nonce = whole(read_form(body).get("nonce", ""), "nonce")
    except Refused:
        return
    if key is not None and key.nonce < nonce < LARGEST_NONCE:
        key.nonce = nonce + 1
        venue.touched[key.name] = key


def _damaged(fault: Fault, body: bytes) -> Reply:
    match fault.kind:
        case "status":
            page = f"<html><body>{fault.status}</body></html>"
            return Reply(body=page.encode(), status=fault.status, kind=HTML)
        case "error":
            return Reply(body=refusal(fault.text))
        case "truncated":
            return Reply(body=body[: len(body) // 2])
        case "delay" | "short":
            return Reply(body=body, short=fault.kind == "short")
        case "drop_before" | "drop_after":
            return Reply(given=False)
    return Reply()


class Inlet:
    """Everything a connection says passes here on its way to what answers it."""

    def __init__(
        self, venue: Venue, connection: Connection, dialogue: Dialogue, later: Later
    ) -> None:
        self._venue = venue
        self._connection = connection
        self._dialogue = dialogue
        self._later = later

    def hear(self, text: str) -> None:
        """Hear one message, now or when a fault lets it through."""
        if self._venue.recording is not None:
            self._venue.recording.heard(self._connection, text)
        if self._venue.faults.waiting and (found := _ASKED.search(text)):
            now = self._venue.clock.now()
            fault = self._venue.faults.take({"delay_before"}, now, method=found[1])
            if fault is not None:
                self._later(fault.seconds, lambda: self._dialogue.hear(text))
                return
        self._dialogue.hear(text)


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
        message = self._skewed(message)
        fault = self._strike(message)
        kept, self._kept = self._kept, []
        if fault is None:
            return [message, *kept]
        return [*self._disturb(connection, fault, message), *kept]

    def _skewed(self, message: bytes) -> bytes:
        skew = self._venue.skew(self._venue.clock.now())
        if not skew:
            return message
        wrong = timedelta(seconds=round(skew / SECOND_NS))
        return _STAMP.sub(lambda found: _shifted(found[1], wrong), message)

    def _strike(self, message: bytes) -> Fault | None:
        now = self._venue.clock.now()
        if message == BEAT:
            return self._venue.faults.take({"silence"}, now, channel="heartbeat")
        kinds = MESSAGES - {kind for kind, part in NEEDS.items() if part not in message}
        channel, method, symbol = (
            found[1].decode() if (found := part.search(message)) else ""
            for part in (_CHANNEL, _METHOD, _SYMBOL)
        )
        return self._venue.faults.take(kinds, now, method=method, channel=channel, symbol=symbol)

    def _disturb(self, connection: Connection, fault: Fault, message: bytes) -> list[bytes]:
        match fault.kind:
            case "duplicate":
                return [message, message]
            case "reordered":
                self._kept.append(message)
            case "late" | "delay":
                self._later(fault.seconds, lambda: connection.queue(message))
            case "wrong_checksum":
                return [_CHECKSUM.sub(_next, message)]
            case "sequence_gap" | "repeated":
                for name in connection.sequences:
                    if f'"channel":"{name}"'.encode() in message:
                        connection.next_sequence(name)
                numbered = _SEQUENCE.sub(_next, message)
                return [message, numbered] if fault.kind == "repeated" else [numbered]
        return []


def _shifted(moment: bytes, wrong: timedelta) -> bytes:
    shifted = datetime.fromisoformat(moment.decode()).replace(tzinfo=UTC) + wrong
    return f"{shifted:%Y-%m-%dT%H:%M:%S}".encode()


def _next(found: re.Match[bytes]) -> bytes:
    name, _, number = found[0].partition(b":")
    return name + b":" + str((int(number) + 1) % 2**32).encode()
