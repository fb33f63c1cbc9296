"""Simulated time: it moves only when somebody waits, and what is due on the way happens."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


@dataclass(slots=True)
class Timeline:
    """The only clock of a run, in nanoseconds since 1970, and what is due on it."""

    start: int
    now: int = field(init=False)
    story: list[str] = field(default_factory=list, init=False)
    _due: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list, init=False)
    _numbers: Iterator[int] = field(default_factory=count, init=False)

    def __post_init__(self) -> None:
        self.now = self.start

    @property
    def passed(self) -> float:
        """How many seconds the run is old."""
        return (self.now - self.start) / SECOND

    def monotonic(self) -> float:
        """Give the seconds of a machine that was switched on a while ago."""
        return 1000.0 + self.passed

    def milliseconds(self) -> int:
        """Give the machine's wall clock."""
        return self.now // MILLISECOND

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        due = self.now + max(0, round(seconds * SECOND))
        heapq.heappush(self._due, (due, next(self._numbers), act))

    def wait(self, seconds: float) -> None:
        """Let time pass, and happen what is due on the way."""
        until = self.now + round(seconds * SECOND)
        while self._due and self._due[0][0] <= until:
            due, _, act = heapq.heappop(self._due)
            self.now = max(self.now, due)
            act()
        self.now = max(self.now, until)

    def tell(self, what: str) -> None:
        """Add a line to the story of the run."""
        self.story.append(f"{self.passed:9.3f} s  {what}")
