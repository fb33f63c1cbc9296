"""One component over time: waiting, starting, running, restarting after a crash."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import httpx

from ops import processes
from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from ops.components import Component

BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
PATIENCE = 120.0  # seconds a component may take to become healthy
PROBE_EVERY = 2.0
PROBE_STARTING_EVERY = 0.25
SETTLED = 60.0  # seconds of health after which an earlier crash no longer counts
FIRST_ATTEMPTS = 3
GRACE = 5.0  # seconds a process has to end when it is asked to


class State(StrEnum):
    """Where a component is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    SILENT = "silent"
    DONE = "done"
    RESTARTING = "restarting"
    STOPPED = "stopped"


def nothing() -> None:
    """Do nothing."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """A component, its process, and what is known about its health.

    `probe` answers with a word on what the component is doing, or with None while it is
    not healthy. `ready` is called each time it becomes healthy.
    """

    name: str
    address: str
    logs: Path
    build: Callable[[], Component]
    probe: Callable[[int], str | None]
    after: tuple[str, ...] = ()
    ready: Callable[[], None] = nothing
    skip: Callable[[], bool] = lambda: False
    persistent: bool = False
    state: State = State.WAITING
    word: str = ""
    child: processes.Child | None = field(default=None, repr=False)
    component: Component | None = field(default=None, repr=False)
    failures: int = 0
    was_healthy: bool = False
    _due: float = 0.0
    _healthy_since: float = 0.0

    @property
    def healthy(self) -> bool:
        """Return whether others may rely on it."""
        return self.state in {State.RUNNING, State.SILENT, State.DONE}

    def tick(self, healthy: Collection[str]) -> None:
        """Do what is due now.

        Raises:
            CannotStart: It ended several times without ever having been healthy.
        """
        now = time.monotonic()
        if self.child is not None and (code := self.child.exit_code()) is not None:
            self._ended(code, now)
        elif now < self._due:
            return
        elif self.child is not None:
            self._look(now)
        elif self.state is not State.DONE and all(name in healthy for name in self.after):
            self._start(now)

    def _start(self, now: float) -> None:
        if self.skip():
            self.state, self.word, self.was_healthy = State.DONE, "unchanged", True
            return
        try:
            self.component = self.build()
            self.child = processes.start(
                self.component.command, self.component.environment, self._log()
            )
        except (httpx.HTTPError, CannotStart, ValueError, OSError) as error:
            self._failed(str(error), now)  # what it leans on is away: it need not be for long
            return
        self.state, self._due = State.STARTING, now + PROBE_STARTING_EVERY
        self.word = "" if self.failures == 0 else f"attempt {self.failures + 1}"

    def _look(self, now: float) -> None:
        assert self.child is not None
        word = self.probe(self.child.pid)
        if word is not None:
            self._answers(word, now)
        elif self.state is not State.STARTING:
            self.state, self.word = State.SILENT, "does not answer"
            self._due = now + PROBE_EVERY
        elif now - self.child.started > PATIENCE:
            processes.stop_all([self.child], GRACE)
            self.child = None
            self._failed(f"not healthy within {PATIENCE:.0f} s", now)
        else:
            self._due = now + PROBE_STARTING_EVERY

    def _answers(self, word: str, now: float) -> None:
        if self.state is State.STARTING:
            try:
                self.ready()
            except (httpx.HTTPError, CannotStart, ValueError) as error:
                self.word, self._due = str(error), now + PROBE_EVERY
                return
            self._healthy_since = now
        elif now - self._healthy_since > SETTLED:
            self.failures = 0
        self.state, self.word, self.was_healthy = State.RUNNING, word, True
        self._due = now + PROBE_EVERY

    def _ended(self, code: int, now: float) -> None:
        assert self.child is not None
        assert self.component is not None
        if self.component.once and code == 0:
            self.child, self.state, self.word, self.was_healthy = None, State.DONE, "", True
            self.ready()
            return
        said = "" if code < 0 else f": {self.child.last_words()}"
        processes.stop_all([self.child], 0)
        self.child = None
        how = f"signal {-code}" if code < 0 else f"code {code}"
        self._failed(f"ended with {how}{said}", now)

    def _failed(self, why: str, now: float) -> None:
        self.failures += 1
        if not self.was_healthy and not self.persistent and self.failures >= FIRST_ATTEMPTS:
            raise CannotStart(f"{self.name} does not start: {why}; see {self._log()}")
        pause = BACKOFF[min(self.failures, len(BACKOFF)) - 1]
        self.state, self.word = State.RESTARTING, f"{why}; again in {pause:.0f} s"
        self._due = now + pause

    def _log(self) -> Path:
        return self.logs / f"{self.name}.log"
