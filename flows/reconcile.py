"""Compare the record with the exchange, mend what news explains, and halt on the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from sqlalchemy.orm import Session

from market.errors import ExchangeUnreachable
from sql.database import DatabaseSettings, open_engine
from trader import record, settlement
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
    if not found.clean:
        halt(found)
    publish(found)
    get_run_logger().info(found.reason)
    return found


def _unreachable(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), ExchangeUnreachable)


@task(retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=_unreachable)
def settle(trigger: str) -> Settlement:
    """Read both sides, apply missing news and store what differed."""
    engine = open_engine(DatabaseSettings())
    return settlement.reconcile(engine, Exchange(ExchangeSettings()), trigger=trigger)


@task
def halt(found: Settlement) -> None:
    """Stop trading until a person has looked at what nothing explains."""
    engine = open_engine(DatabaseSettings())
    with Session(engine) as session, session.begin():
        record.halt(
            session,
            reason_code="reconciliation",
            reason=found.reason,
            who="the reconcile flow",
            at=found.at,
        )


@task
def publish(found: Settlement) -> None:
    """Show the outcome and every difference for a person to read."""
    create_markdown_artifact(markdown=found.markdown(), key="reconcile", description=found.reason)
