"""The history of promotions: who wanted which version of a market in production, and why.

It is only ever added to, and the database refuses anything else. Every function works in the
caller's transaction; who writes waits for whoever is writing, so that the chain never forks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, select, text

from sql import chain
from sql.tables import PromotionRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

# What an entry says: a version was made the production one; it was so as a return to an earlier
# one; it was wanted and turned away; the trader left it by itself; nothing is wanted any more.
PROMOTED, ROLLED_BACK, REFUSED, LEFT, CLEARED = (
    *("promoted", "rolled_back", "refused"),
    *("left", "cleared"),
)
# For whoever is writing. They may have asked MLflow to move the alias: PostgreSQL puts out who is
# to be brief and is not, so that no trader, whose patience with the record ends after five seconds,
# waits for them in vain.
LONGEST_WAIT, LONGEST_HELD = "4.5s", "3s"


def record(
    session: Session,
    *,
    symbol: str,
    action: str,
    from_version: int | None,
    to_version: int | None,
    who: str,
    reason: str,
    evidence: Mapping[str, str | int],
    at: datetime,
) -> int:
    """Add an entry, sealed with the one before it, and return its id."""
    lock(session)
    before = _last(session, PromotionRow.symbol == symbol)
    previous = chain.START if before is None else before.hash
    row = PromotionRow(
        symbol=symbol,
        action=action,
        from_version=from_version,
        to_version=to_version,
        who=who,
        reason=reason,
        evidence=dict(evidence),
        at=at,
        previous_hash=previous,
    )
    row.hash = chain.seal(row, previous)
    session.add(row)
    session.flush()
    return row.id


def lock(session: Session) -> None:
    """Wait for whoever is writing, and let nobody else write until the transaction ends.

    Raises:
        sqlalchemy.exc.OperationalError: They did not end in time.
    """
    session.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'"))
    session.execute(text("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE"))


def be_brief(session: Session) -> None:
    """Let PostgreSQL end this transaction, and take the connection away, once it idles for long.

    For whoever has somebody else to wait for while others wait for the history.
    """
    session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_HELD}'"))


def made(symbol: str) -> ColumnElement[bool]:
    """Return the condition of the entries by which a version was made the production one."""
    return and_(PromotionRow.symbol == symbol, PromotionRow.action.in_((PROMOTED, ROLLED_BACK)))


def moved(symbol: str) -> ColumnElement[bool]:
    """Return the condition of the entries that changed what is wanted in production."""
    return and_(
        PromotionRow.symbol == symbol, PromotionRow.action.in_((PROMOTED, ROLLED_BACK, CLEARED))
    )


def wanted(session: Session, symbol: str) -> int | None:
    """Return the version that was last wanted in production, if one is."""
    row = last_move(session, symbol)
    return None if row is None else row.to_version


def last_move(session: Session, symbol: str) -> PromotionRow | None:
    """Return the entry that says what is wanted in production; None if nothing ever was."""
    return _last(session, moved(symbol))


def last(session: Session, symbol: str) -> PromotionRow | None:
    """Return a market's last entry, whatever it says."""
    return _last(session, PromotionRow.symbol == symbol)


def history(session: Session, symbol: str) -> Sequence[PromotionRow]:
    """Return a market's entries, oldest first."""
    query = select(PromotionRow).where(PromotionRow.symbol == symbol).order_by(PromotionRow.id)
    return session.scalars(query).all()


def _last(session: Session, which: ColumnElement[bool]) -> PromotionRow | None:
    query = select(PromotionRow).where(which).order_by(PromotionRow.id.desc()).limit(1)
    return session.scalars(query).first()
