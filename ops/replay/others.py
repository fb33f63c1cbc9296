"""What other processes wrote to the record while a trader lived, told to its replay in time.

Fetched bars, promotions, and halts that others raised or lifted. Their times are when they
were written, by this machine's clock or the exchange's, which is within moments of when
they could be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from sql.tables import HaltRow, PriceBarRow, PromotionRow

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable, Table

    from ops.replay.tape import Life

# Who writes what the replay writes by itself.
OURS = ("trader", "somebody in MLflow")
# Whose halts carry the exchange's time.
ON_EXCHANGE_TIME = ("http", "the reconcile flow", "friday reconcile")


@dataclass(slots=True)
class Others:
    """What is still to be told, by the two clocks that say when."""

    engine: Engine
    wall: float  # seconds since 1970 when the monotonic clock was at zero
    by_wall: list[tuple[datetime, list[Executable]]] = field(default_factory=list)
    by_exchange: list[tuple[datetime, list[Executable]]] = field(default_factory=list)

    @classmethod
    def of(cls, record: Engine, life: Life, engine: Engine) -> Others:
        """Read from the record what to tell a replay on another engine."""
        known = life.known()
        began = known["wall"] / 1000
        found = cls(engine, began - known["monotonic"])
        with record.connect() as connection:
            found._read(connection, datetime.fromtimestamp(began, UTC), life.ended())
        for told in (found.by_wall, found.by_exchange):
            told.sort(key=lambda one: one[0], reverse=True)
        return found

    def tell(self, monotonic: float, exchange: datetime) -> None:
        """Write down what others had written by now."""
        wall = datetime.fromtimestamp(self.wall + monotonic, UTC)
        for waiting, now in ((self.by_wall, wall), (self.by_exchange, exchange)):
            while waiting and waiting[-1][0] <= now:
                with self.engine.begin() as connection:
                    for statement in waiting.pop()[1]:
                        connection.execute(statement)

    def _read(self, connection: Connection, began: datetime, ended: datetime) -> None:
        bars, halts, promotions = PriceBarRow, HaltRow, PromotionRow
        written = bars.recorded_at.between(began, ended)
        for row in _rows(connection, bars, written, bars.source != "live"):
            self.by_wall.append((row["recorded_at"], [_inserted(bars, row)]))
        raised = halts.at.between(began, ended)
        for row in _rows(connection, halts, raised, halts.who.not_in(OURS)):
            new = row | {"resumed_at": None, "resumed_by": None, "resume_reason": None}
            told = self.by_exchange if row["who"] in ON_EXCHANGE_TIME else self.by_wall
            told.append((row["at"], [_inserted(halts, new), _counted("halts", row["id"])]))
        for row in _rows(connection, halts, halts.resumed_at.between(began, ended)):
            lifted = {key: row[key] for key in ("resumed_at", "resumed_by", "resume_reason")}
            statement = update(halts).where(halts.id == row["id"]).values(lifted)
            self.by_wall.append((row["resumed_at"], [statement]))
        made = promotions.at.between(began, ended)
        for row in _rows(connection, promotions, made, promotions.who.not_in(OURS)):
            statements = [_inserted(promotions, row), _counted("promotions", row["id"])]
            self.by_wall.append((row["at"], statements))


def _rows(connection: Connection, kind: Any, *which: Any) -> list[dict[str, Any]]:
    table: Table = kind.__table__
    return [dict(row) for row in connection.execute(select(table).where(*which)).mappings()]


def _inserted(kind: Any, row: dict[str, Any]) -> Executable:
    return insert(kind.__table__).values(row).on_conflict_do_nothing()


def _counted(table: str, number: int) -> Executable:
    """Let the next id be the one after a number that others took."""
    sequence = func.pg_get_serial_sequence(table, "id")
    return select(func.setval(sequence, number))
