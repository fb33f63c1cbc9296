"""How often a client may call: the counter of a key over REST, and the engine's per market.

The engine's counters run whether or not anything is refused for them, since clients may ask
to be told of them.

Source: docs.kraken.com, rest/ratelimits and guides/spot-ratelimits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil

from sandbox.errors import Refused

SECOND_NS = 1_000_000_000
DEAR = frozenset({"Ledgers", "QueryLedgers", "TradesHistory"})
TRADING = frozenset(
    {"AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch"}
)
# What an operation on an order costs by the order's age: (younger than, in seconds; cost).
AMEND = ((5, 3), (10, 2), (15, 1))
EDIT = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))
CANCEL = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))


@dataclass(frozen=True)
class Allowance:
    """What one tier of verification allows."""

    calls: float
    calls_decay: float
    engine: float
    engine_decay: float
    open_orders: int


TIERS = {
    "starter": Allowance(15, 0.33, 60, 1.0, 60),
    "intermediate": Allowance(20, 0.5, 125, 2.34, 80),
    "pro": Allowance(20, 1.0, 180, 3.75, 225),
}


@dataclass
class Counter:
    """A number that sinks to nothing as time passes; `time` is when it was looked at last."""

    value: float = 0.0
    time: int = 0

    def at(self, now: int, decay: float) -> float:
        """Give the number at a time in ns; it sinks by `decay` a second."""
        self.value = max(self.value - decay * max(now - self.time, 0) / SECOND_NS, 0.0)
        self.time = max(now, self.time)
        return self.value


def by_age(table: tuple[tuple[int, int], ...], age: int) -> int:
    """Give what an operation costs on an order of an age in ns."""
    return next((cost for seconds, cost in table if age < seconds * SECOND_NS), 0)


@dataclass
class Limits:
    """The counters of every key and of every account's markets; without a tier none refuses.

    A squeeze leaves a `share` of what the tier allows, and wakes counters that rest.
    """

    tier: str | None = None
    share: float | None = None
    _calls: dict[str, Counter] = field(default_factory=dict)
    _engine: dict[tuple[str, str], Counter] = field(default_factory=dict)

    @property
    def enforced(self) -> bool:
        """Whether anything is refused for its number."""
        return self.tier is not None or self.share is not None

    @property
    def allowance(self) -> Allowance:
        """What the tier allows, or what the highest would where no tier is set."""
        whole = TIERS[self.tier or "pro"]
        if self.share is None:
            return whole
        return replace(
            whole,
            calls=whole.calls * self.share,
            engine=whole.engine * self.share,
            open_orders=int(whole.open_orders * self.share),
        )

    def call(self, key: str, method: str, now: int) -> None:
        """Count a call over REST, or refuse it."""
        if not self.enforced or method in TRADING:
            return
        counter = self._calls.setdefault(key, Counter())
        cost = 2 if method in DEAR else 1
        if counter.at(now, self.allowance.calls_decay) + cost > self.allowance.calls:
            raise Refused("EAPI:Rate limit exceeded")
        counter.value += cost

    def count(self, account: str, symbol: str, now: int) -> float:
        """Give the engine's counter of an account in a market."""
        counter = self._engine.setdefault((account, symbol), Counter())
        return counter.at(now, self.allowance.engine_decay)

    def told(self, account: str, symbol: str, now: int) -> int:
        """Give the engine's counter as clients are told of it, whole and never too low."""
        return ceil(self.count(account, symbol, now))

    def act(self, account: str, symbol: str, cost: float, now: int) -> None:
        """Count an operation on orders of a market, or refuse it."""
        if self.enforced and self.count(account, symbol, now) + cost > self.allowance.engine:
            raise Refused("EOrder:Rate limit exceeded")
        self.pay(account, symbol, cost, now)

    def pay(self, account: str, symbol: str, cost: float, now: int) -> None:
        """Count an operation that is never refused, such as a cancellation."""
        self.count(account, symbol, now)
        self._engine[account, symbol].value += cost

    def check_open(self, open_orders: int) -> None:
        """Refuse one open order too many in a market."""
        if self.enforced and open_orders >= self.allowance.open_orders:
            raise Refused("EOrder:Orders limit exceeded")

    def check_scheduled(self, scheduled: int) -> None:
        """Refuse one order too many in a market that is to begin later."""
        if self.enforced and scheduled >= self.allowance.open_orders:
            raise Refused("EOrder:Scheduled orders limit exceeded")
