"""A database of a measurement's own, and a record in it as a running system leaves it.

PostgreSQL is the embedded one with its settings as in production: every commit is synced.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from ops import postgres
from sql.database import DatabaseSettings, migrate, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

DATABASE = "bench"
END = datetime(2026, 6, 1, tzinfo=UTC)  # everything on record came before
ORDER_EVERY = 36  # minutes between a market's orders, so 40 a day
# Buys and sells of 100 in turn, from midnight on: at the end of a day nothing is held, and
# nothing gained or lost.
STATEMENTS = (
    """
    SELECT FROM generate_series(date_trunc('month', CAST(:begin AS timestamptz)), :end,
                                INTERVAL '1 month') AS month,
                LATERAL (SELECT market.ensure_month('price_bars', month)) AS made
    """,
    """
    INSERT INTO market.price_bars (symbol, interval_seconds, start, open, high, low, close,
                                   volume, trades, bought, source)
    SELECT symbol, 60, at, price, price * 1.001, price * 0.999, price, 10000, 20, 5000, 'bench'
    FROM (VALUES ('XRP/USD', 2.0), ('DOGE/USD', 0.2), ('BTC/USD', 60000.0)) AS m (symbol, around),
         generate_series(:begin, CAST(:end AS timestamptz) - INTERVAL '1 minute',
                         INTERVAL '1 minute') AS at,
         LATERAL (SELECT round((around * (1 + 0.002 * sin(EXTRACT(EPOCH FROM at) / 4000)))::numeric,
                               5) AS price) AS p
    """,
    """
    INSERT INTO predictions (symbol, interval_seconds, bar_start, model_version, role, probability,
                             horizon_bars, feature_hash, features, at)
    SELECT symbol, 60, start, version, role, 0.4, 10, 'hash',
           (SELECT jsonb_agg(n * 0.0123456789012345) FROM generate_series(1, 55) AS n),
           start + INTERVAL '1 minute'
    FROM market.price_bars, (VALUES (1, 'production'), (2, 'challenger')) AS v (version, role)
    WHERE symbol <> 'BTC/USD' ORDER BY start
    """,
    """
    INSERT INTO decisions (id, symbol, bar_start, prediction_id, action, wanted, held,
                           expected_value, cost, reason_code, reason, inputs, at)
    SELECT replace(lower(symbol), '/', '-') || to_char(bar_start, '-YYYYMMDD"T"HH24MISS"Z"'),
           symbol, bar_start, id, 'none', 0, 0, 0.001, 0.005, 'no_edge', 'less than it costs',
           (SELECT jsonb_object_agg('input_' || n, n || '.12345') FROM generate_series(1, 40) AS n),
           at
    FROM predictions WHERE role = 'production'
    """,
    """
    INSERT INTO orders (id, decision_id, symbol, side, quantity, limit_price, cancelling,
                        time_in_force, status, filled, exchange_id, created_at, deadline,
                        updated_at)
    SELECT md5(id), id, symbol, CASE WHEN minute / :every % 2 = 0 THEN 'buy' ELSE 'sell' END,
           100, 2, false, 'ioc', 'filled', 100, 'O' || upper(md5(id)), at,
           at + INTERVAL '2 seconds', at
    FROM decisions, LATERAL (SELECT EXTRACT(EPOCH FROM bar_start)::bigint / 60 AS minute) AS m
    WHERE minute % :every = 0
    """,
    """
    INSERT INTO order_events (order_id, kind, detail, at)
    SELECT id, kind, '{"quantity": "100", "price": "2"}', created_at
    FROM orders, (VALUES ('intended'), ('accepted'), ('filled'), ('filled')) AS k (kind)
    ORDER BY created_at
    """,
    """
    INSERT INTO fills (exec_id, order_id, symbol, side, quantity, price, cost, fee, liquidity, at)
    SELECT 'T' || part || id, id, symbol, side, 50, CASE side WHEN 'buy' THEN 2 ELSE 2.008 END,
           CASE side WHEN 'buy' THEN 100 ELSE 100.4 END, 0.2, 'taker', created_at
    FROM orders, generate_series(1, 2) AS part ORDER BY created_at
    """,
    """
    INSERT INTO ledger_entries (transaction_id, line, account, asset, amount, at)
    SELECT exec_id, line, account, COALESCE(asset, split_part(symbol, '/', 1)),
           sign * CASE WHEN line < 3 THEN quantity WHEN line < 5 THEN -cost ELSE -fee END
                * CASE WHEN side = 'sell' AND line < 5 THEN -1 ELSE 1 END, at
    FROM fills, (VALUES (1, 'exchange', NULL, 1), (2, 'trading', NULL, -1),
                        (3, 'exchange', 'USD', 1), (4, 'trading', 'USD', -1),
                        (5, 'exchange', 'USD', 1), (6, 'fees', 'USD', -1)
                ) AS l (line, account, asset, sign)
    """,
    """
    INSERT INTO ledger_entries (transaction_id, line, account, asset, amount, at) VALUES
    ('opening:USD', 1, 'exchange', 'USD', 100000, :begin),
    ('opening:USD', 2, 'opening', 'USD', -100000, :begin)
    """,
    """
    INSERT INTO equity_marks (at, profit) SELECT DISTINCT at, 0 FROM predictions
    """,
    """
    INSERT INTO outcomes (symbol, interval_seconds, bar_start, horizon_bars, forward_return)
    SELECT symbol, 60, start, 10, 0.001 FROM market.price_bars
    WHERE start < CAST(:end AS timestamptz) - INTERVAL '11 minutes' AND symbol <> 'BTC/USD'
    """,
    """
    INSERT INTO reconciliation_events (trigger, clean, summary, compared, at)
    SELECT 'timer', true, 'nothing differs', '{"orders": 10, "fills": 20, "assets": 3}', at
    FROM generate_series(:begin, CAST(:end AS timestamptz), INTERVAL '15 minutes') AS at
    """,
    """
    INSERT INTO halts (reason_code, reason, who, at, resumed_at, resumed_by, resume_reason)
    SELECT 'command', 'a drill', 'bench', at, at, 'bench', 'done'
    FROM generate_series(:begin, CAST(:end AS timestamptz), INTERVAL '5 days') AS at
    """,
    """
    INSERT INTO trader_status (account, process_id, state, detail, at)
    VALUES ('kraken', 1, 'trading', '{"markets": {}}', :end)
    """,
)


@contextmanager
def database() -> Iterator[Engine]:
    """Run a PostgreSQL for the length of a measurement and give its migrated database."""
    folder = Path(tempfile.mkdtemp(prefix="friday-bench-"))
    folder.chmod(0o755)  # as root the server runs as another account
    server = None
    try:
        server = postgres.start(folder / "postgres")
        postgres.create_databases(server, (DATABASE,))
        engine = open_engine(DatabaseSettings(DATABASE_URL=server.url(DATABASE)))
        migrate(engine)
        try:
            yield engine
        finally:
            engine.dispose()
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fill(engine: Engine, days: int) -> dict[str, int]:
    """Write so many days of three markets, two of them traded, and return the rows by table."""
    given = {"begin": END - timedelta(days=days), "end": END, "every": ORDER_EVERY}
    rows: dict[str, int] = {}
    with engine.begin() as connection:
        for statement in STATEMENTS:
            done, (verb, _, table) = (
                connection.execute(text(statement), given),
                statement.split()[:3],
            )
            if verb == "INSERT":
                rows[table] = rows.get(table, 0) + done.rowcount
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))  # as autovacuum has done by then
    return rows
