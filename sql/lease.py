"""One live trader an account: a lock in PostgreSQL that dies with its holder.

The lock is held by a connection of its own, so a killed process frees it at once and a
lost connection is noticed at the next check.
"""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from sql.errors import LeaseLost, LeaseTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRY_EVERY = 0.5  # seconds between a standby's attempts


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
        self._engine, self._account = engine, account
        self._connection = self._take()

    @classmethod
    def wait(cls, engine: Engine, account: str, pause: Callable[[float], object]) -> Lease:
        """Take the lease as soon as its holder is gone, as a standby does.

        A record that is away is waited for just the same: nobody can trade without it.

        Args:
            engine: The record.
            account: Whose lease.
            pause: Waits so many seconds.
        """
        while True:
            try:
                return cls(engine, account)
            except (LeaseTaken, OperationalError):
                pause(TRY_EVERY)

    def check(self) -> None:
        """Make sure that the connection which holds the lock is alive.

        Raises:
            LeaseLost: It is not; another trader may have started.
        """
        try:
            with self.transaction() as session:
                session.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise LeaseLost("the connection that held the trading lease is gone") from error

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a transaction on the connection that holds the lock: who lost it commits nothing.

        Raises:
            LeaseLost: The connection is gone.
        """
        if self._connection.closed or self._connection.invalidated:
            raise LeaseLost("the connection that held the trading lease is gone")
        with Session(self._connection) as session, session.begin():
            yield session

    def retake(self) -> None:
        """Take the lease anew after its connection was lost.

        Raises:
            LeaseTaken: Another process holds it by now.
            OperationalError: The record is still away.
        """
        self.release()
        self._connection = self._take()

    def release(self) -> None:
        """Give the lease back."""
        if not self._connection.closed:
            self._connection.invalidate()  # a pooled session would keep the lock
            self._connection.close()

    def _take(self) -> Connection:
        connection = self._engine.connect()
        with connection.begin():
            taken = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key})
        if not taken:
            connection.close()
            raise LeaseTaken(f"another trader holds the lease of account {self._account!r}")
        return connection
