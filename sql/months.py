"""The months that market data is kept by: one partition a month, made when its first row comes.

Where the tables are hypertables of TimescaleDB they make their own chunks; what is said of
months then holds for the rows of that month.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sql.trip import Statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session


def month_of(moment: datetime) -> datetime:
    """Return the first instant of the month, in UTC, that holds the moment."""
    at = moment.astimezone(UTC)
    return datetime(at.year, at.month, 1, tzinfo=UTC)


def month_after(month: datetime) -> datetime:
    """Return the first instant of the month after the one that starts here."""
    years, months = divmod(month.year * 12 + month.month, 12)
    return datetime(years, months + 1, 1, tzinfo=UTC)


def ensuring(table: str, moment: datetime) -> Statement:
    """Make room for a row of this time as `ensure` does, in a trip with other statements."""
    given = {"table": table, "month": month_of(moment)}
    return Statement("SELECT market.ensure_month(:table, :month)", given)


def ensure(session: Session, table: str, moments: Iterable[datetime]) -> None:
    """Make room in a table of the schema market for rows of these times.

    Call it before the rows are written, in their transaction: until that ends, no archive
    drops those months. Several sessions may do so at once.
    """
    for month in sorted({month_of(moment) for moment in moments}):
        session.execute(select(func.market.ensure_month(table, month)))
