"""What the trader reads of the record, copied into files and back into an empty database.

Money, orders and fills are copied whole, since positions are sums over all of them; of
what only grows old, the last days.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

RECENT = "at > (SELECT max(at) FROM {}) - interval '2 days'"
DECIDED = f"id IN (SELECT decision_id FROM orders) OR {RECENT.format('decisions')}"  # noqa: S608 - our own names
# Table -> which of its rows; in an order in which every row comes after those it points at.
TABLES = {
    "market.price_bars": (
        "start > (SELECT max(start) FROM market.price_bars) - make_interval(secs => %(span)s)"
    ),
    "predictions": (
        f"id IN (SELECT prediction_id FROM decisions WHERE {DECIDED}) "  # noqa: S608 - likewise
        f"OR {RECENT.format('predictions')}"
    ),
    "decisions": DECIDED,
    "orders": "true",
    "order_events": RECENT.format("order_events"),
    "fills": "true",
    "ledger_entries": "true",
    "equity_marks": "at > (SELECT max(at) FROM equity_marks) - interval '32 days'",
    "promotions": "true",
    "model_deployments": "true",
    "reconciliation_events": (
        "at = (SELECT max(at) FROM reconciliation_events WHERE clean) "  # noqa: S608 - likewise
        f"OR {RECENT.format('reconciliation_events')}"
    ),
    "halts": "true",
}
# Their ids are parts of other ids, so the next one must be the same again.
NUMBERED = (
    "predictions",
    "order_events",
    "promotions",
    "model_deployments",
    "reconciliation_events",
    "halts",
)


def dump(engine: Engine, folder: Path, span: float) -> None:
    """Copy the record into a file a table, all as of one moment.

    Args:
        engine: The record.
        folder: Where the files go; it is made.
        span: How many seconds of bars are needed.

    Raises:
        OSError: A file could not be written.
    """
    folder.mkdir(parents=True)
    connection: Any = engine.raw_connection()
    try:
        with connection.driver_connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for table, which in TABLES.items():
                query = cursor.mogrify(f"SELECT * FROM {table} WHERE {which}", {"span": span})  # noqa: S608 - our own names
                with gzip.open(folder / f"{table}.csv.gz", "wb") as file:
                    cursor.copy_expert(
                        f"COPY ({query.decode()}) TO STDOUT (FORMAT csv, HEADER)", file
                    )
        connection.rollback()
    finally:
        connection.close()


def load(engine: Engine, folder: Path) -> None:
    """Copy the files of `dump` into a database whose tables are empty."""
    connection: Any = engine.raw_connection()
    try:
        with connection.driver_connection.cursor() as cursor:
            for table in TABLES:
                with gzip.open(folder / f"{table}.csv.gz", "rb") as file:
                    columns = file.readline().decode().strip()
                    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)", file)
            for table in NUMBERED:
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608 - our own names
                )
        connection.commit()
    finally:
        connection.close()
