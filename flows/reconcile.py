"""Compare the record with the exchange, mend what news explains, and halt on the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from market.errors import ExchangeUnreachable
from sql.database import DatabaseSettings, open_engine
from trader import settlement
from trader.exchange import Exchange
from trader.settings import ExchangeSettings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun

    from trader.settlement_record import Settlement


@flow(name="reconcile")
def reconcile(trigger: str = "schedule") -> Settlement:
    """Bring the record to what the exchange knows now; a second run finds nothing.

    It compares the present, so a retry is simply a later comparison.
    """
    found = settle(trigger)
    publish(found)
    get_run_logger().info(found.reason)
    return found


def _unreachable(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), ExchangeUnreachable)


@task(retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=_unreachable)
def settle(trigger: str) -> Settlement:
    """Read both sides, apply missing news, store what differed and halt on the unexplained."""
    engine = open_engine(DatabaseSettings())
    exchange, who = Exchange(ExchangeSettings()), "the reconcile flow"
    return settlement.reconcile(engine, exchange, trigger=trigger, who=who)


@task
def publish(found: Settlement) -> None:
    """Show the outcome and every difference for a person to read."""
    create_markdown_artifact(markdown=found.markdown(), key="reconcile", description=found.reason)
