"""Who wanted which version in production, what the trader made of it, and that nobody edited it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from ops.commands.account import engine
from ops.commands.options import Market
from ops.commands.printing import Columns, as_json, dump, show, text
from ops.errors import AnswerIsNo
from registry.numbering import SEMANTIC
from registry.overriding import OVERRIDE
from sql import chain, promotions
from sql.tables import ModelDeploymentRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sql.chain import Break
    from sql.tables import PromotionRow

WORDS = {promotions.ROLLED_BACK: "rolled back", promotions.LEFT: "left by the trader"}
SHORT = 12  # digits of a seal in the table

ENTRIES: Columns = {
    "entry": lambda row: row.id,
    "at": lambda row: row.at,
    "what": lambda row: WORDS.get(row.action, row.action),
    "from": lambda row: row.from_version,
    "to": lambda row: row.to_version,
    "semantic": lambda row: row.evidence.get(SEMANTIC),
    "who": lambda row: row.who,
    "override": lambda row: row.evidence.get(OVERRIDE),
    "seal": lambda row: row.hash[:SHORT],
    "reason": lambda row: row.reason,
}
DEEDS: Columns = {
    "at": lambda row: row.at,
    "the trader": lambda row: row.action.replace("_", " "),
    "version": lambda row: row.version,
    "semantic": lambda row: row.semantic_version,
    "reason": lambda row: row.reason,
}


@click.command("history")
@click.argument("symbol", type=Market())
@as_json
def history_command(symbol: str, *, as_json: bool) -> None:
    """Show who promoted what and what the trader made of it; exit 1 if somebody edited it."""
    with Session(engine()) as session:
        entries = promotions.history(session, symbol)
        deeds = session.scalars(
            select(ModelDeploymentRow)
            .where(ModelDeploymentRow.symbol == symbol)
            .order_by(ModelDeploymentRow.id)
        ).all()
    broken = chain.first_break(entries)
    if as_json:
        dump(_machine(entries, deeds, broken))
    else:
        show(entries, ENTRIES, empty=f"no version of {symbol} was ever promoted")
        click.echo()
        show(deeds, DEEDS, empty="the trader has taken up none")
        if entries and broken is None:
            click.echo(f"\nthe chain of {len(entries)} holds; its last seal is {entries[-1].hash}")
    if broken is not None:
        raise AnswerIsNo(_complaint(entries, broken))


def _complaint(entries: Sequence[PromotionRow], broken: Break) -> str:
    row = next(row for row in entries if row.id == broken.id)
    what = f"{WORDS.get(row.action, row.action)}, version {text(row.to_version)}"
    return (
        f"the history of {row.symbol} was tampered with: entry {row.id} ({text(row.at)}, {what}): "
        f"{broken.reason}"
    )


def _machine(
    entries: Sequence[PromotionRow], deeds: Sequence[ModelDeploymentRow], broken: Break | None
) -> dict[str, Any]:
    return {
        "promotions": [_columns(row) for row in entries],
        "deployments": [_columns(row) for row in deeds],
        "chain": {
            "holds": broken is None,
            "last_seal": entries[-1].hash if entries else None,
            "broken": broken,
        },
    }


def _columns(row: PromotionRow | ModelDeploymentRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
