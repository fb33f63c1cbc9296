"""Faults on demand: which there are, which one strikes next, and a log of those that struck.

Only decides. The doors ask here before they answer, and do the damage themselves.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.errors import Refused
from sandbox.forms import moment
from sandbox.kinds import KINDS, SHORT, STANDING, SUDDEN
from sandbox.plans import draw
from sandbox.randomness import number
from sandbox.wire import SECOND_NS, stamp

if TYPE_CHECKING:
    from collections.abc import Collection

DAY_SECONDS = 86_400
YEAR_SECONDS = 366 * DAY_SECONDS
REMEMBERED = 10_000
MOST = 1_000_000_000
MODES = ("online", "maintenance", "cancel_only", "post_only", "limit_only")
_log = logging.getLogger(__name__)


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault that waits to strike.

    `times` is how often it strikes, 0 until it is removed; `chance` is how likely at each
    occasion, and the first `skip` occasions pass. `method`, `channel` and `symbol` narrow
    down where. `from` (seconds from now, or a time) and `for` (seconds) narrow down when;
    what strikes by itself does so again `every` so many seconds. From `id` on is ours.
    """

    kind: str
    times: int = 1
    chance: float = 1.0
    skip: int = 0
    method: str = ""
    channel: str = ""
    symbol: str = ""
    seconds: float = 1.0
    status: int = 502
    code: int = 1012
    text: str = "EService:Unavailable"
    after: bool = False
    mode: str = "maintenance"
    share: float = 0.1
    since: float | str = msgspec.field(default=0.0, name="from")
    lasts: float = msgspec.field(default=0.0, name="for")
    every: float = 0.0
    id: str = ""
    name: str = ""
    begins: int = 0
    ends: int = 0
    occasions: int = 0
    struck: int = 0
    was: str = ""

    def at(self, now: int) -> bool:
        """Whether this is the time for it."""
        return self.begins <= now and not self.over(now)

    def over(self, now: int) -> bool:
        """Whether its time is over."""
        return 0 < self.ends <= now


class Strike(msgspec.Struct, frozen=True):
    """One stroke of one fault; `stroke` counts from 1."""

    id: str
    stroke: int
    kind: str
    name: str
    where: str
    time: str


class Faults:
    """The faults that wait, and those that struck. The same seed strikes the same way.

    What changed since it was last kept is in `changed` (None if the fault is gone) and
    `fresh`; whoever keeps it clears both.
    """

    def __init__(self, seed: int = 0) -> None:
        self.waiting: dict[str, Fault] = {}
        self.struck: deque[Strike] = deque(maxlen=REMEMBERED)
        self.changed: dict[str, Fault | None] = {}
        self.fresh: list[Strike] = []
        self.asked = 0
        self._seed = seed

    def restore(self, waiting: list[Fault], struck: list[Strike], asked: int) -> None:
        """Go on where an earlier run left off."""
        self.waiting = {fault.id: fault for fault in waiting}
        self.struck.extend(struck)
        self.asked = asked

    def add(self, form: Any, now: int = 0) -> Fault:
        """Take up a fault at a moment of the exchange, or say what is wrong with it."""
        name = f"F{self.asked + 1}"
        fault = read_fault(draw(form, self._seed, name))
        fault.id = name
        fault.begins = _beginning(fault.since, now)
        if fault.lasts:
            fault.ends = fault.begins + int(fault.lasts * SECOND_NS)
        if fault.kind in STANDING:
            fault.times = 0
        elif fault.kind in SUDDEN and not fault.every:
            fault.times = 1
        self.asked += 1
        self.waiting[name] = self.changed[name] = fault
        return fault

    def remove(self, name: str = "") -> list[Fault]:
        """Take back one fault, or all of them."""
        gone = [fault for fault in self.waiting.values() if name in {"", fault.id}]
        for fault in gone:
            self._forget(fault)
        return gone

    def take(
        self,
        kinds: Collection[str],
        now: int,
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
            if fault.at(now) and self._happens(fault):
                self.strike(fault, " ".join(filter(None, (method, channel, symbol))), now)
                return fault
        return None

    def _happens(self, fault: Fault) -> bool:
        fault.occasions += 1
        self.changed[fault.id] = fault
        if fault.occasions <= fault.skip:
            return False
        drawn = number(self._seed, fault.id, fault.occasions) / 2**64
        return fault.chance == 1 or drawn < fault.chance

    def due(self, now: int) -> list[Fault]:
        """Give the faults that strike by themselves by now; each is to be struck once."""
        found = []
        for fault in list(self.waiting.values()):
            begins = fault.kind in STANDING and fault.at(now) and not fault.struck
            if begins or (fault.kind in SUDDEN and self._sudden(fault, now)):
                found.append(fault)
        return found

    def _sudden(self, fault: Fault, now: int) -> bool:
        """Whether a moment has come since the last time; several at once count as one."""
        until = min(now, fault.ends - 1) if fault.ends else now
        if until < fault.begins:
            return False
        every = int(fault.every * SECOND_NS)
        moments = (until - fault.begins) // every + 1 if every else 1
        if moments <= fault.occasions:
            return False
        fault.occasions = moments - 1
        happens = self._happens(fault)
        if not (every or happens):
            self._forget(fault)
        return happens

    def over(self, now: int) -> list[Fault]:
        """Forget the faults whose time is over, and give them."""
        gone = [fault for fault in self.waiting.values() if fault.over(now)]
        for fault in gone:
            self._forget(fault)
        return gone

    def strike(self, fault: Fault, where: str, now: int) -> None:
        """Note that a fault struck, and forget it if that was the last time."""
        fault.struck += 1
        self.changed[fault.id] = fault
        _log.warning("fault %s.%d, %s, struck %s", fault.id, fault.struck, fault.name, where)
        made = Strike(fault.id, fault.struck, fault.kind, fault.name, where, stamp(now))
        self.struck.append(made)
        self.fresh.append(made)
        if fault.times and fault.struck >= fault.times:
            self._forget(fault)

    def standing(self, kind: str, now: int) -> Fault | None:
        """Give a fault of a kind that lasts and whose time it is, if there is one."""
        return next((f for f in self.waiting.values() if f.kind == kind and f.at(now)), None)

    def _forget(self, fault: Fault) -> None:
        self.waiting.pop(fault.id, None)
        self.changed[fault.id] = None


def read_fault(form: Any) -> Fault:
    """Read a fault as it was asked for, by its kind or by a short name."""
    if not isinstance(form, dict):
        raise Refused("a fault is a JSON object with a kind")
    asked = form.get("kind")
    known = SHORT.get(asked, {}) if isinstance(asked, str) else {}
    try:
        fault = msgspec.convert({**form, **known, **_without(form, "kind")}, Fault)
    except msgspec.ValidationError as error:
        raise Refused(str(error)) from error
    if fault.kind not in KINDS:
        raise Refused(f"kind must be one of {', '.join([*KINDS, *SHORT])}")
    _check_bounds(fault)
    fault.name, fault.occasions, fault.struck = str(asked), 0, 0
    fault.begins, fault.ends, fault.was = 0, 0, ""
    return fault


def _without(form: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in form.items() if key != name}


def _check_bounds(fault: Fault) -> None:
    least = -DAY_SECONDS if fault.kind == "clock_skew" else 0
    if not (0 <= fault.times <= MOST and 0 <= fault.skip <= MOST and 0 <= fault.chance <= 1):
        raise Refused(f"times and skip must be 0 to {MOST}, and chance between 0 and 1")
    if not least <= fault.seconds <= DAY_SECONDS or not 0 <= fault.share <= 1:
        raise Refused("seconds must be within a day, and share between 0 and 1")
    if not (0 <= fault.lasts <= YEAR_SECONDS and 0 <= fault.every <= YEAR_SECONDS):
        raise Refused("for and every must be within a year")
    if fault.kind == "maintenance" and fault.mode not in MODES:
        raise Refused(f"mode must be one of {', '.join(MODES)}")
    if not 400 <= fault.status <= 599 or not 1000 <= fault.code <= 4999:  # noqa: PLR2004 - HTTP's and websocket's ranges
        raise Refused("status must be 400 to 599 and code 1000 to 4999")


def _beginning(since: float | str, now: int) -> int:
    if isinstance(since, str):
        return moment(since, "from")
    if not 0 <= since <= YEAR_SECONDS:
        raise Refused("from must be a time, or seconds within a year")
    return now + int(since * SECOND_NS)
