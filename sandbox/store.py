"""The exchange's memory on disk: what was acknowledged survives the process being killed.

Everything one request changed is written in one transaction, before it is answered.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sandbox.errors import BadStart
from sandbox.faults import Fault, Strike
from sandbox.instruments import BY_SYMBOL
from sandbox.journal import Journal
from sandbox.keys import Key
from sandbox.orders import OPEN, LedgerEntry, Order, Trade
from sandbox.tape import OwnPrint

if TYPE_CHECKING:
    from sandbox.clock import Anchor
    from sandbox.exchange import Exchange
    from sandbox.faults import Faults

TABLES = ("orders", "trades", "entries", "prints", "keys", "facts", "faults", "strikes")
SCHEMA = ";".join(
    f"CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, body BLOB NOT NULL)"
    for name in TABLES
)
Kept = TypeVar("Kept")


class Store:
    """One SQLite file, or nothing but memory when there is no path."""

    def __init__(self, path: str | None) -> None:
        try:
            self._base = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute("PRAGMA busy_timeout=0")
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._base.executescript(SCHEMA)
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            msg = f"the state file {path} cannot be used: {error}"
            raise BadStart(msg, 2) from error

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def fact(self, name: str, kind: type[Kept]) -> Kept | None:
        """Read one named fact."""
        row = self._base.execute("SELECT body FROM facts WHERE id = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=kind)

    def read_keys(self) -> list[Key]:
        """Read the keys."""
        return self._read("keys", Key)

    def _read(self, table: str, kind: type[Kept]) -> list[Kept]:
        rows = self._base.execute(f"SELECT body FROM {table} ORDER BY rowid")  # noqa: S608 - our own names
        decoder = msgspec.json.Decoder(kind)
        return [decoder.decode(body) for (body,) in rows]

    def load(self, exchange: Exchange) -> None:
        """Put what is kept back into an exchange that knows nothing yet."""
        for order in self._read("orders", Order):
            exchange.orders[order.txid] = order
        for trade in self._read("trades", Trade):
            exchange.trades[trade.txid] = trade
            exchange.volumes.add(trade.account, trade.time, trade.cost)
        for own in self._read("prints", OwnPrint):
            exchange.tapes[own.symbol].add(own)
        for entry in self._read("entries", LedgerEntry):
            exchange.ledger[entry.id] = entry
        self._restore_accounts(exchange)
        exchange.minted = self.fact("minted", int) or 0
        exchange.time = self.fact("time", int) or 0
        exchange.switches = self.fact("switches", dict[str, int]) or {}

    def _restore_accounts(self, exchange: Exchange) -> None:
        kept = self.fact("balances", list[tuple[str, str, str]]) or []
        for account, asset, amount in kept:
            exchange.accounts.balances[account, asset] = Decimal(amount)
        waiting = [order for order in exchange.orders.values() if order.status == OPEN]
        for order in sorted(waiting, key=lambda o: o.rank):
            exchange.open[order.txid] = order
            pair = BY_SYMBOL[order.symbol]
            held = pair.quote if order.buys else pair.base
            exchange.accounts.hold(order.account, held.id, order.reserve)

    def save(self, exchange: Exchange, keys: list[Key], anchor: Anchor) -> None:
        """Write what changed since the last time, all or nothing."""
        journal, exchange.journal = exchange.journal, Journal()
        begin = self._base.execute
        begin("BEGIN IMMEDIATE")
        self._write("orders", [(o.txid, o) for o in journal.orders.values()])
        self._write("trades", [(t.txid, t) for t in journal.trades])
        self._write("entries", [(e.id, e) for e in journal.entries])
        self._write("prints", [(f"{p.symbol} {p.time}", p) for p in journal.prints])
        self._write("keys", [(key.name, key) for key in keys])
        facts: list[tuple[str, Any]] = [
            ("minted", exchange.minted),
            ("time", exchange.time),
            ("anchor", anchor),
            ("switches", exchange.switches),
        ]
        if journal.entries:
            balances = exchange.accounts.balances.items()
            facts.append(("balances", [(who, asset, amount) for (who, asset), amount in balances]))
        self._write("facts", facts)
        begin("COMMIT")

    def _write(self, table: str, rows: list[tuple[str, Any]]) -> None:
        if rows:
            self._base.executemany(
                f"INSERT INTO {table} (id, body) VALUES (?, ?) "  # noqa: S608 - our own names
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [(identity, msgspec.json.encode(body)) for identity, body in rows],
            )

    def load_faults(self, faults: Faults) -> None:
        """Put the faults that waited, and those that struck, back."""
        struck = self._read("strikes", Strike)
        faults.restore(self._read("faults", Fault), struck, self.fact("faults asked", int) or 0)

    def save_faults(
        self, changed: dict[str, Fault | None], fresh: list[Strike], asked: int
    ) -> None:
        """Write the faults that changed, forget those that are gone, add the strokes."""
        self._base.execute("BEGIN IMMEDIATE")
        for name, fault in changed.items():
            if fault is None:
                self._base.execute("DELETE FROM faults WHERE id = ?", (name,))
        self._write("faults", [(name, fault) for name, fault in changed.items() if fault])
        self._write("strikes", [(f"{strike.id}.{strike.stroke}", strike) for strike in fresh])
        self._write("facts", [("faults asked", asked)])
        self._base.execute("COMMIT")

    def set_facts(self, facts: dict[str, Any]) -> None:
        """Write named facts."""
        self._write("facts", list(facts.items()))
