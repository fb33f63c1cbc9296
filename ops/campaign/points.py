"""Points at which the trader can be killed, counted as it passes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class Crash(BaseException):
    """The process is gone, as after `kill -9`: no code of the trader's may catch this."""


@dataclass(slots=True)
class Points:
    """Counts what the trader passes, and kills it where that was drawn.

    A point is armed with how many times it is passed before it kills.
    """

    passed: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    _armed: dict[str, int] = field(default_factory=dict)

    def arm(self, name: str, number: int) -> None:
        """Kill at the `number`th time from now that the point is passed, counted from 1."""
        self._armed[name] = number

    def disarm(self) -> None:
        """Kill nobody any more."""
        self._armed.clear()

    def reach(self, name: str) -> None:
        """Pass a point.

        Raises:
            Crash: This was the one.
        """
        self.passed[name] += 1
        if name not in self._armed:
            return
        self._armed[name] -= 1
        if self._armed[name] <= 0:
            del self._armed[name]
            self.killed[name] += 1
            raise Crash(name)
