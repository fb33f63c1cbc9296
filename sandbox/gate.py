"""How often an address, a key or a connection may knock before it is turned away.

Kraken says what happens and publishes few of the numbers; those that are a guess are marked
so. Everything rests unless limits are asked for.

Sources: docs.kraken.com, exchange/guides/rest/ratelimits, guides/spot-ws-intro and
exchange/guides/general/errors.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, field

from sandbox.errors import Refused
from sandbox.limits import SECOND_NS, Counter

CONNECTIONS = 150
CONNECTIONS_NS = 600 * SECOND_NS
BAN_NS = 600 * SECOND_NS
PUBLIC_DECAY = 1.0
PUBLIC_BURST = 10  # a guess
AT_ONCE = 10  # a guess
AGAIN_NS = SECOND_NS  # a guess
FAILURES = 5  # a guess: "after like 3 attempts", python3-krakenex issue 31
LOCKOUT_NS = 900 * SECOND_NS
MESSAGES_DECAY = 50.0  # a guess; Kraken's own moves with the load
MESSAGES_BURST = 100  # a guess
TOO_FAST = b'{"Error":"Exceeded msg rate"}'


@dataclass
class _Arrivals:
    times: deque[int] = field(default_factory=deque)
    banned: int = 0


@dataclass
class Gate:
    """Everybody who knocked lately. All times are the exchange's, in ns."""

    closes: bool = False
    _arrivals: dict[str, _Arrivals] = field(default_factory=dict)
    _public: dict[str, Counter] = field(default_factory=dict)
    _inside: Tally[str] = field(default_factory=Tally)
    _failures: Tally[str] = field(default_factory=Tally)
    _locked: dict[str, int] = field(default_factory=dict)

    def connect(self, address: str, now: int) -> bool:
        """Tell whether an address may open one more websocket; too many close it for a while."""
        if not self.closes:
            return True
        seen = self._arrivals.setdefault(address, _Arrivals())
        if now < seen.banned:
            return False
        while seen.times and seen.times[0] <= now - CONNECTIONS_NS:
            seen.times.popleft()
        if len(seen.times) >= CONNECTIONS:
            seen.times.clear()
            seen.banned = now + BAN_NS
            return False
        seen.times.append(now)
        return True

    def ask(self, address: str, now: int) -> None:
        """Count a public call of an address, or refuse it."""
        if not self.closes:
            return
        counter = self._public.setdefault(address, Counter())
        if counter.at(now, PUBLIC_DECAY) + 1 > PUBLIC_BURST:
            raise Refused("EGeneral:Too many requests")
        counter.value += 1

    def enter(self, key: str, now: int) -> None:
        """Let in one more private call that has begun, or refuse it while too many are inside."""
        if self.closes and self._inside[key] >= AT_ONCE:
            raise Refused(f"EService: Throttled: {(now + AGAIN_NS) // SECOND_NS}")
        self._inside[key] += 1

    def leave(self, key: str) -> None:
        """Take note that a private call is answered."""
        self._inside[key] -= 1
        if self._inside[key] <= 0:
            del self._inside[key]

    def check_lock(self, *subjects: str, now: int, anew: str = "") -> None:
        """Refuse addresses and keys that are locked out; a wrong key, `anew`, waits anew."""
        if all(self._locked.get(subject, 0) <= now for subject in subjects):
            return
        if anew:
            self._locked[anew] = now + LOCKOUT_NS
        raise Refused("EGeneral:Temporary lockout")

    def fail(self, subject: str, now: int) -> None:
        """Count a call that was signed wrongly; several in a row lock its subject out."""
        if not self.closes:
            return
        self._failures[subject] += 1
        if self._failures[subject] >= FAILURES:
            del self._failures[subject]
            self._locked[subject] = now + LOCKOUT_NS

    def succeed(self, *subjects: str) -> None:
        """Forget the failures of those who have signed a call rightly."""
        for subject in subjects:
            self._failures.pop(subject, None)

    def hear(self, pace: Counter, now: int) -> bool:
        """Tell whether a websocket message comes at a bearable pace, and count it."""
        if not self.closes:
            return True
        if pace.at(now, MESSAGES_DECAY) + 1 > MESSAGES_BURST:
            return False
        pace.value += 1
        return True
