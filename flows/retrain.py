"""Fit a model of a market on recent bars, judge it, and register it with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.states import Completed
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from market import features, history
from registry import provenance, registration, report, retraining, store, windows
from registry.contract import model_name
from registry.errors import RegistryUnreachable, TrainingRefused
from registry.retraining import Origin
from registry.settings import ModelRegistrySettings, StudySettings
from registry.training import Plan
from serving import adoption, champion
from sql import evidence, retrainings
from sql.database import DatabaseSettings, open_engine
from sql.errors import DatabaseUnreachable
from sql.turns import turn

if TYPE_CHECKING:
    import pandas as pd
    from prefect.client.schemas.objects import FlowRun, State, TaskRun

    from registry.registration import Registered
    from registry.retraining import Candidate
    from registry.served import ServedModel
    from registry.windows import Window

RETRAIN_FAILED, TAUGHT_NOTHING = "friday.retrain-failed", "friday.retrain-taught-nothing"
PATIENCE = timedelta(hours=1)  # with another retraining of the same market


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """How a retraining ended; without a version the bars could not teach anything."""

    symbol: str
    passed: bool
    reason: str
    details: str
    version: int | None = None
    run_id: str | None = None
    data_hash: str | None = None
    promoted: bool = False
    experiment_id: str | None = None


def _mark_failed(flow: object, flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect passes all three
    with Session(open_engine(DatabaseSettings())) as session, session.begin():
        retrainings.fail_job(
            session,
            str(flow_run.id),
            at=datetime.now(UTC),
            reason=state.message or state.name or "",
        )
    symbol = str(flow_run.parameters.get("symbol"))
    _announce(RETRAIN_FAILED, symbol, str(flow_run.id), state.message or "")


def _announce(event: str, symbol: str, run: str, reason: str) -> None:
    resource = {"prefect.resource.id": f"friday.market.{model_name(symbol)}"}
    emit_event(
        event=event, resource=resource, payload={"symbol": symbol, "run": run, "reason": reason}
    )


@flow(name="retrain", on_failure=[_mark_failed], on_crashed=[_mark_failed])
def retrain(
    symbol: str,
    *,
    interval_seconds: int = 60,
    days: int = 14,
    horizon_bars: int = 10,
    trials: int = 20,
    until: datetime | None = None,
    trigger: str = "schedule",
    promote_first: bool = False,
    cost: float | None = None,
) -> Retrained:
    """Fit a model on the last days and register it, whatever its gate decides.

    One that passes is compared in shadow with the version in production; where there is
    none it waits for a person, or goes live at once if `promote_first` is set. The window
    ends with the bars on record, by the exchange's clock, unless told to end earlier. The
    cost is twice the account's taker fee and an allowance for the spread, unless given. One
    that finds another of its market at work, wherever that runs, waits its turn.
    """
    begin(symbol, trigger)
    with turn(open_engine(DatabaseSettings()), f"retrain {symbol}", patience=PATIENCE):
        window = choose_window(symbol, interval_seconds, days, until, cost)
        bars, rival = load_bars(window), load_champion(symbol)
        candidate = fit(trigger, window, bars, plan_of(window, horizon_bars, trials), rival)
        if isinstance(candidate, str):
            outcome = taught_nothing(symbol, candidate)
        else:
            registered = register(candidate, trigger)
            outcome = adopt(candidate, registered, window, promote_first=promote_first)
        conclude(outcome)
    if outcome.version is None:
        return ended_without(outcome)
    get_run_logger().info("%s: %s", symbol, outcome.reason)
    return outcome


def _unreachable(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    found = state.result(raise_on_failure=False)
    return isinstance(found, DatabaseUnreachable | OperationalError | RegistryUnreachable)


@task(cache_policy=NO_CACHE)
def begin(symbol: str, trigger: str) -> None:
    """Write down that this retraining began."""
    with Session(open_engine(DatabaseSettings())) as session, session.begin():
        retrainings.open_job(session, _job(), symbol=symbol, trigger=trigger, at=datetime.now(UTC))


@task(cache_policy=NO_CACHE)
def choose_window(
    symbol: str, interval_seconds: int, days: int, until: datetime | None, cost: float | None
) -> Window:
    """Fix which bars teach and what a round trip costs, before anything is looked at."""
    with Session(open_engine(DatabaseSettings())) as session:
        end = until or evidence.record_ends(session, symbol, interval_seconds)
        fee = retrainings.taker_fee(session, symbol)
    price = windows.round_trip(symbol, cost, fee)
    return windows.window_of(symbol, interval_seconds, days, end, price)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def load_bars(window: Window) -> pd.DataFrame:
    """Read the window's bars from the record."""
    engine = open_engine(DatabaseSettings())
    return history.read_bars(engine, window.symbol, window.interval, window.start, window.end)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def load_champion(symbol: str) -> ServedModel | None:
    """Fetch the model in production, to be scored on the same bars."""
    with Session(open_engine(DatabaseSettings())) as session:
        return champion.fetch(session, ModelRegistrySettings().tracking_uri, symbol)


@task(cache_policy=NO_CACHE)
def fit(
    trigger: str, window: Window, bars: pd.DataFrame, plan: Plan, rival: ServedModel | None
) -> Candidate | str:
    """Compute the features the trader computes, and search, fit, examine and judge."""
    return attempt(origin_of(window.symbol, trigger), bars, plan, rival)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def register(candidate: Candidate, trigger: str) -> Registered:
    """Put the model into MLflow with its evidence, passed or refused."""
    client = store.open_registry(ModelRegistrySettings())
    return registration.register(client, candidate, trigger=trigger)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def adopt(
    candidate: Candidate, registered: Registered, window: Window, *, promote_first: bool
) -> Retrained:
    """Promote the version, start its comparison, or leave it."""
    client = store.open_registry(ModelRegistrySettings())
    with Session(open_engine(DatabaseSettings())) as session, session.begin():
        adopted = adoption.adopt(
            session,
            client,
            window.symbol,
            registered.version,
            promote_first=promote_first,
            at=window.end,
            now=datetime.now(UTC),
        )
    return outcome_of(candidate, registered, adopted)


@task(cache_policy=NO_CACHE)
def conclude(outcome: Retrained) -> None:
    """Close the job on record and show the verdict."""
    with Session(open_engine(DatabaseSettings())) as session, session.begin():
        retrainings.close_job(
            session,
            _job(),
            at=datetime.now(UTC),
            passed=outcome.passed,
            reason=outcome.reason,
            data_hash=outcome.data_hash,
            run_id=outcome.run_id,
            version=outcome.version,
        )
    key = f"retrain-{model_name(outcome.symbol)}"
    create_markdown_artifact(outcome.details, key=key, description=outcome.reason)


def plan_of(window: Window, horizon_bars: int, trials: int) -> Plan:
    """Return the terms of the training."""
    return Plan(interval=window.interval, horizon=horizon_bars, cost=window.cost, trials=trials)


def origin_of(symbol: str, trigger: str) -> Origin:
    """Return where the model comes from, and on whose word in which run."""
    return Origin(
        symbol=symbol,
        feature_hash=features.HASH,
        git_commit=provenance.git_commit(),
        who=trigger,
        run=_job(),
    )


def attempt(
    origin: Origin, bars: pd.DataFrame, plan: Plan, rival: ServedModel | None
) -> Candidate | str:
    """Fit and judge, or say in a sentence why these bars cannot teach."""
    try:
        return retraining.retrain(
            bars,
            lambda rows: features.compute(rows, plan.interval),
            origin=origin,
            plan=plan,
            settings=StudySettings(),
            champion=rival,
        )
    except TrainingRefused as refusal:
        return f"nothing was trained for {origin.symbol}: {refusal}"


def taught_nothing(symbol: str, reason: str) -> Retrained:
    """Say that there is no model, and what that means."""
    details = f"# {symbol}: nothing was trained\n\n{reason}.\n"
    details += "\nNo version was registered; whatever was in production stays.\n"
    return Retrained(symbol=symbol, passed=False, reason=reason, details=details)


def ended_without(outcome: Retrained) -> Retrained:
    """End the run as completed, but by another name and with the reason, and announce it."""
    get_run_logger().warning("%s: %s", outcome.symbol, outcome.reason)
    _announce(TAUGHT_NOTHING, outcome.symbol, _job(), outcome.reason)
    # Prefect takes a state for the run's own, and hands its data to whoever called.
    state: Any = Completed(name="TaughtNothing", message=outcome.reason, data=outcome)
    return cast("Retrained", state)


def outcome_of(
    candidate: Candidate, registered: Registered, adopted: adoption.Adopted
) -> Retrained:
    """Put the verdict and what followed from it into one sentence."""
    word = "passed" if candidate.verdict.passed else "was refused"
    named = f"version {registered.version} ({registered.semantic})"
    reason = f"{named} {word}: {candidate.verdict.reason}; {adopted.reason}"
    return Retrained(
        symbol=candidate.contract.symbol,
        passed=candidate.verdict.passed,
        reason=reason,
        details=f"{report.markdown(candidate)}\nIn MLflow: {named}, run `{registered.run_id}`. "
        f"{adopted.reason[:1].upper()}{adopted.reason[1:]}.\n",
        version=registered.version,
        run_id=registered.run_id,
        data_hash=candidate.contract.data_hash,
        promoted=adopted.promoted,
        experiment_id=adopted.experiment_id,
    )


def _job() -> str:
    return str(runtime.flow_run.id)
