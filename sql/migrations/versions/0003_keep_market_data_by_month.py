"""Keep market data by month, and quotes of option contracts beside the bars

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AMOUNT = sa.Numeric(precision=38, scale=18)
BARS = ("symbol", "interval_seconds", "start")
BAR_COLUMNS = (
    "symbol, interval_seconds, start, open, high, low, close, volume, trades, bought, source, "
    "recorded_at"
)

# Takes the month's lock, which an archive takes alone before it drops the month, and makes
# the partition if there is none. Of two that would make one the second waits for the first,
# and looks again: into pg_class, since to_regclass may answer from a cache after the wait.
# A table that is made beside and then attached keeps nobody from reading or writing the
# others. A hypertable makes its own chunks, so for one there is nothing to do.
ENSURE_MONTH = """
CREATE FUNCTION market.ensure_month(of_table text, moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_day CONSTANT date := date_trunc('month', moment AT TIME ZONE 'UTC');
    part CONSTANT text := of_table || to_char(first_day, '"_"YYYY"_"MM');
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('market month'), hashtext(part));
    IF EXISTS (SELECT FROM pg_class WHERE relname = part
               AND relnamespace = 'market'::regnamespace) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class WHERE relkind = 'p'
                   AND relname = of_table AND relnamespace = 'market'::regnamespace) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('market month made'), hashtext(part));
    IF EXISTS (SELECT FROM pg_class WHERE relname = part
               AND relnamespace = 'market'::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE market.%I (LIKE market.%I INCLUDING DEFAULTS'
                   ' INCLUDING CONSTRAINTS)', part, of_table);
    EXECUTE format('ALTER TABLE market.%I ATTACH PARTITION market.%I'
                   ' FOR VALUES FROM (%L) TO (%L)', of_table, part,
                   first_day::timestamp AT TIME ZONE 'UTC',
                   (first_day + INTERVAL '1 month') AT TIME ZONE 'UTC');
END
$$
"""


def upgrade() -> None:
    bind = op.get_bind()
    by_timescale = bind.scalar(
        sa.text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
    )
    op.execute(ENSURE_MONTH)
    op.execute("LOCK TABLE market.price_bars IN ACCESS EXCLUSIVE MODE")
    _set_bars_aside()
    _create_bars(None if by_timescale else "RANGE (start)")
    _create_option_quotes(None if by_timescale else "RANGE (quoted_at)")
    if by_timescale:
        _make_hypertable("price_bars", "start")
        _make_hypertable("option_quotes", "quoted_at")
    op.execute(
        "SELECT market.ensure_month('price_bars', month) FROM (SELECT DISTINCT"
        " date_trunc('month', start, 'UTC') AS month FROM market.price_bars_before) AS months"
    )
    _take_bars_back()


def downgrade() -> None:
    op.drop_table("option_quotes", schema="market")
    op.execute("LOCK TABLE market.price_bars IN ACCESS EXCLUSIVE MODE")
    _set_bars_aside()
    _create_bars(None)
    _take_bars_back()
    op.execute("DROP FUNCTION market.ensure_month")


def _set_bars_aside() -> None:
    op.execute("ALTER TABLE market.price_bars RENAME CONSTRAINT pk_price_bars TO pk_before")
    op.execute("ALTER TABLE market.price_bars RENAME TO price_bars_before")


def _take_bars_back() -> None:
    op.execute(
        f"INSERT INTO market.price_bars ({BAR_COLUMNS})"  # noqa: S608 - our own names
        f" SELECT {BAR_COLUMNS} FROM market.price_bars_before ORDER BY {', '.join(BARS)}"
    )
    op.execute("DROP TABLE market.price_bars_before")


def _make_hypertable(table: str, column: str) -> None:
    # Without the index on the time that it would add: the tables are those of sql/tables.py.
    op.execute(
        f"SELECT create_hypertable('market.{table}', by_range('{column}', INTERVAL '1 month'),"
        " create_default_indexes => false)"
    )


def _create_bars(partition_by: str | None) -> None:
    op.create_table(
        "price_bars",
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, AMOUNT, nullable=False) for name in ("open", "high", "low", "close")),
        sa.Column("volume", AMOUNT, nullable=False),
        sa.Column("trades", sa.Integer(), nullable=True),
        sa.Column("bought", AMOUNT, nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "high >= low AND open > 0 AND close > 0 AND low > 0",
            name=op.f("ck_price_bars_possible"),
        ),
        sa.CheckConstraint("volume >= 0", name=op.f("ck_price_bars_volume")),
        sa.CheckConstraint("bought >= 0 AND bought <= volume", name=op.f("ck_price_bars_bought")),
        sa.PrimaryKeyConstraint(*BARS, name=op.f("pk_price_bars")),
        schema="market",
        postgresql_partition_by=partition_by,
    )


def _create_option_quotes(partition_by: str | None) -> None:
    op.create_table(
        "option_quotes",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("quoted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("underlying", sa.String(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("strike", AMOUNT, nullable=False),
        sa.Column("bid", AMOUNT, nullable=True),
        sa.Column("bid_size", sa.Integer(), nullable=True),
        sa.Column("bid_exchange", sa.String(), nullable=True),
        sa.Column("ask", AMOUNT, nullable=True),
        sa.Column("ask_size", sa.Integer(), nullable=True),
        sa.Column("ask_exchange", sa.String(), nullable=True),
        sa.Column("condition", sa.String(), nullable=True),
        sa.Column("last_price", AMOUNT, nullable=True),
        sa.Column("last_size", sa.Integer(), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        *(
            sa.Column(name, sa.Double(), nullable=True)
            for name in ("implied_volatility", "delta", "gamma", "theta", "vega", "rho")
        ),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('call', 'put')", name=op.f("ck_option_quotes_kind")),
        sa.CheckConstraint("strike > 0", name=op.f("ck_option_quotes_strike")),
        sa.CheckConstraint(
            "bid >= 0 AND ask >= 0 AND last_price >= 0 AND bid_size >= 0 AND ask_size >= 0",
            name=op.f("ck_option_quotes_possible"),
        ),
        sa.PrimaryKeyConstraint("contract", "quoted_at", name=op.f("pk_option_quotes")),
        schema="market",
        postgresql_partition_by=partition_by,
    )
    op.create_index(
        op.f("ix_market_option_quotes_underlying"),
        "option_quotes",
        ["underlying", "quoted_at"],
        schema="market",
    )
