"""A recording read back: what each thread of the trader took from outside, in its order."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ops.errors import CannotReplay
from trader.answers import moment
from trader.live import RECORD_AWAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Note = tuple[str, Any]  # its kind and value
    Line = tuple[str, str, Any]  # the thread before it

LOOP = "loop"
# A file that was being written when the process was killed ends in the middle.
CUT_OFF = (EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError)


class TapeEnded(Exception):
    """The recording holds no more."""


class RecordAway(TapeEnded):
    """PostgreSQL was away from here on, and a replay's is not."""


class Diverged(Exception):
    """The trader asks for something other than it asked for when it was recorded."""


@dataclass(slots=True)
class Tape:
    """One life's notes; each thread's are read in order and none twice.

    `now` is the last reading of the clock by the loop, in seconds of the recorded
    machine's monotonic clock.
    """

    lines: Iterator[Line]
    now: float = 0.0
    _ahead: defaultdict[str, deque[Note]] = field(
        default_factory=lambda: defaultdict(deque), init=False
    )
    _times: dict[str, float] = field(default_factory=dict, init=False)

    def peek(self, thread: str) -> Note:
        """Return a thread's next note, readings of the clock included.

        Raises:
            TapeEnded: There is none.
        """
        waiting = self._ahead[thread]
        while not waiting:
            line = next(self.lines, None)
            if line is None:
                raise TapeEnded
            self._ahead[line[0]].append((line[1], line[2]))
        return waiting[0]

    def upcoming(self) -> float:
        """Return what the loop's clock reads next, or read last."""
        kind, value = self.peek(LOOP)
        return float(value) if kind == "time" else self.now

    def time(self, thread: str) -> float:
        """Return a thread's next reading of the clock, or its last if it read no more then."""
        if self.peek(thread)[0] == "time":
            self._read_clock(thread)
        return self._times[thread]

    def next(self, thread: str, *kinds: str) -> Note:
        """Return a thread's next note of one of these kinds, past readings of the clock.

        Raises:
            TapeEnded: There is none.
            Diverged: The next is of another kind.
        """
        while self.peek(thread)[0] == "time":
            self._read_clock(thread)
        kind, value = self._ahead[thread].popleft()
        if kind == "witness" and value == RECORD_AWAY:
            raise RecordAway
        if kind not in kinds:
            asked = " or ".join(kinds)
            raise Diverged(f"the recording goes on with {kind} where {asked} is wanted")
        return kind, value

    def _read_clock(self, thread: str) -> None:
        self._times[thread] = self._ahead[thread].popleft()[1]
        if thread == LOOP:
            self.now = self._times[thread]


@dataclass(frozen=True, slots=True)
class Life:
    """What one process recorded, from its start to its end."""

    folder: Path

    def known(self) -> dict[str, Any]:
        """Return what it started with."""
        return cast("dict[str, Any]", msgspec.json.decode((self.folder / "life.json").read_bytes()))

    def tape(self) -> Tape:
        """Return its notes."""
        return Tape(self._lines())

    def began(self) -> datetime | None:
        """Return the exchange's time at its start, or None if it never learnt it."""
        for _, kind, value in self._lines():
            if kind == "asked" and value[1] is not None:
                return moment(msgspec.json.decode(value[2])["result"]["unixtime"])
        return None

    def ended(self) -> datetime:
        """Return when it was last written to, by this machine's clock."""
        written = [path.stat().st_mtime for path in self.folder.iterdir()]
        return datetime.fromtimestamp(max(written), UTC)

    def _lines(self) -> Iterator[Line]:
        for path in sorted(self.folder.glob("tape-*")):
            try:
                with gzip.open(path, "rb") as file:
                    for line in file:
                        yield msgspec.json.decode(line, type=tuple[str, str, Any])
            except CUT_OFF:
                return


def lives(folder: Path, since: datetime, until: datetime) -> list[Life]:
    """Return the lives that a folder has of a time of the exchange, oldest first.

    Raises:
        CannotReplay: There are none.
    """
    found = [Life(path.parent) for path in sorted(folder.glob("*/life.json"))]
    begun = [(began, life) for life in found if (began := life.began()) is not None]
    ends = [began for began, _ in begun[1:]] + [datetime.max.replace(tzinfo=UTC)]
    wanted = [
        life
        for (began, life), end in zip(begun, ends, strict=True)
        if began <= until and end > since
    ]
    if not wanted:
        raise CannotReplay(f"{folder} holds no recording of that time; TRADER_RECORDING makes one")
    return wanted
