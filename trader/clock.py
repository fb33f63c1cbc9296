"""The exchange's time as its own messages tell it.

Our machine's wall clock is never compared with an exchange time: a sandbox may run
ahead of it, and even the real exchange differs by its skew.
"""

from __future__ import annotations

from datetime import datetime, timedelta


class ExchangeClock:
    """The latest exchange time seen, carried on by a monotonic clock in between."""

    def __init__(self, at: datetime, heard: float) -> None:
        """Start from a time the exchange stated when our monotonic clock read `heard` seconds."""
        self._at, self._heard = at, heard

    def observe(self, at: datetime, heard: float) -> None:
        """Take in the time of a message; an older one changes nothing."""
        if at > self.now(heard):
            self._at, self._heard = at, heard

    def now(self, heard: float) -> datetime:
        """Return the exchange's time when our monotonic clock reads `heard` seconds."""
        return self._at + timedelta(seconds=heard - self._heard)
