"""The exchange's time as its own messages tell it.

Our machine's wall clock is never compared with an exchange time: a sandbox may run
ahead of it, and even the real exchange differs by its skew.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from statistics import median

SAMPLES = 50  # messages whose delays are looked at together


class ExchangeClock:
    """The latest exchange time seen, carried on by a monotonic clock in between."""

    def __init__(self, at: datetime, heard: float, wall: datetime | None = None) -> None:
        """Start from a time the exchange stated when our monotonic clock read `heard` seconds.

        `wall` is our machine's time at that moment; without it no skew is known.
        """
        self._at, self._heard = at, heard
        self._wall, self._began, self._latest = wall, heard, at
        self._delays: deque[float] = deque(maxlen=SAMPLES)

    @property
    def skew(self) -> timedelta | None:
        """Return how far our machine's time is ahead of the last messages', by their median."""
        return timedelta(seconds=median(self._delays)) if self._delays else None

    def observe(self, at: datetime, heard: float) -> None:
        """Take in the time of a message; an older one does not turn the clock back."""
        if self._wall is not None and at > self._latest:  # what a snapshot repeats says nothing
            self._latest = at
            self._delays.append((self._wall - at).total_seconds() + heard - self._began)
        if at > self.now(heard):
            self._at, self._heard = at, heard

    def now(self, heard: float) -> datetime:
        """Return the exchange's time when our monotonic clock reads `heard` seconds."""
        return self._at + timedelta(seconds=heard - self._heard)
