"""The trader's PostgreSQL: real storage, behind connections that can be lost.

Connections are kept from one life of the trader to the next, emptied of everything a new
one would not have, since opening one takes longer than a whole run may.
"""

from __future__ import annotations

import re
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class by any name
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise
from sqlalchemy import Engine, create_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ops.campaign.points import Points

WRITES = re.compile(r"\b(INSERT INTO|UPDATE) (?:\w+\.)?(\w+)")  # also within another's WITH
PREPARES = re.compile(r"PREPARE (\w+) AS")
EXECUTES = re.compile(r"EXECUTE (\w+)")
# What a transaction is about, by the first of these tables that it wrote to.
SUBJECTS = {
    "orders+": "an intent",
    "fills": "a fill",
    "order_events": "news of an order",
    "reconciliation_events": "a reconciliation",
    "decisions": "a decision",
    "trader_status": "the status",
}
EMPTIED = (
    "discrepancies, reconciliation_events, adjustments, ledger_entries, fills, order_events, "
    "orders, decisions, predictions, outcomes, halts, trader_status, model_deployments, promotions"
)
GONE = "server closed the connection unexpectedly"


class WatchedCursor(Cursor):  # type: ignore[misc] # psycopg2 has no types
    """A cursor that notes what is written and where the trader may be killed."""

    connection: WatchedConnection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's own name
        """Carry a statement out, if the server is there and the trader lives."""
        self.connection.expect_server()
        self.connection.storage.points.reach("at a statement")
        self.connection.note(query.decode() if isinstance(query, bytes) else str(query))
        super().execute(query, vars)


class WatchedConnection(Connection):  # type: ignore[misc] # psycopg2 has no types
    """A connection that can be lost, with or without what was just committed."""

    storage: Storage
    lost: bool = False
    written: frozenset[str] = frozenset()
    prepared: Mapping[str, frozenset[str]] = MappingProxyType({})

    def expect_server(self) -> None:
        """Raise what psycopg2 raises when the server is gone."""
        if self.lost:
            raise OperationalError(GONE)

    def note(self, sql: str) -> None:
        """Note the tables that a statement writes to, or would when it is executed by its name."""
        tables = {
            told
            for verb, table in WRITES.findall(sql)
            for told in (table, f"{table}+" if verb.startswith("INSERT") else table)
        }
        if begun := PREPARES.match(sql):
            self.prepared = {**self.prepared, begun[1]: frozenset(tables)}
            return
        self.written |= tables.union(*(self.prepared[name] for name in EXECUTES.findall(sql)))

    def commit(self) -> None:
        """Commit, unless something happens just before or just after."""
        self.expect_server()
        subject = next((told for name, told in SUBJECTS.items() if name in self.written), "")
        self.written = frozenset()
        if subject:
            self.storage.reach(f"before {subject} is kept")
        super().commit()
        if subject:
            self.storage.reach(f"after {subject} is kept")

    def rollback(self) -> None:
        """Roll back what was not committed."""
        self.expect_server()
        self.written = frozenset()
        super().rollback()

    def close(self) -> None:
        """Give the connection back, as new, or close it for good if it was lost."""
        self.storage.take_back(self)

    def end(self) -> None:
        """Close the connection for good; its locks are free when this returns."""
        if not self.closed:
            super().rollback()
            with super().cursor(cursor_factory=Cursor) as cursor:
                cursor.execute("SELECT pg_advisory_unlock_all()")
            super().close()

    def renew(self) -> None:
        """Forget everything that a new connection would not know."""
        super().rollback()
        self.written, self.prepared = frozenset(), {}
        self.autocommit = True
        with super().cursor(cursor_factory=Cursor) as cursor:
            cursor.execute("DISCARD ALL")
        self.autocommit = False


class Storage:
    """One database for the whole campaign, emptied before every run."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self.folder = url, folder
        # Another process's way in: nothing that happens to the trader's connections hurts it.
        self.beside = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
        self._idle: list[WatchedConnection] = []
        self._out: set[WatchedConnection] = set()
        self._keeper = psycopg2.connect(url)
        self._keeper.autocommit = True
        self._dying: tuple[str, int, Callable[[], None]] | None = None
        self.away = False
        self.outages = 0
        self.losses: Counter[str] = Counter()
        self.points: Points
        self.engine: Engine = create_engine(
            "postgresql+psycopg2://", creator=self._connect, pool_pre_ping=True, pool_size=5
        )

    def empty(self, points: Points) -> None:
        """Forget every run before."""
        self.recover()
        self.points, self._dying, self.losses = points, None, Counter()
        with self._keeper.cursor() as cursor:
            # The history of promotions is only ever added to, unless triggers sleep.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(";".join(f"DELETE FROM {name}" for name in EMPTIED.split(", ")))  # noqa: S608 - our own names
            cursor.execute("DELETE FROM market.price_bars")
            cursor.execute("SET session_replication_role = origin")

    def compact(self) -> None:
        """Give back the room of the rows that were deleted."""
        with self._keeper.cursor() as cursor:
            cursor.execute(f"VACUUM {EMPTIED}, market.price_bars")

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self.beside.dispose()
        for connection in [*self._idle, *self._out]:
            connection.end()
        self._keeper.close()

    def abandon(self) -> None:
        """Let go of everything a killed trader held; the server rolls back and unlocks."""
        self.engine.dispose()
        for connection in list(self._out):
            self._out.discard(connection)
            connection.end()

    def go_away(self) -> None:
        """Lose every connection and refuse new ones."""
        self.away = True
        self.outages += 1
        for connection in list(self._out):
            connection.lost = True

    def recover(self) -> None:
        """Answer again."""
        self.away = False

    def die_at(self, name: str, number: int, go_away: Callable[[], None]) -> None:
        """Go away at the `number`th time that a point of a commit is passed."""
        self._dying = name, number, go_away

    def spare(self) -> None:
        """Do not go away any more."""
        self._dying = None

    def reach(self, name: str) -> None:
        """Pass a point of a commit.

        Raises:
            Crash: The trader is killed here.
            OperationalError: The server goes away here.
        """
        self.points.reach(name)
        if self._dying is None or self._dying[0] != name:
            return
        _, number, go_away = self._dying
        self._dying = (name, number - 1, go_away) if number > 1 else None
        if self._dying is None:
            self.losses[name] += 1
            go_away()
            raise OperationalError(GONE)

    def take_back(self, connection: WatchedConnection) -> None:
        """Take a connection back that the trader has closed."""
        if connection not in self._out:
            return
        self._out.discard(connection)
        if connection.lost or connection.closed:
            connection.lost = False
            connection.end()
        else:
            connection.renew()
            self._idle.append(connection)

    def _connect(self) -> Connection:
        if self.away:
            raise OperationalError("could not connect to server: Connection refused")
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = psycopg2.connect(
                self._url,
                connection_factory=WatchedConnection,
                cursor_factory=WatchedCursor,
                options="-c timezone=UTC",
            )
            connection.storage = self
        self._out.add(connection)
        return connection
