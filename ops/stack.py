"""The one-machine stack: start every part in order, keep it running, stop it without a trace."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import httpx
import psutil

from ops import components, environment, postgres, processes
from ops.errors import CannotStart
from ops.home import Line, Stack
from ops.watch import State
from sql.database import limit_waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.components import Plan
    from ops.home import Home
    from ops.prefect_api import Prefect
    from ops.table import Board
    from ops.watch import Watched

TICK = 0.1
SHOW_EVERY = 0.5
ASK_EVERY = 2.0
RECORD_PATIENCE = 2.0  # seconds for the record to answer
# The trader lets go first, then the flows, and the servers only after both.
STOP_ORDER = (
    ((components.TRADER,), 6.0),
    ((components.WORKER, components.DEPLOY), 3.0),
    ((components.PREFECT, components.MLFLOW, components.SANDBOX), 4.0),
)


class Story(Protocol):
    """Something to do once everything is healthy; it runs in a thread of its own."""

    word: str
    finished: bool

    def run(self) -> None:
        """Do it; sets `finished` at the end, whatever the end is."""


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """The processes of a running stack, and the one loop that looks after them.

    `record` tells whether the record answers.
    """

    plan: Plan
    parts: list[Watched]
    record: Callable[[], bool]
    prefect: Prefect
    board: Board
    story: Story | None
    began: float
    healthy_after: float | None = None
    server: postgres.Server | None = field(init=False)
    _answers: bool = True
    _asked: float = 0.0
    _shown: float = 0.0
    _started_at: str = field(init=False)

    def __post_init__(self) -> None:
        self.server = self.plan.databases.server
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def run(self, stopping: Callable[[], bool]) -> None:
        """Look after the parts until told to stop.

        Raises:
            CannotStart: A part ended again and again before it was ever healthy.
        """
        limit_waiting(
            RECORD_PATIENCE
        )  # or a record that hangs keeps this loop, and Ctrl-C, waiting
        while not stopping():
            self._tend_postgres()
            self._ask()
            healthy = {part.name for part in self.parts if part.healthy}
            for part in self.parts:
                part.tick(healthy)
            if self.healthy_after is None and all(part.was_healthy for part in self.parts):
                self._announce()
            if time.monotonic() - self._shown > SHOW_EVERY:
                self._show()
            time.sleep(TICK)

    def stop(self) -> None:
        """Stop all parts in the reverse order, then whatever still carries our mark."""
        for names, seconds in STOP_ORDER:
            self._stop(names, seconds)
            if components.WORKER in names:
                self._settle_runs()
        processes.end(processes.marked(self.plan.mark), seconds=1)
        if self.server is not None:
            self.server.stop()
        self.plan.home.forget()

    def _stop(self, names: tuple[str, ...], seconds: float) -> None:
        going = [part for part in self.parts if part.name in names]
        processes.stop_all([part.child for part in going if part.child is not None], seconds)
        for part in going:
            part.child, part.state, part.word = None, State.STOPPED, ""
        self.board.show(self._lines(), "stopping")

    def _settle_runs(self) -> None:
        try:
            self.prefect.sweep()
        except (httpx.HTTPError, CannotStart):
            return  # the server is gone already; the next start sweeps

    def _tend_postgres(self) -> None:
        if self.server is None or self.server.alive():
            return
        again = postgres.start(self.plan.home.postgres)
        if again.port != self.server.port:
            again.stop()
            raise CannotStart(
                f"PostgreSQL died and its port {self.server.port} is taken; start the stack again"
            )
        self.server = again
        self.board.say(f"{time.strftime('%H:%M:%S')} PostgreSQL had ended and was started again")

    def _ask(self) -> None:
        if time.monotonic() - self._asked > ASK_EVERY:
            self._answers = self.record()
            self._asked = time.monotonic()

    def _announce(self) -> None:
        self.healthy_after = time.monotonic() - self.began
        self._show()
        self.board.say(f"all healthy after {self.healthy_after:.1f} s")
        if self.story is not None:
            threading.Thread(target=self.story.run, daemon=True).start()

    def _show(self) -> None:
        self._shown = time.monotonic()
        lines = self._lines()
        self.plan.home.write(
            Stack(
                supervisor=os.getpid(),
                supervisor_created=psutil.Process().create_time(),
                mark=self.plan.mark,
                exchange=self.plan.venue.name,
                started_at=self._started_at,
                healthy_after=self.healthy_after,
                components=lines,
            )
        )
        self.board.show(lines, self._footer())

    def _lines(self) -> list[Line]:
        pid = None if self.server is None else self.server.process.pid
        word = "external" if pid is None else "the record, models, flows and studies"
        first = Line(
            name="postgres",
            address=self.plan.databases.address,
            state=(State.RUNNING if self._answers else State.SILENT).value,
            word=word if self._answers else "does not answer",
            pid=pid,
        )
        return [first, *map(_line, self.parts)]

    def _footer(self) -> str:
        doing = self.story.word if self.story is not None else ""
        hint = f"logs in {self.plan.home.logs}; Ctrl-C stops everything"
        return f"{doing}\n{hint}" if doing else hint


def leave_environment(plan: Plan) -> None:
    """Leave what the commands of this stack need, the command line's own keys included."""
    key, kill = plan.keys.get("command"), plan.keys.get("kill")
    own = key.environment() if key is not None else {}
    switch = kill.environment("KRAKEN_KILL_") if kill is not None else {}
    environment.write(plan.home.path, {**components.shared(plan), **own, **switch})


def clean_up(home: Home) -> int:
    """End what a stack that was killed left running; the caller holds the folder's lock.

    The embedded PostgreSQL is left alone, for the next start attaches to it.

    Returns:
        How many processes there were.
    """
    last = home.read()
    if last is None:
        return 0
    left = processes.marked(last.mark)
    processes.end(left, seconds=5)
    home.forget()
    return len(left)


def _line(part: Watched) -> Line:
    return Line(
        name=part.name,
        address=part.address,
        state=part.state.value,
        word=part.word,
        pid=None if part.child is None else part.child.pid,
    )
