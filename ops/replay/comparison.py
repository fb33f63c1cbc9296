"""Two records of the same decisions, compared to the last bit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from sql.tables import DecisionRow, OrderEventRow, OrderRow, PredictionRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Engine

    Told = dict[str, Any]  # what a decision consists of, by its name

WORDS = 80  # of a value that is shown; a row of features is longer
# Not compared: numbers that the database gave, and what became of an order later.
DECISION = [column for column in DecisionRow.__table__.columns if column.name != "prediction_id"]
SCORE = [column for column in PredictionRow.__table__.columns if column.name != "id"]
ORDER = (
    OrderRow.id,
    OrderRow.symbol,
    OrderRow.side,
    OrderRow.quantity,
    OrderRow.worst_price,
    OrderRow.time_in_force,
    OrderRow.created_at,
    OrderRow.deadline,
    OrderEventRow.detail,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many decisions are in either record, how many are the same, and what differs first.

    `orders` counts those among the compared ones, `remark` says what was not compared.
    """

    compared: int = 0
    equal: int = 0
    orders: int = 0
    difference: str | None = None
    remark: str | None = None

    def __add__(self, other: Comparison) -> Comparison:
        """Return both together."""
        return Comparison(
            compared=self.compared + other.compared,
            equal=self.equal + other.equal,
            orders=self.orders + other.orders,
            difference=self.difference or other.difference,
            remark="; ".join(filter(None, (self.remark, other.remark))) or None,
        )


def decisions(engine: Engine, since: datetime, until: datetime) -> dict[str, Told]:
    """Return what was decided from one time of the exchange to another, by id, oldest first.

    Each has its inputs, the scores of every model on its bar and the order it led to.
    """
    spanned = DecisionRow.at.between(since, until)
    decided = select(*DECISION).where(spanned).order_by(DecisionRow.at, DecisionRow.id)
    scored = select(*SCORE).order_by(PredictionRow.model_version)
    sent = (
        select(OrderRow.decision_id, *ORDER)
        .join(DecisionRow, DecisionRow.id == OrderRow.decision_id)
        .join(OrderEventRow, OrderEventRow.order_id == OrderRow.id)
        .where(spanned, OrderEventRow.kind == "intended")
    )
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(decided).mappings()]
        first = min((told["bar_start"] for told in found), default=until)
        scores = defaultdict(list)
        for row in connection.execute(scored.where(PredictionRow.bar_start >= first)).mappings():
            scores[row["symbol"], row["bar_start"]].append(dict(row))
        orders = {row["decision_id"]: dict(row) for row in connection.execute(sent).mappings()}
    return {
        told["id"]: told
        | {"scores": scores[told["symbol"], told["bar_start"]], "order": orders.get(told["id"])}
        for told in found
    }


def compare(ours: Mapping[str, Told], theirs: Mapping[str, Told]) -> Comparison:
    """Compare the decisions on record with those of a replay."""
    every = sorted({**theirs, **ours}.values(), key=lambda told: (told["at"], told["id"]))
    differences = [_difference(told["id"], ours, theirs) for told in every]
    return Comparison(
        compared=len(every),
        equal=differences.count(None),
        orders=sum(told["order"] is not None for told in every),
        difference=next((one for one in differences if one is not None), None),
    )


def _difference(name: str, ours: Mapping[str, Told], theirs: Mapping[str, Told]) -> str | None:
    if name not in theirs:
        return f"decision {name} is on record, and the replay did not make it"
    if name not in ours:
        return f"decision {name} was made by the replay, and is not on record"
    found = _first(ours[name], theirs[name], "")
    return None if found is None else f"decision {name} differs in {found}"


def _first(ours: Any, theirs: Any, path: str) -> str | None:
    """Return where two values begin to differ, and how; exact, without any tolerance."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [*ours, *(key for key in theirs if key not in ours)]
        pairs = [(f"{path}.{key}", ours.get(key), theirs.get(key)) for key in keys]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [
            (f"{path}[{number}]", one, other)
            for number, (one, other) in enumerate(zip(ours, theirs, strict=True))
        ]
    elif type(ours) is type(theirs) and repr(ours) == repr(theirs):
        return None
    else:
        where = path.removeprefix(".")
        return f"{where}: {repr(ours)[:WORDS]} on record, {repr(theirs)[:WORDS]} in the replay"
    found = (_first(one, other, where) for where, one, other in pairs)
    return next((one for one in found if one is not None), None)
