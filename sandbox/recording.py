"""A log of every call, every message and everything that came of them, one JSON object a line.

Keys, signatures, nonces and tokens are left out, so the log may be shown to anybody. With a
simulated clock the same seed and the same calls give the same bytes. Connections are numbered
in the order in which they came. The log is a market for `--market replay:`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.disturbance import BEAT
from sandbox.errors import BadStart
from sandbox.notices import entry_body, execution_body
from sandbox.orders import Event, Posted, Reported
from sandbox.wire import encode, raw, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.clock import Clock
    from sandbox.connection import Connection

SECRET = frozenset({"nonce", "otp", "token"})
SECRET_ANSWERS = frozenset({"GetWebSocketsToken", "GetApiKeyInfo"})
UNREADABLE = "not recorded, for it cannot be read and may hold a token"
GREETING = b'{"channel":"status"'
BUFFER = 1 << 20


class Recording:
    """A file that grows by a line for every call, message and event.

    Lines are gathered in memory until `flush`, which the exchange calls many times a second.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._numbers: dict[Connection, int] = {}
        self._opened = 0
        try:
            self._file = Path(path).open("ab", buffering=BUFFER)  # noqa: SIM115 - open as long as the exchange
        except OSError as error:
            msg = f"the recording {path} cannot be written: {error.strerror or error}"
            raise BadStart(msg, 2) from error

    def call(
        self, now: int, name: str, account: str | None, form: Mapping[str, Any], answer: bytes
    ) -> None:
        """Note a request and its answer; `account` is nobody's for public data."""
        shown = raw(json.dumps(_open(form), default=str))  # whatever a client sent, in plain ASCII
        body = raw('"not recorded"') if name in SECRET_ANSWERS else raw(answer.decode())
        self._write(
            {"time": stamp(now), "call": name, "account": account, "form": shown, "answer": body}
        )

    def events(self, events: list[Event]) -> None:
        """Note what happened to orders and balances."""
        for event in events:
            match event:
                case Reported():
                    about = {"account": event.order.account, "execution": execution_body(event)}
                    self._write({"time": stamp(event.time), **about})
                case Posted(entry):
                    change = {"account": entry.account, "balance": entry_body(entry)}
                    self._write({"time": stamp(entry.time), **change})

    def opened(self, connection: Connection) -> None:
        """Note a new connection, and from now on everything that is sent to it."""
        self._opened += 1
        number = self._numbers[connection] = self._opened
        self._about(number, b"opened", encode(sorted(connection.opens)))
        name = str(connection.number).encode()

        def sent(message: bytes) -> None:
            if message == BEAT and self._clock.simulated:
                return  # it is the wall's clock that beats
            if message.startswith(GREETING):
                message = message.replace(name, str(number).encode())
            self._about(number, b"sent", message)

        connection.tap = sent

    def heard(self, connection: Connection, text: str) -> None:
        """Note what a connection said."""
        self._about(self._numbers[connection], b"heard", _readable(text))

    def closed(self, connection: Connection) -> None:
        """Note the end of a connection."""
        self._about(self._numbers.pop(connection), b"closed", b"true")

    def flush(self) -> None:
        """Hand over to the system what was gathered."""
        self._file.flush()

    def close(self) -> None:
        """Write the rest and close the file."""
        self._file.close()

    def _about(self, number: int, what: bytes, body: bytes) -> None:
        time = stamp(self._clock.now()).encode()
        self._file.write(b'{"time":"%b","connection":%d,"%b":%b}\n' % (time, number, what, body))

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(encode(line) + b"\n")


def _open(value: Any) -> Any:
    """Leave out what is secret, however deep it lies."""
    match value:
        case dict():
            kept = {str(k): v for k, v in value.items() if str(k).lower() not in SECRET}
            return {key: _open(inner) for key, inner in kept.items()}
        case list():
            return [_open(inner) for inner in value]
        case _:
            return value


def _readable(text: str) -> bytes:
    try:
        said = json.loads(text, parse_float=raw_number, parse_int=raw_number)
        return encode(_open(said) if isinstance(said, dict | list) else UNREADABLE)
    except (ValueError, RecursionError, TypeError):
        return encode(UNREADABLE)


def raw_number(text: str) -> Any:
    """Keep a number as it was spelled."""
    return raw(text)
