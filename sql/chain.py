"""The history of promotions as a chain: every entry is sealed together with the one before.

A seal is the SHA-256 of what the entry says and of the seal before it, so that nobody can
change, insert or take out an entry without every later seal being wrong. What a chain cannot
show by itself is that its end was cut off: keep the last seal somewhere else for that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

START = "0" * 64  # stands before the first entry of a market
SEALED = ("symbol", "action", "from_version", "to_version", "who", "reason", "evidence", "at")


class Entry(Protocol):
    """An entry with its seal and that of the entry before."""

    id: Any
    at: Any
    previous_hash: Any
    hash: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first entry that is not as it was written, or does not follow on the one before."""

    id: int
    reason: str


def seal(entry: object, previous: str) -> str:
    """Return an entry's seal, in 64 hex digits.

    What is hashed is JSON with sorted keys, no blanks and every character beyond ASCII
    escaped; the time is UTC to the microsecond.

    Args:
        entry: Anything with the attributes `SEALED`, its time with a zone. The evidence is a
            mapping of names to texts and whole numbers: other numbers may come back from a
            database otherwise written.
        previous: The seal of the market's entry before, or `START`.
    """
    content = {name: _plain(getattr(entry, name)) for name in SEALED} | {"previous": previous}
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(written.encode()).hexdigest()


def first_break(entries: Sequence[Entry]) -> Break | None:
    """Return where the chain of one market, oldest first, is broken; None if it holds."""
    previous = START
    for entry in entries:
        if seal(entry, entry.previous_hash) != entry.hash:
            return Break(id=entry.id, reason="it was changed after it was written")
        if entry.previous_hash != previous:
            return Break(id=entry.id, reason="the entry before it is not the one it was written on")
        previous = entry.hash
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
