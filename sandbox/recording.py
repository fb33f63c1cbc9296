"""A log of every call and of everything that came of it, one JSON object a line.

Keys, signatures, nonces and tokens are left out, so the log may be shown to anybody. With a
simulated clock the same seed and the same calls give the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.errors import BadStart
from sandbox.notices import entry_body, execution_body
from sandbox.orders import Event, Posted, Reported
from sandbox.wire import encode, raw, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = frozenset({"nonce", "otp", "token"})
SECRET_ANSWERS = frozenset({"GetWebSocketsToken", "GetApiKeyInfo"})


class Recording:
    """A file that grows by a line for every call and every event."""

    def __init__(self, path: str) -> None:
        try:
            self._file = Path(path).open("ab")  # noqa: SIM115 - open as long as the exchange
        except OSError as error:
            msg = f"the recording {path} cannot be written: {error.strerror or error}"
            raise BadStart(msg, 2) from error

    def call(
        self, now: int, name: str, account: str | None, form: Mapping[str, Any], answer: bytes
    ) -> None:
        """Note a request and its answer; `account` is nobody's for public data."""
        kept = {key: value for key, value in form.items() if key not in SECRET}
        shown = raw(json.dumps(kept, default=str))  # whatever a client sent, in plain ASCII
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

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(encode(line) + b"\n")
        self._file.flush()
