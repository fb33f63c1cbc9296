"""Keep a market's bars complete, from a source that knows them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact

from market import houses, ingestion, sources
from market.errors import ExchangeUnreachable
from sql.database import DatabaseSettings, open_engine

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun


@flow(name="ingest")
def ingest(
    symbol: str,
    *,
    provider: str = houses.KRAKEN,
    interval_seconds: int = 60,
    days: int = 14,
    until: datetime | None = None,
) -> ingestion.Ingested:
    """Fetch the bars that are missing from the last days, and only those.

    A second run finds nothing to do. It ends at the source's present, whose clock is
    the only one that counts here, unless told to end earlier. The provider is kraken, or
    alpaca, which wants its key in the worker's environment.
    """
    ingested = fetch_missing(symbol, provider, timedelta(seconds=interval_seconds), days, until)
    publish(ingested)
    get_run_logger().info(ingested.reason)
    return ingested


def _unreachable(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), ExchangeUnreachable)


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=_unreachable)
def fetch_missing(
    symbol: str, provider: str, interval: timedelta, days: int, until: datetime | None
) -> ingestion.Ingested:
    """Fill the holes; what an attempt wrote down, the next one need not fetch again."""
    engine = open_engine(DatabaseSettings())
    data = sources.open_data(provider)
    span = timedelta(days=days)
    return ingestion.ingest(engine, data, symbol, interval, span, until=until)


@task
def publish(ingested: ingestion.Ingested) -> None:
    """Show what is on record, and what is missing, as a table."""
    key = f"ingest-{ingested.symbol.lower().replace('/', '-')}"
    create_table_artifact(table=ingested.table(), key=key, description=ingested.reason)
