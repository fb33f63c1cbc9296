"""Faults on demand: which there are, which one strikes next, and a log of those that struck.

Only decides. The doors ask here before they answer, and do the damage themselves.
"""

from __future__ import annotations

import logging
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sandbox.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection

Kind = Literal[
    "drop_before",
    "drop_after",
    "delay_before",
    "delay",
    "status",
    "truncated",
    "empty",
    "error",
    "duplicate",
    "missing",
    "reordered",
    "late",
    "sequence_gap",
    "wrong_checksum",
    "crossed_book",
    "stall",
    "silence",
    "close",
    "abort",
    "token_expiry",
    "open_orders_lag",
    "clock_skew",
    "maintenance",
]
REST = frozenset(
    {"drop_before", "drop_after", "delay_before", "delay", "status", "truncated", "empty", "error"}
)
MESSAGES = frozenset(
    {"duplicate", "missing", "reordered", "late", "sequence_gap", "wrong_checksum"}
    | {"stall", "silence"}
)
STANDING = frozenset({"open_orders_lag", "clock_skew", "maintenance"})
REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault that waits to strike.

    `times` is how often it strikes, 0 until it is removed; `chance` is how likely at each
    occasion. `method`, `channel` and `symbol` narrow down where.
    """

    kind: Kind
    times: int = 1
    chance: float = 1.0
    method: str = ""
    channel: str = ""
    symbol: str = ""
    seconds: float = 1.0
    status: int = 502
    code: int = 1012
    text: str = "EService:Unavailable"
    after: bool = False
    mode: str = "maintenance"
    id: str = ""
    struck: int = 0


class Strike(msgspec.Struct, frozen=True):
    """One stroke of one fault."""

    id: str
    kind: str
    where: str
    time: str


class Faults:
    """The faults that wait, and those that struck. The same seed strikes the same way."""

    def __init__(self, seed: int = 0) -> None:
        self.waiting: dict[str, Fault] = {}
        self.struck: deque[Strike] = deque(maxlen=REMEMBERED)
        self._random = Random(seed)
        self._count = 0

    def add(self, form: Any) -> Fault:
        """Take up a fault, or say what is wrong with it."""
        try:
            fault = msgspec.convert(form, Fault)
        except msgspec.ValidationError as error:
            raise Refused(str(error)) from error
        if fault.times < 0 or not 0 <= fault.chance <= 1 or not 0 <= fault.seconds <= 86400:  # noqa: PLR2004 - a day
            raise Refused("times, chance and seconds must be within their bounds")
        if not 400 <= fault.status <= 599 or not 1000 <= fault.code <= 4999:  # noqa: PLR2004 - HTTP's and websocket's ranges
            raise Refused("status must be 400 to 599 and code 1000 to 4999")
        self._count += 1
        fault.id = f"F{self._count}"
        self.waiting[fault.id] = fault
        return fault

    def remove(self, name: str = "") -> list[Fault]:
        """Take back one fault, or all of them."""
        gone = [fault for fault in self.waiting.values() if name in {"", fault.id}]
        for fault in gone:
            del self.waiting[fault.id]
        return gone

    def take(
        self,
        kinds: Collection[str],
        time: str,
        *,
        method: str = "",
        channel: str = "",
        symbol: str = "",
    ) -> Fault | None:
        """Give the fault that strikes on this occasion, and note that it did."""
        for fault in list(self.waiting.values()):
            asked = (fault.method, method), (fault.channel, channel), (fault.symbol, symbol)
            if fault.kind not in kinds or any(mine not in {"", its} for mine, its in asked):
                continue
            if fault.chance < 1 and self._random.random() >= fault.chance:
                continue
            where = " ".join(filter(None, (method, channel, symbol)))
            self.strike(fault, where, time)
            return fault
        return None

    def strike(self, fault: Fault, where: str, time: str) -> None:
        """Note that a fault struck, and forget it if that was the last time."""
        fault.struck += 1
        _log.warning("fault %s, %s, struck %s", fault.id, fault.kind, where)
        self.struck.append(Strike(fault.id, fault.kind, where, time))
        if fault.times and fault.struck >= fault.times:
            self.waiting.pop(fault.id, None)

    def standing(self, kind: str) -> Fault | None:
        """Give a fault of a kind that lasts until it is removed, if there is one."""
        return next((f for f in self.waiting.values() if f.kind == kind), None)
