"""The live process over HTTP: health, metrics, and a halt for who has the token.

A thread of its own answers, so that a loop that hangs is seen from outside: its health is
what it last said of itself and how long ago. The halt is written here, not by the loop.
"""

from __future__ import annotations

import hmac
import json
import sys
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from telemetry.errors import EndpointTaken

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 4096  # bytes of a request's body
PATIENCE = 5.0  # seconds to wait for a client that does not send what it announced
HUNG_AFTER = 10.0  # seconds without a word from the loop


class EndpointSettings(BaseSettings):
    """Where the trader answers over HTTP, from TRADER_HTTP_*; nowhere without a port."""

    model_config = SettingsConfigDict(env_prefix="TRADER_HTTP_", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65_535)
    token: SecretStr | None = Field(default=None, min_length=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the loop last said of itself, and how many seconds ago."""

    age: float
    detail: dict[str, Any]

    @property
    def well(self) -> bool:
        """Whether the loop still turns."""
        return self.age <= HUNG_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the endpoint asks: for health, for the metrics' text, and to halt with a reason.

    A halt that could not be written down is answered with a sentence that says what holds.
    """

    health: Callable[[], Health]
    metrics: Callable[[], bytes]
    halt: Callable[[str], str | None]


class Endpoint:
    """A server on the address of the settings, from construction until `stop`."""

    def __init__(self, settings: EndpointSettings, answers: Answers) -> None:
        """Take the address.

        Raises:
            EndpointTaken: It cannot be used.
        """
        try:
            self._server = _Server(settings, answers)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise EndpointTaken(f"cannot answer HTTP on {where}: {error}") from None
        self._thread = Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def port(self) -> int:
        """Return the port, also if the settings left it to the system."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, settings: EndpointSettings, answers: Answers) -> None:
        super().__init__((settings.host, settings.port or 0), _Requests)
        self.answers, self.token = answers, settings.token

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # who hangs up is not news either
            super().handle_error(request, client_address)


class _Requests(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE

    def do_GET(self) -> None:
        match self.path:
            case "/health":
                health = self.server.answers.health()
                body = {"well": health.well, "age": round(health.age, 3), **health.detail}
                well = HTTPStatus.OK if health.well else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(well, body)
            case "/metrics":
                self._send(
                    HTTPStatus.OK, self.server.answers.metrics(), "text/plain; version=0.0.4"
                )
            case _:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "ask for /health or /metrics"})

    def do_POST(self) -> None:
        if self.path != "/halt":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "post to /halt"})
        elif not self._allowed():
            self._answer(HTTPStatus.FORBIDDEN, {"error": "a halt needs the bearer token"})
        elif (reason := self._reason()) is None:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": 'a halt needs {"reason": "..."}'})
        elif (unwritten := self.server.answers.halt(reason)) is not None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": unwritten})
        else:
            self._answer(HTTPStatus.OK, {"halted": reason})

    def _allowed(self) -> bool:
        token = self.server.token
        if token is None:
            return False
        given = self.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode())

    def _reason(self) -> str | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > LARGEST:
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, TimeoutError, RecursionError):
            return None
        reason = body.get("reason") if isinstance(body, dict) else None
        return reason.strip() or None if isinstance(reason, str) and _can_be_kept(reason) else None

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: who asks for health every second is not news."""


def _can_be_kept(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: no NUL, and nothing that UTF-8 has no bytes for."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
