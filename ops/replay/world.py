"""The world as it was when it was recorded, for the same trader to live in again.

Everything happens in one thread: a stream takes its turns when the loop needs the next of
its events, so the loop's queue has the recorded order.
"""

from __future__ import annotations

import builtins
import queue
import socket
import ssl
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import requests
import websocket
from requests.adapters import BaseAdapter

from market.world import Found, World, http_session
from ops.replay.tape import LOOP, Diverged
from registry import contract
from registry.contract import model_name
from registry.served import ServedModel, read_booster
from serving import events
from serving.events import ModelLoaded
from telemetry.recording import question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from ops.replay.tape import Tape
    from streams.stream import Stream

# Where an error's name is looked for: requests has a ConnectionError of its own.
OF_SOCKETS = (websocket, builtins, socket, ssl)
OF_REQUESTS = (requests.exceptions,)

EVENT = {"kind", "told"}


@dataclass(slots=True)
class Player:
    """The recorded world, and the loop's events in their order."""

    tape: Tape
    folder: Path
    streams: dict[str, Stream] = field(default_factory=dict)
    thread: str = field(default=LOOP, init=False)
    _made: dict[str, deque[object]] = field(default_factory=dict, init=False)

    def world(self) -> World:
        """Return the world to build a trader in."""
        return World(
            monotonic=lambda: self.tape.time(self.thread),
            sleep=lambda _seconds: None,
            http=self._http,
            connect=self._connect,
            queue=lambda _most: _Made(self),
            witness=self._witness,
        )

    def events(self) -> Iterator[object | None]:
        """Yield what the loop took in each of its turns; None where nothing came.

        The streams must have been given before.

        Raises:
            TapeEnded: The recording ends in the middle of a turn.
            Diverged: The trader does not do what was recorded.
        """
        while True:
            kind, source = self.tape.next(LOOP, "took", "idle", "asked")
            if kind == "asked":
                return  # the farewell: the switch was disarmed
            if kind == "idle":
                yield None
            elif isinstance(source, str):
                yield self._pull(source)
            else:
                yield self._event(source)

    def keep(self, event: object) -> None:
        """Take an event from the stream whose turn it is."""
        self._made.setdefault(self.thread, deque()).append(event)

    def next(self, *kinds: str) -> tuple[str, Any]:
        """Return the next note of the thread whose turn it is."""
        return self.tape.next(self.thread, *kinds)

    def _pull(self, source: str) -> object:
        made = self._made.setdefault(source, deque())
        self.thread = source
        try:
            while not made:
                self.streams[source].turn()
        finally:
            self.thread = LOOP
        return made.popleft()

    def _event(self, source: dict[str, Any]) -> object:
        kind = getattr(events, source["kind"])
        told: dict[str, Any] = {
            name: self._event(value) if isinstance(value, dict) and set(value) == EVENT else value
            for name, value in source["told"].items()
        }
        if kind is ModelLoaded:
            told["served"] = self._model(f"{model_name(told['symbol'])}-{told['version']}")
        return kind(**told)

    def _model(self, name: str) -> ServedModel:
        path = self.folder / "models"
        return ServedModel(
            contract=contract.parse((path / f"{name}.json").read_bytes()),
            booster=read_booster((path / f"{name}.ubj").read_bytes()),
            clock=lambda: self.next("witness")[1],
        )

    def _witness(self, _found: Found) -> Found:
        return cast("Found", self.next("witness")[1])

    def _http(self) -> requests.Session:
        session = http_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Door(self))
        return session

    def _connect(self, _url: str, _timeout: float) -> _Line:
        kind, value = self.next("connected", "lost")
        if kind == "lost":
            raise _error(value, OF_SOCKETS)
        return _Line(self)


class _Made(queue.Queue[object]):
    """A queue that gives what is put to the player, who knows when it was taken."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self._player = player

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - queue.Queue's own
        """Hand the event over; there is always room."""
        del block, timeout
        self._player.keep(item)


class _Door(BaseAdapter):
    """Answers as the exchange did, if the question is the same."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self._player = player

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Give the recorded answer."""
        asked, status, answer = self._player.next("asked")[1]
        if question(request) != asked:
            raise Diverged(
                f"it asks {' '.join(question(request))}, then it asked {' '.join(asked)}"
            )
        if status is None:
            raise _error(answer, OF_REQUESTS)
        response = requests.Response()
        response.status_code, response.encoding = status, "utf-8"
        response.reason = "OK" if response.ok else "Error"
        response._content = answer.encode()  # noqa: SLF001 - what requests itself does with a body
        response.url, response.request = str(request.url), request
        response.elapsed = timedelta(0)
        return response

    def close(self) -> None:
        """There is nothing to close."""


class _Line:
    """A websocket that says what it said."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def send(self, _text: str, /) -> None:
        """Send nothing, or fail as it failed."""
        if self._player.tape.peek(self._player.thread)[0] == "unsent":
            raise _error(self._player.next("unsent")[1], OF_SOCKETS)

    def recv(self) -> str | bytes:
        """Return the next message."""
        kind, value = self._player.next("heard", "lost")
        if kind == "lost":
            raise _error(value, OF_SOCKETS)
        return value if isinstance(value, str) else bytes.fromhex(value["hex"])

    def settimeout(self, _seconds: float, /) -> None:
        """Wait for nothing."""

    def close(self) -> None:
        """There is nothing to close."""


def _error(told: list[str], modules: tuple[ModuleType, ...]) -> Exception:
    name, words = told
    kinds = (getattr(module, name, None) for module in modules)
    kind = next((kind for kind in kinds if isinstance(kind, type)), OSError)
    try:
        return cast("Exception", kind(words))
    except TypeError:  # one that takes more than words, such as UnicodeDecodeError
        return ValueError(words)
