"""The trader's connections to the simulated exchange: HTTP for ccxt, websockets for streams."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from websocket import WebSocketConnectionClosedException, WebSocketTimeoutException

from market.world import World
from ops.campaign.venue import Line, Lost, SimulatedExchange, TooSlow

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.campaign.points import Points
    from ops.campaign.timeline import Timeline
    from sandbox.disturbance import Inlet, Reply

ADDRESS = "http://sandbox"
SOCKETS = "ws://sandbox"


class Door(BaseAdapter):
    """Hands requests to the simulated exchange in place of a socket."""

    def __init__(self, exchange: SimulatedExchange, points: Points) -> None:
        super().__init__()
        self._exchange, self._points = exchange, points
        self.asking = 0

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Ask the exchange, and raise what a socket would if no answer comes."""
        parts = urlsplit(str(request.url))
        private, name = "/private/" in parts.path, parts.path.rsplit("/", 1)[-1]
        headers = {key.lower(): str(value) for key, value in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        self._points.reach(f"before {name} is sent")
        self.asking += 1
        try:
            reply = self._exchange.ask(
                name,
                parts.query,
                headers if private else None,
                body,
            )
        except Lost as lost:
            raise requests.ConnectionError(str(lost), request=request) from None
        except TooSlow as slow:
            raise requests.ReadTimeout(str(slow), request=request) from None
        finally:
            self.asking -= 1
            self._points.reach(f"after {name} is sent")
        return _response(request, reply)

    def close(self) -> None:
        """There is nothing to close."""


class Wire:
    """A websocket's client side, as `streams.stream` sees one."""

    def __init__(self, exchange: SimulatedExchange, line: Line, inlet: Inlet) -> None:
        self._exchange, self._line, self._inlet = exchange, line, inlet

    def send(self, text: str, /) -> None:
        """Send a message."""
        if self._line.cut or not self._exchange.up:
            raise WebSocketConnectionClosedException("the connection is gone")
        self._line.heard = self._exchange.timeline.monotonic()
        if not self._line.closed:
            self._inlet.hear(text)

    def recv(self) -> str:
        """Return the next message, or an empty one once the exchange has closed."""
        if self._line.waiting:
            self._line.said = self._exchange.timeline.monotonic()
            self._exchange.carried += 1
            return self._line.waiting.popleft().decode()
        if self._line.cut:
            raise WebSocketConnectionClosedException("the connection is gone")
        if self._line.closed:
            return ""
        raise WebSocketTimeoutException("nothing came")

    def settimeout(self, seconds: float, /) -> None:
        """Wait for nothing: time passes elsewhere."""

    def close(self) -> None:
        """Hang up."""
        self._exchange.leave(self._line)


def simulated_world(
    timeline: Timeline, exchange: SimulatedExchange, door: Door, sleep: Callable[[float], None]
) -> World:
    """Give the trader a world that is the simulation."""

    def http() -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount(ADDRESS, door)
        return session

    def connect(url: str, _timeout: float) -> Wire:
        try:
            return Wire(exchange, *exchange.enter(url.rsplit("/", 1)[-1]))
        except Lost as lost:
            raise ConnectionRefusedError(str(lost)) from None

    return World(
        monotonic=timeline.monotonic,
        sleep=sleep,
        milliseconds=timeline.milliseconds,
        http=http,
        connect=connect,
    )


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.reason = "OK" if response.ok else "Error"
    response.headers = CaseInsensitiveDict({"Content-Type": reply.kind})
    response.raw = io.BytesIO(reply.body)
    response.url = str(request.url)
    response.request = request
    return response
