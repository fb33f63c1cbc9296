"""One at a time: what may not be done twice at once, in whatever processes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from sql.errors import TurnNotCome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from sqlalchemy import Engine

LOCK = text("SELECT pg_advisory_lock(hashtextextended(:what, 0))")
PATIENCE = text("SELECT set_config('lock_timeout', :most, false)")


@contextmanager
def turn(engine: Engine, what: str, *, patience: timedelta) -> Iterator[None]:
    """Wait until nobody else is at it, and keep others waiting until the end.

    PostgreSQL holds the turn as an advisory lock, and gives it on when the process dies.

    Args:
        engine: The record; one of its connections is kept until the end.
        what: What is done, such as `retrain XRP/USD`.
        patience: How long to wait.

    Raises:
        TurnNotCome: Somebody else was still at it.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(PATIENCE, {"most": f"{patience.total_seconds() * 1000:.0f}ms"})
        try:
            connection.execute(LOCK, {"what": what})
        except OperationalError as error:
            raise TurnNotCome(f"somebody else was at it for {patience}: {what}") from error
        try:
            yield
        finally:
            # Closed for good: a pooled connection would keep the lock.
            connection.invalidate()
