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
# What the model in production has said since its promotion, where it does not overlap.
SETTLED = (
    "mod(extract(epoch FROM {0}.bar_start), {0}.interval_seconds * {0}.horizon_bars) = 0 "
    "AND {0}.bar_start >= (SELECT max(at) FROM promotions WHERE promotions.symbol = {0}.symbol "
    "AND action IN ('promoted', 'rolled_back', 'cleared'))"
)
# Table -> which of its rows; in an order in which every row comes after those it points at.
TABLES = {
    "market.price_bars": (
        "start > (SELECT max(start) FROM market.price_bars) - make_interval(secs => %(span)s) "  # noqa: S608 - our own names
        "OR (symbol, interval_seconds, start) IN (SELECT s.symbol, s.interval_seconds, s.bar_start "
        "+ n * s.interval_seconds * s.horizon_bars * interval '1 second' FROM predictions AS s, "
        f"generate_series(0, 1) AS n WHERE {SETTLED.format('s')})"
    ),
    "predictions": (
        f"id IN (SELECT prediction_id FROM decisions WHERE {DECIDED}) "  # noqa: S608 - likewise
        f"OR {RECENT.format('predictions')} OR {SETTLED.format('predictions')}"
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
# Bars wait here until their months have room.
BARS = "loaded_bars"
MAKE_ROOM = (
    "SELECT market.ensure_month('price_bars', month) "
    "FROM (SELECT DISTINCT date_trunc('month', start, 'UTC') AS month FROM loaded_bars) AS months"
)
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
            cursor.execute(f"CREATE TEMP TABLE {BARS} (LIKE market.price_bars) ON COMMIT DROP")
            for table in TABLES:
                with gzip.open(folder / f"{table}.csv.gz", "rb") as file:
                    columns = file.readline().decode().strip()
                    into = BARS if table == "market.price_bars" else table
                    cursor.copy_expert(f"COPY {into} ({columns}) FROM STDIN (FORMAT csv)", file)
            cursor.execute(MAKE_ROOM)
            cursor.execute(f"INSERT INTO market.price_bars SELECT * FROM {BARS}")  # noqa: S608 - our own names
            for table in NUMBERED:
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608 - our own names
                )
        connection.commit()
    finally:
        connection.close()
