"""Processes of ours: started in a session of their own, and found again by a mark.

Every process of a stack, and whatever it starts in turn, carries FRIDAY_STACK=<stack>/<part>
in its environment. Only processes that carry the mark are ever ended, so a number that was
given to a stranger since is safe, and a child whose parent was killed is still found.
"""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

MARK = "FRIDAY_STACK"
ERROR = re.compile(r"[\w.]*(Error|Exception|Refused|Unreachable)\b")
LAST_WORDS = 4000  # characters from the end of a log that may hold the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process we started."""

    popen: subprocess.Popen[bytes]
    log: Path
    mark: str
    started: float

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self.popen.poll()

    def last_words(self) -> str:
        """Return the last line of its log that is not a stack trace's middle."""
        return last_line(self.log)


def start(command: Iterable[str], environment: Mapping[str, str], log: Path) -> Child:
    """Start a process in a session of its own, its output going to a log."""
    with log.open("ab") as output:
        popen = subprocess.Popen(  # noqa: S603 - our own commands
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env=dict(environment),
            start_new_session=True,
        )
    return Child(popen=popen, log=log, mark=environment[MARK], started=time.monotonic())


def stop_all(children: list[Child], seconds: float) -> None:
    """Ask processes to end, all at once; what they started, and who did not, is then ended."""
    for child in children:
        if child.exit_code() is None:
            child.popen.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        try:
            child.popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.popen.kill()
            child.popen.wait()
    end(marked(*(child.mark for child in children)), seconds=1)


def marked(*marks: str) -> list[psutil.Process]:
    """Return the live processes that carry one of the marks, of a stack or of a part."""
    return [process for process in psutil.process_iter() if _carries(process, marks)]


def end(processes: list[psutil.Process], *, seconds: float) -> None:
    """End processes: politely, and after the time given for good."""
    for process in processes:
        _signal(process.terminate)
    _, left = psutil.wait_procs(processes, timeout=seconds)
    for process in left:
        _signal(process.kill)
    psutil.wait_procs(left, timeout=1)


def last_line(log: Path) -> str:
    """Return the last line of a log that names an error, or simply the last."""
    try:
        lines = log.read_text(errors="replace")[-LAST_WORDS:].strip().splitlines()
    except FileNotFoundError:
        return "it wrote no log"
    errors = [line for line in lines if ERROR.match(line)] or lines
    return errors[-1].strip()[:200] if errors else "it wrote nothing"


def _carries(process: psutil.Process, marks: tuple[str, ...]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        carried = process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return False
    return carried in marks or carried.split("/")[0] in marks


def _signal(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
