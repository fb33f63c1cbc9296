"""What the exchange has done before: finished orders, fills and ledger entries, read from disk.

The exchange itself remembers only what is open, so its memory does not grow with its past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sandbox.errors import BadStart, printable
from sandbox.orders import LedgerEntry, Order, Trade

if TYPE_CHECKING:
    import sqlite3

Kept = TypeVar("Kept")
PAGE = 50
EVER = 2**62


@dataclass(frozen=True, kw_only=True)
class Span:
    """What is later than `after` and not later than `until`: times in ns, or ids of rows.

    Of two rows of one moment the one written first is the earlier. An id that nobody knows is
    earlier than everything.
    """

    after: int | str = -1
    until: int | str = EVER


class Page(msgspec.Struct, frozen=True):
    """Some of the rows that were asked for, latest first, and how many there are in all."""

    rows: list[Any]
    count: int


class History:
    """Reads what the store has written; the caller writes down what is new before."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    def order(self, txid: str) -> Order | None:
        """Give an order of any state."""
        return self._one("orders", txid, Order)

    def trade(self, txid: str) -> Trade | None:
        """Give a fill."""
        return self._one("trades", txid, Trade)

    def sure_trade(self, txid: str) -> Trade:
        """Give a fill that an order names; a state file without it is broken."""
        found = self.trade(txid)
        if found is None:
            msg = f"the state file lacks the fill {txid}"
            raise BadStart(msg, 2)
        return found

    def entry(self, name: str) -> LedgerEntry | None:
        """Give an entry of the ledger."""
        return self._one("entries", name, LedgerEntry)

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        (number,) = self._base.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
        return int(number)

    def closed_orders(
        self, account: str, span: Span, offset: int, *, by_opening: bool = False, **equal: Any
    ) -> Page:
        """Give finished orders by the time they ended or were opened, those that end last first.

        Args:
            account: Whose.
            span: Which times.
            offset: How many of the latest to leave out.
            by_opening: Whether the times are those of the opening.
            equal: Columns and what they must hold.
        """
        time = "opened" if by_opening else "closed"
        where = f"account = ? AND closed > 0 AND {_within('orders', time, span)}"
        return self._page("orders", Order, where, (account, span, equal), "closed", offset)

    def trades(self, account: str, span: Span, offset: int) -> Page:
        """Give fills, the latest first."""
        where = f"account = ? AND {_within('trades', 'time', span)}"
        return self._page("trades", Trade, where, (account, span, {}), "time", offset)

    def latest_trades(self, most: int) -> list[Trade]:
        """Give the last fills of all accounts, the latest first."""
        rows = self._base.execute("SELECT body FROM trades ORDER BY rowid DESC LIMIT ?", (most,))
        return [msgspec.json.decode(body, type=Trade) for (body,) in rows]

    def entries(self, account: str, span: Span, offset: int, **equal: Any) -> Page:
        """Give entries of the ledger, the latest first."""
        where = f"account = ? AND {_within('entries', 'time', span)}"
        return self._page("entries", LedgerEntry, where, (account, span, equal), "time", offset)

    def entries_of(self, trade: Trade) -> list[str]:
        """Give the ids of what a fill wrote into the ledger, in order."""
        query = "SELECT body FROM entries WHERE account = ? AND time = ? ORDER BY rowid"
        rows = self._base.execute(query, (trade.account, trade.time))
        made = [msgspec.json.decode(body, type=LedgerEntry) for (body,) in rows]
        return [entry.id for entry in made if entry.ref == trade.txid]

    def _one(self, table: str, name: str, kind: type[Kept]) -> Kept | None:
        query = f"SELECT body FROM {table} WHERE id = ?"  # noqa: S608 - our own names
        found = self._base.execute(query, (printable(name),)).fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=kind)

    def _page(  # noqa: PLR0917 - the parts of one query
        self,
        table: str,
        kind: type[Any],
        where: str,
        wanted: tuple[str, Span, dict[str, Any]],
        time: str,
        offset: int,
    ) -> Page:
        account, span, equal = wanted
        bounds = (span.after, span.until)
        values: list[Any] = [account, *(printable(b) if isinstance(b, str) else b for b in bounds)]
        for column, value in equal.items():
            several = value if isinstance(value, (set, frozenset)) else {value}
            where += f" AND {column} IN ({','.join('?' * len(several))})"
            values.extend(printable(v) if isinstance(v, str) else v for v in several)
        query = f"FROM {table} WHERE {where}"
        (count,) = self._base.execute(f"SELECT count(*) {query}", values).fetchone()
        rows = self._base.execute(
            f"SELECT body {query} ORDER BY {time} DESC, rowid DESC LIMIT ? OFFSET ?",
            [*values, PAGE, max(offset, 0)],
        )
        decoder = msgspec.json.Decoder(kind)
        return Page([decoder.decode(body) for (body,) in rows], int(count))


def _within(table: str, time: str, span: Span) -> str:
    """Write the condition for a span, whose two bounds are still to be filled in."""
    bounds = []
    for bound, later, unknown in ((span.after, ">", 1), (span.until, "<=", 0)):
        if isinstance(bound, int):
            bounds.append(f"{time} {later} ?")
        else:
            row = f"SELECT {time}, rowid FROM {table} WHERE id = ?"  # noqa: S608 - our own names
            bounds.append(f"IFNULL(({time}, rowid) {later} ({row}), {unknown})")
    return " AND ".join(bounds)
