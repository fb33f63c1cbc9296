"""The exchange's memory on disk: what was acknowledged survives the process being killed.

Everything one request changed is written in one transaction, before it is answered. What
cannot be written ends the exchange, so nothing is ever acknowledged and then lost.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sandbox.errors import BadStart, StateLost
from sandbox.faults import Fault, Strike
from sandbox.history import History
from sandbox.instruments import BY_SYMBOL
from sandbox.journal import Journal
from sandbox.keys import Key
from sandbox.liquidity import Taken
from sandbox.orders import OPEN, PENDING, Order, Trade
from sandbox.tape import OwnPrint
from sandbox.volumes import WINDOW_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.clock import Anchor
    from sandbox.exchange import Exchange
    from sandbox.faults import Faults

VERSION = 2
PAGES = 8000  # of 4 KiB, until the log is moved into the file, which makes a request wait
NAMED = ("taken", "keys", "facts", "faults", "strikes")
COLUMNS = {
    "orders": ("account", "opened", "closed", "status", "userref", "cl_ord_id"),
    "trades": ("account", "time"),
    "entries": ("account", "asset", "kind", "time"),
    "prints": ("symbol", "time"),
} | dict.fromkeys(NAMED, ())
SCHEMA = ";".join(
    ["BEGIN IMMEDIATE"]
    + [
        f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(['id TEXT PRIMARY KEY', *columns])},"
        " body BLOB NOT NULL)"
        for table, columns in COLUMNS.items()
    ]
    + [
        "CREATE INDEX IF NOT EXISTS ended ON orders (account, closed)",
        (
            "CREATE INDEX IF NOT EXISTS standing ON orders (status)"
            " WHERE status IN ('open', 'pending')"
        ),
        "CREATE INDEX IF NOT EXISTS filled ON trades (account, time)",
        "CREATE INDEX IF NOT EXISTS dated ON trades (time)",
        "CREATE INDEX IF NOT EXISTS posted ON entries (account, time)",
        "CREATE INDEX IF NOT EXISTS printed ON prints (symbol, time)",
        f"PRAGMA user_version = {VERSION}",
        "COMMIT",
    ]
)
Kept = TypeVar("Kept")


class Store:
    """One SQLite file; without a path one that the system deletes when the exchange ends."""

    def __init__(self, path: str | None) -> None:
        self._path = path or "in memory"
        try:
            self._base = sqlite3.connect(path or "", isolation_level=None)
            self._base.execute(f"PRAGMA journal_mode={'WAL' if path else 'OFF'}")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(f"PRAGMA wal_autocheckpoint={PAGES}")
            self._base.execute(f"PRAGMA journal_size_limit={4096 * PAGES}")
            self._base.execute("PRAGMA busy_timeout=0")
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._check_version()
            self._base.executescript(SCHEMA)
            self.history = History(self._base)
        except sqlite3.Error as error:
            msg = f"the state file {path} cannot be used: {error}"
            raise BadStart(msg, 2) from error

    def _check_version(self) -> None:
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        (tables,) = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and version != VERSION:
            msg = f"the state file {self._path} was written by another version of the sandbox"
            raise BadStart(msg, 2)

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def fact(self, name: str, kind: type[Kept]) -> Kept | None:
        """Read one named fact."""
        row = self._base.execute("SELECT body FROM facts WHERE id = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=kind)

    def read_keys(self) -> list[Key]:
        """Read the keys."""
        return list(self._read("keys", Key))

    def _read(self, table: str, kind: type[Kept], where: str = "") -> Iterator[Kept]:
        rows = self._base.execute(f"SELECT body FROM {table} {where} ORDER BY rowid")  # noqa: S608 - our own names
        decoder = msgspec.json.Decoder(kind)
        return (decoder.decode(body) for (body,) in rows)

    def load(self, exchange: Exchange) -> None:
        """Put what is kept back into an exchange that knows nothing yet."""
        for own in self._read("prints", OwnPrint):
            exchange.tapes[own.symbol].add(own)
        exchange.minted = self.fact("minted", int) or 0
        exchange.time = self.fact("time", int) or 0
        exchange.switches = self.fact("switches", dict[str, int]) or {}
        recent = f"WHERE time > {exchange.time - WINDOW_NS}"
        for trade in self._read("trades", Trade, recent):
            exchange.volumes.add(trade.account, trade.time, trade.cost)
        for gone in self._read("taken", Taken):
            exchange.liquidity[gone.symbol].restore(gone)
        self._restore_accounts(exchange)

    def _restore_accounts(self, exchange: Exchange) -> None:
        kept = self.fact("balances", list[tuple[str, str, str]]) or []
        for account, asset, amount in kept:
            exchange.accounts.balances[account, asset] = Decimal(amount)
        waiting = self._read("orders", Order, f"WHERE status IN ('{OPEN}', '{PENDING}')")
        for order in sorted(waiting, key=lambda o: o.rank):
            exchange.orders[order.txid] = exchange.open[order.txid] = order
            for txid in order.trades:
                exchange.trades[txid] = self.history.sure_trade(txid)
            pair = BY_SYMBOL[order.symbol]
            held = pair.quote if order.buys else pair.base
            exchange.accounts.hold(order.account, held.id, order.reserve)

    def save(self, exchange: Exchange, keys: list[Key], anchor: Anchor) -> None:
        """Write what changed since the last time, all or nothing, and let go what is over."""
        journal, exchange.journal = exchange.journal, Journal()
        with self._transaction():
            self._write("orders", [(o.txid, o) for o in journal.orders.values()])
            self._write("trades", [(t.txid, t) for t in journal.trades])
            self._write("entries", [(e.id, e) for e in journal.entries])
            self._write("prints", [(f"{p.symbol} {p.time}", p) for p in journal.prints])
            self._write("keys", [(key.name, key) for key in keys])
            self._write_taken(exchange)
            facts: list[tuple[str, Any]] = [
                ("minted", exchange.minted),
                ("time", exchange.time),
                ("anchor", anchor),
                ("switches", exchange.switches),
            ]
            if journal.entries:
                found = exchange.accounts.balances.items()
                facts.append(("balances", [(who, asset, amount) for (who, asset), amount in found]))
            self._write("facts", facts)
        exchange.forget(journal)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._base.execute("BEGIN IMMEDIATE")
            yield
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise StateLost(self._path, str(error)) from error

    def _write_taken(self, exchange: Exchange) -> None:
        """Write which levels of the book were taken, and forget those that were forgotten."""
        for symbol, liquidity in exchange.liquidity.items():
            changed, liquidity.changed = liquidity.changed, {}
            named = {f"{symbol} {asks} {price}": gone for (asks, price), gone in changed.items()}
            for name, gone in named.items():
                if gone is None:
                    self._base.execute("DELETE FROM taken WHERE id = ?", (name,))
            self._write("taken", [(name, gone) for name, gone in named.items() if gone])

    def _write(self, table: str, rows: list[tuple[str, Any]]) -> None:
        if not rows:
            return
        columns = COLUMNS[table]
        names = ", ".join(["id", *columns, "body"])
        changes = ", ".join(f"{name} = excluded.{name}" for name in (*columns, "body"))
        self._base.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * (len(columns) + 2))}) "  # noqa: S608 - our own names
            f"ON CONFLICT (id) DO UPDATE SET {changes}",
            [
                (name, *(getattr(body, column) for column in columns), msgspec.json.encode(body))
                for name, body in rows
            ],
        )

    def load_faults(self, faults: Faults) -> None:
        """Put the faults that waited, and those that struck, back."""
        struck = list(self._read("strikes", Strike))
        waiting = list(self._read("faults", Fault))
        faults.restore(waiting, struck, self.fact("faults asked", int) or 0)

    def save_faults(
        self, changed: dict[str, Fault | None], fresh: list[Strike], asked: int
    ) -> None:
        """Write the faults that changed, forget those that are gone, add the strokes."""
        with self._transaction():
            for name, fault in changed.items():
                if fault is None:
                    self._base.execute("DELETE FROM faults WHERE id = ?", (name,))
            self._write("faults", [(name, fault) for name, fault in changed.items() if fault])
            self._write("strikes", [(f"{strike.id}.{strike.stroke}", strike) for strike in fresh])
            self._write("facts", [("faults asked", asked)])

    def set_facts(self, facts: dict[str, Any]) -> None:
        """Write named facts."""
        with self._transaction():
            self._write("facts", list(facts.items()))
