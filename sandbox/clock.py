"""The exchange's own time: the wall's, a faster one, or one that moves only when told.

The anchor of a fast clock is kept with the state, so a restart continues where the time
would have been and never goes back.
"""

from __future__ import annotations

import time

import msgspec

SECOND_NS = 1_000_000_000


class Anchor(msgspec.Struct):
    """One moment on both clocks, in nanoseconds, and how fast the exchange's runs."""

    wall: int
    exchange: int
    speed: float


class Clock:
    """Tells the exchange's time in nanoseconds since 1970; it never goes back."""

    def __init__(self, anchor: Anchor, *, simulated: bool) -> None:
        self.anchor = anchor
        self.simulated = simulated
        self._floor = anchor.exchange

    def now(self) -> int:
        """Tell the time on the exchange."""
        if not self.simulated:
            elapsed = time.time_ns() - self.anchor.wall
            speed = self.anchor.speed
            passed = elapsed if speed == 1 else int(elapsed * speed)
            self._floor = max(self._floor, self.anchor.exchange + passed)
        return self._floor

    def waited(self) -> float:
        """Tell the seconds that clients wait through, from a beginning of its own.

        However fast the exchange's time runs, people and programs live on the wall's; where
        it stands still until told, they wait as long as they are told.
        """
        return self._floor / SECOND_NS if self.simulated else time.monotonic()

    def advance(self, nanoseconds: int) -> int:
        """Move a simulated clock forward and tell the new time."""
        self._floor += max(nanoseconds, 0)
        return self._floor


def start_clock(
    *, start: int | None, speed: float, simulated: bool, kept: Anchor | None, latest: int
) -> Clock:
    """Start a clock where a kept one left off, or else at `start`, or else at the wall's time.

    Args:
        start: Where a new clock begins, in ns; ignored where one was kept.
        speed: Seconds of the exchange in one second of the wall.
        simulated: Whether the clock moves only when told.
        kept: The anchor of the run before, if there was one.
        latest: The latest moment the run before has seen.
    """
    wall = time.time_ns()
    if kept is not None:
        reached = latest
        if not simulated:
            elapsed = wall - kept.wall
            whole = elapsed if kept.speed == 1 else int(elapsed * kept.speed)
            reached = max(latest, kept.exchange + whole)
        return Clock(Anchor(wall, reached, speed), simulated=simulated)
    return Clock(Anchor(wall, wall if start is None else start, speed), simulated=simulated)
