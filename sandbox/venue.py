"""The running exchange: time, memory, keys and publication around the pure one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.clock import SECOND_NS
from sandbox.faults import Faults
from sandbox.gate import Gate
from sandbox.limits import Limits
from sandbox.orders import Event
from sandbox.passage import advance
from sandbox.tokens import Tokens

if TYPE_CHECKING:
    from decimal import Decimal

    from sandbox.clock import Clock
    from sandbox.exchange import Exchange
    from sandbox.history import History
    from sandbox.keys import Key
    from sandbox.mirror import Mirror
    from sandbox.orders import LedgerEntry, Order, Trade
    from sandbox.recording import Recording
    from sandbox.store import Store

MODES = ("online", "maintenance", "cancel_only", "post_only", "limit_only")
Listener = Callable[[list[Event], int], None]


@dataclass
class Venue:
    """One exchange in operation.

    Every request first brings the exchange up to the present, and before it is answered
    everything it changed is written down and published, in this order.
    """

    exchange: Exchange
    clock: Clock
    store: Store
    keys: dict[str, Key]
    opening: dict[str, Decimal]
    tokens: Tokens = field(default_factory=Tokens)
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    gate: Gate = field(default_factory=Gate)
    recording: Recording | None = None
    mirror: Mirror | None = None
    mode: str = "online"
    pair_fees: bool = False
    listeners: list[Listener] = field(default_factory=list)
    touched: dict[str, Key] = field(default_factory=dict)

    def sync(self) -> int:
        """Bring the exchange to the present and give its time.

        A mirror that takes no orders still fills them: its source, which it lost, goes on.
        """
        now = self.clock.now()
        holds = self.mirror is not None and self.mirror.holds
        goes_on = holds and self.mode == "cancel_only"
        advance(self.exchange, now, "online" if goes_on else self.mode)
        return now

    def commit(self, now: int) -> None:
        """Keep what changed and then tell those who listen."""
        self.keep_faults()
        if not self.exchange.journal.empty:
            self.store.save(self.exchange, list(self.touched.values()), self.clock.anchor)
            self.touched = {}
        events, self.exchange.events = self.exchange.events, []
        if self.recording is not None:
            self.recording.events(events)
        for listener in self.listeners:
            listener(events, now)

    @property
    def past(self) -> History:
        """What was done until now, all of it written down."""
        self.commit(self.exchange.time)
        return self.store.history

    def order(self, txid: str) -> Order | None:
        """Give an order, open or finished."""
        return self.exchange.orders.get(txid) or self.store.history.order(txid)

    def trade(self, txid: str) -> Trade | None:
        """Give a fill."""
        return self.exchange.trades.get(txid) or self.store.history.trade(txid)

    def entry(self, name: str) -> LedgerEntry | None:
        """Give an entry of the ledger."""
        return self.exchange.ledger.get(name) or self.store.history.entry(name)

    def skew(self, now: int) -> int:
        """Give by how many ns the exchange's clock is wrong, thanks to a fault."""
        fault = self.faults.standing("clock_skew", now) if self.faults.waiting else None
        return 0 if fault is None else int(fault.seconds * SECOND_NS)

    def checkpoint(self) -> None:
        """Keep the time and the nonces, even though no order changed."""
        self.keep_faults()
        self.store.save(self.exchange, list(self.touched.values()), self.clock.anchor)
        self.touched = {}

    def keep_faults(self) -> None:
        """Keep the faults that changed and the strokes that are new."""
        changed, fresh = self.faults.changed, self.faults.fresh
        if changed or fresh:
            self.store.save_faults(changed, fresh, self.faults.asked)
            self.faults.changed, self.faults.fresh = {}, []

    def add_key(self, key: Key, now: int) -> None:
        """Admit a key, and open its account if it is new."""
        new = all(other.account != key.account for other in self.keys.values())
        key.created = key.created or now
        self.keys[key.name] = key
        self.touched[key.name] = key
        if new:
            for asset, amount in self.opening.items():
                self.exchange.deposit(key.account, asset, amount, now)
        self.checkpoint()
        self.commit(now)
