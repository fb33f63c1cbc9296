"""A recording of all that the trader's core takes from outside, for `friday replay`.

Every thread's readings of the clock, messages, answers and events are noted in the order
the thread took them, and the loop's queue in its own order. Noting is an append to a
queue; a thread of its own writes once a second. A disk that fails ends the recording with
one sentence, and the trader trades on. No token, key, signature or nonce is written.
"""

from __future__ import annotations

import gzip
import queue
import re
import shutil
import sys
import time
from collections import deque
from dataclasses import fields, replace
from datetime import UTC, datetime
from threading import Event, Thread, current_thread
from typing import TYPE_CHECKING, Any, cast

import msgspec
import requests
from requests.adapters import HTTPAdapter
from websocket import WebSocketException

from market.features import WARM_UP
from market.world import Found, World, http_session, open_socket, wall_milliseconds
from registry import contract
from registry.contract import model_name
from registry.served import ServedModel
from serving.events import ModelLoaded
from sql import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from market.world import Socket

    Told = dict[str, Any]  # an event's kind and fields

FLUSH_EVERY = 1.0  # seconds
LARGEST = 256 * 2**20  # bytes of a file before it is compressed; then, or with the day, it ends
MOST_WAITING = 1_000_000  # notes; a disk that takes no more for so long is as good as full
SECRET = re.compile(r'("token"\s*:\s*)"[^"]*"')
NONCE = re.compile(r"(^|&)nonce=\d+")
DAY = 86_400
# The threads that are recorded beside the loop, by their names.
STREAMS = {"stream-public": "public", "stream-private": "private"}
BROKEN = (WebSocketException, OSError, ValueError)


class Recording:
    """One life of the trader, in a folder of its own, from construction until `close`.

    The thread that makes it is taken to be the loop's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._threads = {current_thread().name: "loop", **STREAMS}
        self._waiting: deque[tuple[str, str, Any]] = deque()
        self._closing, self.off = Event(), False
        self._file: gzip.GzipFile | None = None
        self._written, self._day = 0, 0
        self._thread = Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def world(self) -> World:
        """Return the real world, every use of which is noted."""
        return World(
            monotonic=self._monotonic,
            http=self._http,
            connect=self._connect,
            queue=lambda most: _Queue(self, most),
            witness=self._witness,
        )

    def note(self, kind: str, value: Any = None) -> None:
        """Note what the thread that calls has just learnt; returns at once."""
        name = self._threads.get(current_thread().name)
        if name is not None and not self.off:
            self._waiting.append((name, kind, value))

    def source(self, event: object) -> tuple[str | Told, object]:
        """Say where an event comes from, and return the event to be taken.

        Either it comes of a stream, whose messages are noted, or else all there is to it is
        told; a model's clock is noted from then on.
        """
        name = STREAMS.get(current_thread().name)
        return (name, event) if name is not None else self._describe(event)

    def _describe(self, event: Any) -> tuple[Told, object]:
        told: dict[str, Any] = {}
        taken: dict[str, Any] = {}
        for field in fields(event):
            value = getattr(event, field.name)
            if isinstance(value, ServedModel):
                self._keep_model(f"{model_name(event.symbol)}-{event.version}", value)
                taken[field.name] = replace(value, clock=self._thread_time)
            elif isinstance(value, ModelLoaded):
                told[field.name], taken[field.name] = self._describe(value)
            else:
                told[field.name] = value
        return {"kind": type(event).__name__, "told": told}, replace(event, **taken)

    def close(self) -> None:
        """Write what waits."""
        self._closing.set()
        self._thread.join(timeout=10)

    def _monotonic(self) -> float:
        now = time.monotonic()
        self.note("time", now)
        return now

    def _thread_time(self) -> float:
        return self._witness(time.thread_time())

    def _witness(self, found: Found) -> Found:
        self.note("witness", found)
        return found

    def _http(self) -> requests.Session:
        session = http_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Door(self))
        return session

    def _connect(self, url: str, timeout: float) -> Socket:
        try:
            socket = open_socket(url, timeout)
        except BROKEN as error:
            self.note("lost", said(error))
            raise
        self.note("connected")
        return _Line(self, socket)

    def _keep_model(self, name: str, served: ServedModel) -> None:
        if self.off:
            return
        try:
            folder = self.folder / "models"
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.ubj").write_bytes(served.booster.save_raw("ubj"))
            (folder / f"{name}.json").write_bytes(contract.to_json(served.contract))
        except OSError as error:
            self._turn_off(str(error))

    def _run(self) -> None:
        try:
            while not self._closing.wait(FLUSH_EVERY) and not self.off:
                self._write()
            self._write()
            if self._file is not None:
                self._file.close()
        except (OSError, TypeError, ValueError) as error:  # the latter two: what is no JSON
            self._turn_off(str(error))

    def _write(self) -> None:
        if len(self._waiting) > MOST_WAITING:
            raise OSError("the disk does not keep up")
        lines = [msgspec.json.encode(self._waiting.popleft()) for _ in range(len(self._waiting))]
        day = int(time.time() // DAY)
        if self._file is None or self._written > LARGEST or day != self._day:
            if self._file is not None:
                self._file.close()
            number = len(list(self.folder.glob("tape-*")))
            self._file = gzip.open(self.folder / f"tape-{number:06}.jsonl.gz", "wb")  # noqa: SIM115 - it stays open
            self._written, self._day = 0, day
        if lines:
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()
            self._written += sum(map(len, lines))

    def _turn_off(self, why: str) -> None:
        if not self.off:
            self.off = True
            self._waiting.clear()
            sys.stderr.write(f"the recording ends here, the trader trades on: {why}\n")


def begin(
    engine: Engine, home: Path, told: dict[str, Any], *, bar_seconds: int, outage: Path
) -> Recording | None:
    """Begin a recording with what it starts from: what is told of it, and the record as it is.

    Args:
        engine: The record.
        home: Where recordings lie, each in a folder of its own.
        told: The configuration.
        bar_seconds: The length of a bar: as many are kept as warm the features up.
        outage: The file of reports that wait for the record, if there is one.

    Returns:
        None if it cannot be written, which has been said then.
    """
    folder = home / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    span = max(2 * DAY, (WARM_UP + 2) * bar_seconds)
    known = {**told, "wall": wall_milliseconds(), "monotonic": time.monotonic()}
    try:
        snapshot.dump(engine, folder / "record", span)
        (folder / "life.json").write_bytes(msgspec.json.encode(known))
        if outage.exists():
            shutil.copy(outage, folder / "outage.jsonl")
    except OSError as error:
        sys.stderr.write(f"nothing is recorded: {error}\n")
        return None
    return Recording(folder)


def question(request: requests.PreparedRequest) -> list[str]:
    """Return what a request asks, without its nonce."""
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
    return [str(request.method), request.path_url, NONCE.sub("", body).lstrip("&")]


def said(error: Exception) -> list[str]:
    """Return an error's kind and words."""
    return [type(error).__name__, str(error)]


class _Queue(queue.Queue[object]):
    """The loop's events, each beside where it came from."""

    def __init__(self, recording: Recording, most: int) -> None:
        super().__init__(most)
        self._recording = recording

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - queue.Queue's own
        """Put an event, noted by who put it."""
        super().put(self._recording.source(item), block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> object:  # noqa: FBT001, FBT002 - queue.Queue's own
        """Take an event, or raise Empty; either is noted."""
        try:
            source, item = cast("tuple[object, object]", super().get(block, timeout))
        except queue.Empty:
            self._recording.note("idle")
            raise
        self._recording.note("took", source)
        return item


class _Door(HTTPAdapter):
    """Requests whose answers are noted."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Ask, and note what came of it."""
        try:
            answer = super().send(request, *args, **kwargs)
            text = answer.text
        except requests.RequestException as error:
            self._recording.note("asked", [question(request), None, said(error)])
            raise
        hidden = SECRET.sub(r'\1"hidden"', text)
        self._recording.note("asked", [question(request), answer.status_code, hidden])
        return answer


class _Line:
    """A websocket whose messages are noted."""

    def __init__(self, recording: Recording, socket: Socket) -> None:
        self._recording, self._socket = recording, socket
        self.settimeout, self.close = socket.settimeout, socket.close

    def send(self, text: str, /) -> None:
        """Send a message; only a failure is noted."""
        try:
            self._socket.send(text)
        except BROKEN as error:
            self._recording.note("unsent", said(error))
            raise

    def recv(self) -> str | bytes:
        """Return the next message, as `Socket.recv` does."""
        try:
            text = self._socket.recv()
        except BROKEN as error:
            self._recording.note("lost", said(error))
            raise
        plain = SECRET.sub(r'\1"hidden"', text) if isinstance(text, str) else {"hex": text.hex()}
        self._recording.note("heard", plain)
        return text
