"""One live trader an account: a lock in PostgreSQL that dies with its holder.

The lock is held by a connection of its own, so a killed process frees it at once and a
lost connection is noticed at the next check.
"""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from trader.errors import LeaseLost, LeaseTaken


class Lease:
    """The right to trade one account; held from construction until `release`."""

    def __init__(self, engine: Engine, account: str) -> None:
        """Take the lease.

        Raises:
            LeaseTaken: Another process holds it.
        """
        self._key = int.from_bytes(
            blake2b(f"gal-friday trader {account}".encode(), digest_size=8).digest(), signed=True
        )
        self._connection: Connection = engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        )
        taken = self._connection.execute(
            text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}
        ).scalar_one()
        if not taken:
            self._connection.close()
            raise LeaseTaken(f"another trader holds the lease of account {account!r}")

    def check(self) -> None:
        """Make sure that the connection which holds the lock is alive.

        Raises:
            LeaseLost: It is not; another trader may have started.
        """
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise LeaseLost("the connection that held the trading lease is gone") from error

    def release(self) -> None:
        """Give the lease back."""
        self._connection.invalidate()  # a pooled session would keep the lock
        self._connection.close()
