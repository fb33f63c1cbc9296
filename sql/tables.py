"""Every table: the market, what we decided and did about it, and what we believe.

Times carry a zone and amounts are exact. Rows of the record (events, fills, ledger
entries, adjustments, predictions, decisions, promotions) are only ever added: the database
refuses to change or delete one.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    """The root of every table.

    Constraint names are spelt out so that a migration can drop them.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        Decimal: Numeric(38, 18),
        dict[str, Any]: JSONB,
        list[float]: JSONB,
    }


class InstrumentRow(Table):
    """A market as the exchange last described it, with the fees of our account."""

    __tablename__ = "instruments"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    exchange_id: Mapped[str]
    base: Mapped[str]
    quote: Mapped[str]
    price_decimals: Mapped[int]
    quantity_decimals: Mapped[int]
    cost_decimals: Mapped[int]
    quantity_min: Mapped[Decimal]
    cost_min: Mapped[Decimal]
    maker_fee: Mapped[Decimal | None]
    taker_fee: Mapped[Decimal | None]
    updated_at: Mapped[datetime]


class PriceBarRow(Table):
    """One closed bar; `start` is the first instant it covers.

    Kept by month (sql.months): the month has to be there before the row is written.
    """

    __tablename__ = "price_bars"
    __table_args__ = (
        CheckConstraint("high >= low AND open > 0 AND close > 0 AND low > 0", name="possible"),
        CheckConstraint("volume >= 0", name="volume"),
        CheckConstraint("bought >= 0 AND bought <= volume", name="bought"),
        {"schema": "market", "postgresql_partition_by": "RANGE (start)"},
    )

    symbol: Mapped[str] = mapped_column(primary_key=True)
    interval_seconds: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    open: Mapped[Decimal]
    high: Mapped[Decimal]
    low: Mapped[Decimal]
    close: Mapped[Decimal]
    volume: Mapped[Decimal]
    trades: Mapped[int | None]
    bought: Mapped[Decimal | None]  # volume of those who came to buy
    source: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OptionQuoteRow(Table):
    """What an option contract was quoted at, with its last trade and its greeks by then.

    `contract` is the OCC symbol, such as AAPL240503P00155000; underlying, expiry, kind and
    strike are what it spells. What the source did not tell is None. Kept by month, as bars
    are.
    """

    __tablename__ = "option_quotes"
    __table_args__ = (
        CheckConstraint("kind IN ('call', 'put')", name="kind"),
        CheckConstraint("strike > 0", name="strike"),
        CheckConstraint(
            "bid >= 0 AND ask >= 0 AND last_price >= 0 AND bid_size >= 0 AND ask_size >= 0",
            name="possible",
        ),
        Index("ix_market_option_quotes_underlying", "underlying", "quoted_at"),
        {"schema": "market", "postgresql_partition_by": "RANGE (quoted_at)"},
    )

    contract: Mapped[str] = mapped_column(primary_key=True)
    quoted_at: Mapped[datetime] = mapped_column(primary_key=True)
    underlying: Mapped[str]
    expires_on: Mapped[date]
    kind: Mapped[str]
    strike: Mapped[Decimal]
    bid: Mapped[Decimal | None]
    bid_size: Mapped[int | None]
    bid_exchange: Mapped[str | None]
    ask: Mapped[Decimal | None]
    ask_size: Mapped[int | None]
    ask_exchange: Mapped[str | None]
    condition: Mapped[str | None]
    last_price: Mapped[Decimal | None]
    last_size: Mapped[int | None]
    last_at: Mapped[datetime | None]
    implied_volatility: Mapped[float | None]
    delta: Mapped[float | None]
    gamma: Mapped[float | None]
    theta: Mapped[float | None]
    vega: Mapped[float | None]
    rho: Mapped[float | None]
    source: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PredictionRow(Table):
    """A model's score of one bar, written before its outcome exists."""

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("symbol", "interval_seconds", "bar_start", "model_version"),
        CheckConstraint("role IN ('production', 'challenger')", name="role"),
        CheckConstraint("probability > 0 AND probability < 1", name="probability"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    interval_seconds: Mapped[int]
    bar_start: Mapped[datetime]
    model_version: Mapped[int]
    role: Mapped[str]
    probability: Mapped[float]
    horizon_bars: Mapped[int]
    feature_hash: Mapped[str]
    features: Mapped[list[float]]
    at: Mapped[datetime]


class OutcomeRow(Table):
    """What the market did after a bar: the return from its close to `horizon_bars` later."""

    __tablename__ = "outcomes"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    interval_seconds: Mapped[int] = mapped_column(primary_key=True)
    bar_start: Mapped[datetime] = mapped_column(primary_key=True)
    horizon_bars: Mapped[int] = mapped_column(primary_key=True)
    forward_return: Mapped[float]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DecisionRow(Table):
    """What was decided on one closed bar, also when it was to do nothing."""

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint("action IN ('buy', 'sell', 'none')", name="action"),
        Index("ix_decisions_symbol_bar_start", "symbol", "bar_start"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    bar_start: Mapped[datetime]
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey(PredictionRow.id))
    action: Mapped[str]
    wanted: Mapped[Decimal]
    held: Mapped[Decimal]
    expected_value: Mapped[float | None]
    cost: Mapped[float | None]
    reason_code: Mapped[str]
    reason: Mapped[str]
    inputs: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class OrderRow(Table):
    """An order as far as we know it; `id` is the client order id the exchange sees."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("side IN ('buy', 'sell')", name="side"),
        CheckConstraint(
            "quantity > 0 AND quantity <> 'NaN' AND limit_price <> 'NaN'", name="possible"
        ),
        CheckConstraint("filled >= 0 AND filled <= quantity", name="filled"),
        CheckConstraint(
            "status IN ('pending', 'open', 'unknown', 'filled', 'cancelled', 'rejected')",
            name="status",
        ),
        Index(
            "ix_orders_unsettled",
            "symbol",
            postgresql_where=text("status IN ('pending', 'open', 'unknown')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str | None] = mapped_column(ForeignKey(DecisionRow.id))
    symbol: Mapped[str] = mapped_column(index=True)
    side: Mapped[str]
    quantity: Mapped[Decimal]
    limit_price: Mapped[Decimal]
    worst_price: Mapped[Decimal | None]
    cancelling: Mapped[bool]
    time_in_force: Mapped[str]
    status: Mapped[str]
    filled: Mapped[Decimal]
    exchange_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    deadline: Mapped[datetime]
    updated_at: Mapped[datetime]


class OrderEventRow(Table):
    """Something that happened to an order, in the order we learned of it."""

    __tablename__ = "order_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey(OrderRow.id), index=True)
    kind: Mapped[str]
    detail: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class FillRow(Table):
    """Part or all of an order traded; `exec_id` is the exchange's own key."""

    __tablename__ = "fills"
    __table_args__ = (
        CheckConstraint("side IN ('buy', 'sell')", name="side"),
        CheckConstraint(
            "quantity > 0 AND price > 0 AND cost >= 0 AND fee >= 0 AND quantity <> 'NaN' "
            "AND price <> 'NaN' AND cost <> 'NaN' AND fee <> 'NaN'",
            name="positive",
        ),
    )

    exec_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey(OrderRow.id), index=True)
    symbol: Mapped[str]
    side: Mapped[str]
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    cost: Mapped[Decimal]
    fee: Mapped[Decimal]
    liquidity: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


class LedgerEntryRow(Table):
    """One line of a double-entry transaction; the lines of one sum to zero per asset.

    `transaction_id` is the exchange's key for what happened (an exec_id, a ledger id),
    so that booking it twice is impossible.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("amount <> 'NaN'", name="amount"),
        Index("ix_ledger_entries_account", "account", "asset", postgresql_include=["amount"]),
    )

    transaction_id: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str]
    asset: Mapped[str]
    amount: Mapped[Decimal]
    at: Mapped[datetime]


class EquityMarkRow(Table):
    """Our profit since the beginning, positions at their price then, when a bar had ended."""

    __tablename__ = "equity_marks"
    __table_args__ = (
        CheckConstraint("profit <> 'NaN'", name="profit"),
        Index("ix_equity_marks_profit", "profit", "at"),
    )

    at: Mapped[datetime] = mapped_column(primary_key=True)
    profit: Mapped[Decimal]


class PromotionRow(Table):
    """A change of a market's production version, whoever made it, wanted it or refused it.

    `hash` seals the row together with the market's row before, whose seal is `previous_hash`.
    The database refuses to change or delete a row.
    """

    __tablename__ = "promotions"
    __table_args__ = (
        CheckConstraint(
            "action IN ('promoted', 'rolled_back', 'refused', 'left', 'cleared')", name="action"
        ),
        UniqueConstraint("symbol", "previous_hash"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(index=True)
    action: Mapped[str]
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    who: Mapped[str]
    reason: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    previous_hash: Mapped[str]
    hash: Mapped[str]


class ModelDeploymentRow(Table):
    """A version the trader took up, refused or rolled back from, and why.

    `promotion_id` is the market's latest promotion, or the end of one, at that moment; `profit`
    what the market's trades had brought when a version began to trade.
    """

    __tablename__ = "model_deployments"
    __table_args__ = (
        CheckConstraint("action IN ('deployed', 'refused', 'rolled_back')", name="action"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    semantic_version: Mapped[str | None]
    action: Mapped[str]
    reason: Mapped[str]
    run_id: Mapped[str | None]
    artifact_sha256: Mapped[str | None]
    promotion_id: Mapped[int | None] = mapped_column(ForeignKey(PromotionRow.id))
    profit: Mapped[Decimal | None]
    at: Mapped[datetime]


class RetrainingJobRow(Table):
    """One run of the retraining flow; `id` is the flow run's id."""

    __tablename__ = "retraining_jobs"
    __table_args__ = (CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(index=True)
    trigger: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    data_hash: Mapped[str | None]
    run_id: Mapped[str | None]
    version: Mapped[int | None]
    passed: Mapped[bool | None]
    reason: Mapped[str | None]


class ExperimentRow(Table):
    """A comparison of two versions whose terms are fixed when it starts."""

    __tablename__ = "experiments"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'stopped')", name="state"),
        Index(
            "uq_experiments_running",
            "symbol",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    hypothesis: Mapped[str]
    metric: Mapped[str]
    control_version: Mapped[int]
    treatment_version: Mapped[int]
    interval_seconds: Mapped[int]
    horizon_bars: Mapped[int]
    cost: Mapped[float]
    block_bars: Mapped[int]
    alpha: Mapped[float]
    planned_units: Mapped[int]
    cap_units: Mapped[int]
    started_at: Mapped[datetime]
    state: Mapped[str]
    stopped_at: Mapped[datetime | None]
    conclusion: Mapped[str | None]


class ExperimentLookRow(Table):
    """What an experiment showed when somebody looked."""

    __tablename__ = "experiment_looks"

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey(ExperimentRow.id), index=True)
    at: Mapped[datetime]
    units: Mapped[int]
    effect: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    p_value: Mapped[float | None]
    verdict: Mapped[str]
    reason: Mapped[str]


class DriftResultRow(Table):
    """One kind of drift over one window, and whether it counts as an alarm."""

    __tablename__ = "drift_results"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(index=True)
    model_version: Mapped[int]
    kind: Mapped[str]
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    statistic: Mapped[float | None]
    threshold: Mapped[float | None]
    alarm: Mapped[bool]
    reason: Mapped[str]
    detail: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class ReconciliationEventRow(Table):
    """One comparison of our record with the exchange's."""

    __tablename__ = "reconciliation_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    trigger: Mapped[str]
    clean: Mapped[bool]
    summary: Mapped[str]
    compared: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(index=True)


class DiscrepancyRow(Table):
    """One difference that a reconciliation found, and whether it was mended."""

    __tablename__ = "discrepancies"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey(ReconciliationEventRow.id), index=True)
    level: Mapped[str]
    subject: Mapped[str]
    expected: Mapped[str]
    found: Mapped[str]
    explained: Mapped[bool]
    action: Mapped[str]


class AdjustmentRow(Table):
    """A correction of the ledger, with what called for it."""

    __tablename__ = "adjustments"

    id: Mapped[int] = mapped_column(primary_key=True)
    discrepancy_id: Mapped[int | None] = mapped_column(ForeignKey(DiscrepancyRow.id))
    transaction_id: Mapped[str] = mapped_column(unique=True)
    asset: Mapped[str]
    amount: Mapped[Decimal]
    reason: Mapped[str]
    who: Mapped[str]
    at: Mapped[datetime]


class HaltRow(Table):
    """A stop of trading, latched until a person resumes with a reason."""

    __tablename__ = "halts"
    __table_args__ = (
        CheckConstraint("(resumed_at IS NULL) = (resume_reason IS NULL)", name="resumed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reason_code: Mapped[str]
    reason: Mapped[str]
    who: Mapped[str]
    at: Mapped[datetime]
    resumed_at: Mapped[datetime | None]
    resumed_by: Mapped[str | None]
    resume_reason: Mapped[str | None]


class TraderStatusRow(Table):
    """What the live trader last said of itself: one row an account."""

    __tablename__ = "trader_status"

    account: Mapped[str] = mapped_column(primary_key=True)
    process_id: Mapped[int]
    state: Mapped[str]
    detail: Mapped[dict[str, Any]]
    at: Mapped[datetime]
