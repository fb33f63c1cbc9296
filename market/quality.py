"""What is wrong with a row of bars, found one bar at a time in the order of their source.

Memory does not grow with the number of bars. Nothing is mended here: what is found is
told, with its line or its time, and whoever reads the bars decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from market.bars import EPOCH

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from decimal import Decimal

KEPT = 20  # findings of a kind that are told one by one, unless told otherwise


class Kind(StrEnum):
    """What may be wrong."""

    UNREADABLE = "unreadable"
    IMPOSSIBLE = "impossible"
    OFF_GRID = "off the grid"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out of order"
    WRONG_ZONE = "wrong zone"
    GAP = "gap"
    ZERO_VOLUME = "zero volume"


# A bar of which one of these is true is no bar to keep; the other kinds are of ranges.
BAD = frozenset(
    {Kind.UNREADABLE, Kind.IMPOSSIBLE, Kind.OFF_GRID, Kind.DUPLICATE, Kind.OUT_OF_ORDER}
)


class Candle(NamedTuple):
    """A bar before anybody vouched for it: any value may be anything."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, from `start` up to `end` or in a line of a file."""

    kind: Kind
    why: str
    bars: int = 1
    start: datetime | None = None
    end: datetime | None = None
    line: int | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    """How much of one kind was found, and the first ones in full."""

    findings: int = 0
    bars: int = 0
    start: datetime | None = None
    end: datetime | None = None
    first: list[Finding] = field(default_factory=list)


def impossible(candle: Candle) -> str | None:
    """Say why no market can have traded like this, or None if it can."""
    _, opened, high, low, close, volume = candle
    prices = {"open": opened, "high": high, "low": low, "close": close}
    for name, value in (*prices.items(), ("volume", volume)):
        if not value.is_finite():
            return f"{name} is not a number: {value}"
        if value < 0 or (value == 0 and name != "volume"):
            return f"{name} is {value}"
    if high < low:
        return f"high {high} is below low {low}"
    for name, value in (("open", opened), ("close", close)):
        if not low <= value <= high:
            return f"{name} {value} is outside low {low} to high {high}"
    return None


def _possible(candle: Candle) -> bool:
    # The same in the words of one comparison, since nearly every bar passes it.
    _, opened, high, low, close, volume = candle
    finite = opened.is_finite() and high.is_finite() and low.is_finite()
    if not (finite and close.is_finite() and volume.is_finite()):
        return False
    return 0 < low <= opened <= high and low <= close <= high and volume >= 0


@dataclass(slots=True)
class Inspection:
    """Looks at bars in the order of their source and keeps the tally of what is wrong.

    With `begin`, a hole before the first bar is a gap; `close` looks for one after the
    last. A bar that equals the one before it in its start is a duplicate, any other that
    starts earlier than the latest is out of order.
    """

    interval: timedelta
    begin: datetime | None = None
    keep: int = KEPT
    bars: int = field(default=0, init=False)
    tallies: dict[Kind, Tally] = field(default_factory=dict, init=False)
    _expected: datetime | None = field(default=None, init=False)
    _last: datetime | None = field(default=None, init=False)
    _quiet_since: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._expected = self.begin

    @property
    def bad(self) -> int:
        """How many bars are no bars to keep."""
        return sum(tally.bars for kind, tally in self.tallies.items() if kind in BAD)

    @property
    def findings(self) -> list[Finding]:
        """Return what was kept in full, the worst kinds first."""
        return [one for kind in Kind if kind in self.tallies for one in self.tallies[kind].first]

    def look(self, candle: Candle, line: int | None = None) -> bool:
        """Look at the next bar and say whether it is one to keep."""
        start, self.bars = candle.start, self.bars + 1
        if (start - EPOCH) % self.interval:
            why = f"a bar of {self.interval} does not start at {start:%Y-%m-%d %H:%M:%S}"
            self._reject(Kind.OFF_GRID, why, start, line)
            return False
        if self._last is not None and start <= self._last:
            self._reject_place(start, line)
            return False
        if self._expected is not None and start > self._expected:
            self._gap(self._expected, start)
        self._last, self._expected = start, start + self.interval
        if not _possible(candle):
            self._end_quiet(start)
            self._reject(Kind.IMPOSSIBLE, impossible(candle) or "", start, line)
            return False
        if candle.volume == 0:
            self._quiet_since = self._quiet_since or start
        elif self._quiet_since is not None:
            self._end_quiet(start)
        return True

    def reject(self, kind: Kind, why: str, *, line: int, at: datetime | None = None) -> None:
        """Count a line that is no bar at all."""
        self.bars += 1
        self.note(Finding(kind=kind, why=why, start=at, line=line))

    def close(self, end: datetime | None = None) -> None:
        """End the look, with a gap from the last bar to the end if that is given."""
        if end is not None and self._expected is not None and self._expected < end:
            self._gap(self._expected, end)
        if self._quiet_since is not None and self._expected is not None:
            self._end_quiet(self._expected)

    def note(self, finding: Finding) -> None:
        """Add something that was found, here or elsewhere."""
        tally = self.tallies.setdefault(finding.kind, Tally())
        tally.findings += 1
        tally.bars += finding.bars
        end = finding.end or finding.start
        if finding.start is not None and (tally.start is None or finding.start < tally.start):
            tally.start = finding.start
        if end is not None and (tally.end is None or end > tally.end):
            tally.end = end
        if len(tally.first) < self.keep:
            tally.first.append(finding)

    def _reject(self, kind: Kind, why: str, start: datetime, line: int | None) -> None:
        end = start + self.interval
        self.note(Finding(kind=kind, why=why, start=start, end=end, line=line))

    def _reject_place(self, start: datetime, line: int | None) -> None:
        if start == self._last:
            self._reject(Kind.DUPLICATE, "the bar before has the same start", start, line)
            return
        why = f"a bar of {self._last:%Y-%m-%d %H:%M:%S} came before it"
        self._reject(Kind.OUT_OF_ORDER, why, start, line)

    def _gap(self, start: datetime, end: datetime) -> None:
        self._end_quiet(start)
        missing = (end - start) // self.interval
        self.note(Finding(kind=Kind.GAP, why="no bar", start=start, end=end, bars=missing))

    def _end_quiet(self, end: datetime) -> None:
        if (since := self._quiet_since) is None:
            return
        self._quiet_since = None
        quiet = (end - since) // self.interval
        why = "nothing traded"
        self.note(Finding(kind=Kind.ZERO_VOLUME, why=why, start=since, end=end, bars=quiet))
