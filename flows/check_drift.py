"""Ask whether the world a production model was taught in is still the one it trades in."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from drift import report
from drift.errors import ReportRefused
from drift.window import Window
from flows.asked import Count, Market, Moment, Seconds, key
from flows.drift_record import judge_window, read_window
from registry import store
from registry.contract import model_name
from registry.errors import RegistryUnreachable
from registry.settings import ModelRegistrySettings
from serving import production
from sql import retrainings
from sql.database import DatabaseSettings, open_engine
from sql.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from prefect.client.schemas.objects import State, TaskRun

    from drift.verdict import Checked
    from registry.store import RegisteredVersion

MLFLOW_EXPERIMENT = "drift"
SAME_WINDOW = ("symbol", "version", "window_start", "window_end")
RETRAIN_WANTED = "friday.retrain-wanted"


@flow(name="check_drift")
def check_drift(
    symbol: Market,
    *,
    interval_seconds: Seconds = 60,
    days_reference: Count = 14,
    hours_current: Count = 8,
    until: Moment | None = None,
    retrain_after_bars: Count = 10_080,
) -> Checked:
    """Compare the last hours with the days before, for the model in production.

    Only lost performance, or predictions and features that moved together, ask for a new
    model, by an event; so does a record that grew by so many bars since the last retraining.
    The window ends with the bars on record, by the exchange's clock, unless told to end
    earlier. Checking one window twice records it once, and asks for one model. A model is
    checked on the bars that it scores; `interval_seconds` counts where none is in production.
    """
    model = find_model(symbol)
    window = "" if model is None else gather(model, days_reference, hours_current, until)
    checked = conclude(symbol, model, window)
    publish(checked)
    if not checked.retrain:
        heed_volume(symbol, seconds_of(model, interval_seconds), retrain_after_bars)
    if isinstance(window, Window):
        attach(checked, window)
    get_run_logger().info("%s: %s", symbol, checked.reason)
    return checked


def _unreachable(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    found = state.result(raise_on_failure=False)
    return isinstance(found, DatabaseUnreachable | RegistryUnreachable | OperationalError)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def find_model(symbol: str) -> RegisteredVersion | None:
    """Ask registry and record which version is in production."""
    client = store.open_registry(ModelRegistrySettings())
    with Session(open_engine(DatabaseSettings())) as session:
        return production_model(session, client, symbol)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def gather(model: RegisteredVersion, days: int, hours: int, until: datetime | None) -> Window | str:
    """Read the bars and the model's scores, or say why not; settle the outcomes that are due."""
    interval = interval_of(model)
    if isinstance(interval, str):
        return interval
    engine = open_engine(DatabaseSettings())
    spans = timedelta(days=days), timedelta(hours=hours)
    return read_window(engine, model, interval, spans, until)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def conclude(symbol: str, model: RegisteredVersion | None, window: Window | str) -> Checked:
    """Examine, judge, and write down every finding."""
    return judge_window(open_engine(DatabaseSettings()), symbol, model, window)


@task(cache_policy=NO_CACHE)
def publish(checked: Checked) -> None:
    """Show the verdict, and call for a new model if one is wanted."""
    create_markdown_artifact(
        checked.markdown(), key=key("drift", checked.symbol), description=checked.reason
    )
    if checked.findings:
        create_table_artifact(checked.table(), key=key("drift-features", checked.symbol))
    if checked.retrain and not checked.repeated:
        announce(checked)


@task(cache_policy=NO_CACHE)
def heed_volume(symbol: str, interval_seconds: int, enough: int) -> None:
    """Call for a new model once there is enough that no retraining has seen."""
    with Session(open_engine(DatabaseSettings())) as session:
        new = retrainings.bars_since_last(session, symbol, interval_seconds)
    if new is not None and new >= enough:
        want(symbol, "volume", f"{new} bars came to the record since the last retraining")


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def attach(checked: Checked, window: Window) -> str:
    """Draw the report and keep it in a run of MLflow."""
    return attach_report(store.open_registry(ModelRegistrySettings()), checked, window)


def production_model(
    session: Session, client: MlflowClient, symbol: str
) -> RegisteredVersion | None:
    """Return the version in production, if there is one.

    Raises:
        RegistryUnreachable: MLflow did not answer.
    """
    number = production.in_production(session, client, symbol)
    return None if number is None else store.version(client, symbol, number)


def interval_of(model: RegisteredVersion) -> timedelta | str:
    """Return the length of the bars that a version scores, or say why nobody can tell."""
    told = {name: model.tags.get(name, "") for name in ("interval_seconds", "horizon_bars")}
    unclear = [name for name, value in told.items() if not value.isdecimal() or int(value) < 1]
    if unclear:
        return (
            f"version {model.version} is in production and does not tell its "
            f"{' and '.join(unclear)}, so nothing can be checked"
        )
    return timedelta(seconds=int(told["interval_seconds"]))


def seconds_of(model: RegisteredVersion | None, otherwise: int) -> int:
    """Return the length of the bars that a market's models are taught on."""
    interval = otherwise if model is None else interval_of(model)
    return int(interval.total_seconds()) if isinstance(interval, timedelta) else otherwise


def announce(checked: Checked) -> None:
    """Tell Prefect that drift wants a new model."""
    want(checked.symbol, "drift", checked.reason)


def want(symbol: str, cause: str, reason: str) -> None:
    """Tell Prefect that a new model is wanted, so that an automation may see to it."""
    emit_event(
        event=RETRAIN_WANTED,
        resource={"prefect.resource.id": f"friday.market.{model_name(symbol)}"},
        payload={"symbol": symbol, "cause": cause, "reason": reason},
    )


def attach_report(client: MlflowClient, checked: Checked, window: Window) -> str:
    """Keep the verdict, and the report if one can be drawn, in a run tagged with the version.

    Returns:
        The run's id.

    Raises:
        RegistryUnreachable: MLflow failed on the way.
    """
    tags = {
        "symbol": checked.symbol,
        "version": str(checked.version),
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
        "reason": checked.reason,
    }
    with TemporaryDirectory() as folder, store.translated("the drift report"):
        files = Path(folder)
        (files / "verdict.json").write_text(json.dumps(asdict(checked), default=str, indent=2))
        try:
            report.draw(*window.drawn(), files / "report.html")
        except ReportRefused as error:
            tags["report"] = f"not drawn: {error}"
        run_id = _run(client, checked, window, tags)
        for finding in checked.findings:
            client.log_metric(run_id, f"{finding.kind}_alarm", float(finding.alarm))
        client.log_artifacts(run_id, folder)
        client.set_terminated(run_id, "FINISHED")
    return run_id


def _run(client: MlflowClient, checked: Checked, window: Window, tags: dict[str, str]) -> str:
    """Return the run of this very window, which an earlier check or attempt may have begun."""
    found = client.get_experiment_by_name(MLFLOW_EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(MLFLOW_EXPERIMENT)
    asked = " AND ".join(f"tags.{name} = '{tags[name]}'" for name in SAME_WINDOW)
    if begun := client.search_runs([experiment], asked, max_results=1):
        run_id = str(begun[0].info.run_id)
        for name, value in tags.items():
            client.set_tag(run_id, name, value)
        return run_id
    name = f"{model_name(checked.symbol)} {window.end:%Y-%m-%d %H:%M}"
    return str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
