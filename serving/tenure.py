"""What is on record of a market's versions: when each was taken up, why one left, who came before.

Works in the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sql import promotions
from sql.tables import ModelDeploymentRow, PromotionRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy.orm import Session

# Of a version's tags, what goes on record with its promotion.
EVIDENCE = (
    *("semantic_version", "gate", "gate_reason", "override"),
    *("data_hash", "git_commit", "artifact_sha256"),
)
ROLLED_BACK_FROM = "rolled_back_from"  # in a promotion's evidence: it was a person's rollback


def record_deployment(
    session: Session,
    *,
    symbol: str,
    version: int,
    action: str,
    reason: str,
    run_id: str | None,
    artifact_sha256: str | None,
    at: datetime,
    semantic_version: str | None = None,
) -> int:
    """Write down that the trader took up, refused or rolled back from a model version."""
    latest = select(func.max(PromotionRow.id)).where(promotions.moved(symbol))
    row = ModelDeploymentRow(
        symbol=symbol,
        version=version,
        semantic_version=semantic_version,
        action=action,
        reason=reason,
        run_id=run_id,
        artifact_sha256=artifact_sha256,
        promotion_id=session.scalar(latest),
        at=at,
    )
    session.add(row)
    session.flush()
    return row.id


def why_rolled_back(session: Session, symbol: str, version: int) -> str | None:
    """Return why the trader left a version that nobody has promoted since."""
    promoted = select(func.coalesce(func.max(PromotionRow.id), 0)).where(
        promotions.made(symbol), PromotionRow.to_version == version
    )
    return session.scalar(
        select(ModelDeploymentRow.reason)
        .where(
            ModelDeploymentRow.symbol == symbol,
            ModelDeploymentRow.version == version,
            ModelDeploymentRow.action == "rolled_back",
            func.coalesce(ModelDeploymentRow.promotion_id, 0) >= promoted.scalar_subquery(),
        )
        .order_by(ModelDeploymentRow.id.desc())
        .limit(1)
    )


def fit(session: Session, symbol: str, version: int) -> bool:
    """Tell whether the trader has neither left nor refused a version, as far as it knows it."""
    done = session.scalar(
        select(ModelDeploymentRow.action)
        .where(ModelDeploymentRow.symbol == symbol, ModelDeploymentRow.version == version)
        .order_by(ModelDeploymentRow.id.desc())
        .limit(1)
    )
    return done != "refused" and why_rolled_back(session, symbol, version) is None


def promoted_before(session: Session, symbol: str, version: int) -> Iterator[int]:
    """Yield the versions that were in production before one and left in good standing.

    The latest comes first. Neither the trader nor a person has rolled back from any of them
    since it was promoted, and none is one that the trader refused when it last saw it.
    """
    rows = session.scalars(
        select(PromotionRow)
        .where(promotions.made(symbol), PromotionRow.to_version.is_not(None))
        .order_by(PromotionRow.id.desc())
        .limit(100)
    )
    seen: set[int | None] = {version}
    for row in rows:
        then = row.to_version
        if then is not None and then not in seen and fit(session, symbol, then):
            yield then
        seen |= {then, row.evidence.get(ROLLED_BACK_FROM, version)}


def opening(session: Session, symbol: str, version: int, profit: Decimal) -> Decimal:
    """Return the market's profit when the version began under its promotion.

    It begins with this profit if it has just been taken up.
    """
    began = taken_up(session, symbol, version)
    if began is None:
        return profit
    if began.profit is None:
        began.profit = profit
    return began.profit


def taken_up(session: Session, symbol: str, version: int) -> ModelDeploymentRow | None:
    """Return when the version was first taken up under the latest promotion."""
    latest = select(func.max(PromotionRow.id)).where(promotions.moved(symbol))
    return session.scalars(
        select(ModelDeploymentRow)
        .where(
            ModelDeploymentRow.symbol == symbol,
            ModelDeploymentRow.version == version,
            ModelDeploymentRow.action == "deployed",
            ModelDeploymentRow.promotion_id.is_not_distinct_from(latest.scalar_subquery()),
        )
        .order_by(ModelDeploymentRow.id)
        .limit(1)
    ).first()
