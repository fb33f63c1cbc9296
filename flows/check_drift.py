"""Ask whether the world a production model was taught in is still the one it trades in."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from sqlalchemy.orm import Session

from drift import report
from drift.errors import ReportRefused
from drift.verdict import Checked, judge
from drift.window import OUTCOME, PROBABILITY, Window, examine, forward_returns
from market import features, history
from registry import store
from registry.contract import model_name
from registry.errors import RegistryUnreachable
from registry.settings import ModelRegistrySettings
from sql import evidence, retrainings, scores
from sql.database import DatabaseSettings, open_engine
from sql.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from prefect.client.schemas.objects import State, TaskRun
    from sqlalchemy import Engine

    from registry.store import RegisteredVersion

MLFLOW_EXPERIMENT = "drift"
RETRAIN_WANTED = "friday.retrain-wanted"


@flow(name="check_drift")
def check_drift(
    symbol: str,
    *,
    interval_seconds: int = 60,
    days_reference: int = 14,
    hours_current: int = 8,
    until: datetime | None = None,
    retrain_after_bars: int = 10_080,
) -> Checked:
    """Compare the last hours with the days before, for the model in production.

    Only lost performance, or predictions and features that moved together, ask for a new
    model, by an event; so does a record that grew by so many bars since the last retraining.
    The window ends with the bars on record, by the exchange's clock, unless told to end
    earlier. Checking one window twice records it once.
    """
    model = find_model(symbol)
    window = (
        None
        if model is None
        else gather(
            model, timedelta(seconds=interval_seconds), days_reference, hours_current, until
        )
    )
    checked = conclude(symbol, model, window)
    publish(checked)
    if not checked.retrain:
        heed_volume(symbol, interval_seconds, retrain_after_bars)
    if window is not None:
        attach(checked, window)
    get_run_logger().info("%s: %s", symbol, checked.reason)
    return checked


def _unreachable(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    found = state.result(raise_on_failure=False)
    return isinstance(found, DatabaseUnreachable | RegistryUnreachable)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def find_model(symbol: str) -> RegisteredVersion | None:
    """Ask the registry which version is in production."""
    return production_model(store.open_registry(ModelRegistrySettings()), symbol)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_unreachable)
def gather(
    model: RegisteredVersion, interval: timedelta, days: int, hours: int, until: datetime | None
) -> Window | None:
    """Read the bars and the model's scores; settle the outcomes that are due."""
    engine = open_engine(DatabaseSettings())
    spans = timedelta(days=days), timedelta(hours=hours)
    return read_window(engine, model, interval, spans, until)


@task(cache_policy=NO_CACHE)
def conclude(symbol: str, model: RegisteredVersion | None, window: Window | None) -> Checked:
    """Examine, judge, and write down every finding."""
    return judge_window(open_engine(DatabaseSettings()), symbol, model, window)


@task(cache_policy=NO_CACHE)
def publish(checked: Checked) -> None:
    """Show the verdict, and call for a new model if one is wanted."""
    create_markdown_artifact(
        checked.markdown(), key=f"drift-{checked.market}", description=checked.reason
    )
    if checked.findings:
        create_table_artifact(checked.table(), key=f"drift-features-{checked.market}")
    if checked.retrain:
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


def production_model(client: MlflowClient, symbol: str) -> RegisteredVersion | None:
    """Return the version in production, if there is one.

    Raises:
        RegistryUnreachable: MLflow did not answer.
    """
    number = store.production_version(client, symbol)
    return None if number is None else store.version(client, symbol, number)


def read_window(
    engine: Engine,
    model: RegisteredVersion,
    interval: timedelta,
    spans: tuple[timedelta, timedelta],
    until: datetime | None,
) -> Window | None:
    """Read what the check looks at; None without any bars.

    Args:
        engine: The record.
        model: The version in production, with its horizon and cost.
        interval: The bars' length.
        spans: How long the reference is, and how long the current window.
        until: Where the current window ends; with the record if not given.
    """
    horizon, seconds = int(model.tags["horizon_bars"]), int(interval.total_seconds())
    with Session(engine) as session, session.begin():
        end = until or evidence.record_ends(session, model.symbol, seconds)
        if end is None:
            return None
        history.settle_outcomes(session, model.symbol, interval, horizon, end)
        start = end - spans[1]
        scored = scores.scored_bars(
            session,
            symbol=model.symbol,
            interval_seconds=seconds,
            horizon_bars=horizon,
            model_version=model.version,
            start=start - spans[0],
            end=end,
        )
    first = start - spans[0] - features.WARM_UP * interval
    bars = history.read_bars(engine, model.symbol, interval, first, end)
    if bars.empty:
        return None
    table = features.compute(bars, interval)
    table[OUTCOME] = forward_returns(bars["close"], interval, horizon)
    table = table[table.index >= pd.Timestamp(start - spans[0])]
    before = table.index < pd.Timestamp(start)
    return Window(
        start=start,
        end=end,
        interval=interval,
        horizon_bars=horizon,
        cost=model.cost or 0.0,
        reference=table[before],
        current=as_seen(table[~before], scored),
        scores=scores_of(scored),
    )


def as_seen(current: pd.DataFrame, scored: list[scores.ScoredBar]) -> pd.DataFrame:
    """Put the features that the model saw in the place of those computed from bars.

    Where it scored a bar and the record holds the bar, what it saw counts; a difference
    between the two would be drift as well.
    """
    seen = {
        bar.bar_start: bar.features for bar in scored if len(bar.features) == len(features.NAMES)
    }
    rows = [n for n, at in enumerate(current.index) if at.to_pydatetime() in seen]
    values = current[list(features.NAMES)].to_numpy(dtype=np.float64, copy=True)
    for n in rows:
        values[n] = seen[current.index[n].to_pydatetime()]
    told = pd.DataFrame(values, index=current.index, columns=list(features.NAMES))
    return told.assign(**{OUTCOME: current[OUTCOME]})


def scores_of(scored: list[scores.ScoredBar]) -> pd.DataFrame:
    """Return probability and outcome by bar, as the window wants them."""
    index = pd.DatetimeIndex([bar.bar_start for bar in scored], name="start", tz="UTC")
    columns = {
        PROBABILITY: [bar.probability for bar in scored],
        OUTCOME: [bar.forward_return for bar in scored],
    }
    return pd.DataFrame(columns, index=index, dtype="float64")


def judge_window(
    engine: Engine, symbol: str, model: RegisteredVersion | None, window: Window | None
) -> Checked:
    """Examine a window, judge by the rule of tiers, and record each finding once."""
    if model is None:
        return Checked(symbol=symbol, reason="no model is in production, so none can drift")
    if window is None:
        return Checked(
            symbol=symbol, version=model.version, reason="no bars are on record to compare yet"
        )
    found = tuple(examine(window))
    verdict = judge(found)
    with Session(engine) as session, session.begin():
        for finding in found:
            evidence.record_drift(
                session,
                symbol=symbol,
                model_version=model.version,
                kind=finding.kind,
                window_start=window.start,
                window_end=window.end,
                statistic=finding.statistic,
                threshold=finding.threshold,
                alarm=finding.alarm,
                reason=finding.reason,
                detail=finding.detail,
                at=window.end,
            )
    return Checked(
        symbol=symbol,
        reason=verdict.reason,
        retrain=verdict.retrain,
        version=model.version,
        start=window.start,
        end=window.end,
        findings=found,
    )


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
    tags = {"symbol": checked.symbol, "version": str(checked.version), "reason": checked.reason}
    with TemporaryDirectory() as folder, store.translated("the drift report"):
        files = Path(folder)
        (files / "verdict.json").write_text(json.dumps(asdict(checked), default=str, indent=2))
        try:
            report.draw(*window.drawn(), files / "report.html")
        except ReportRefused as error:
            tags["report"] = f"not drawn: {error}"
        found = client.get_experiment_by_name(MLFLOW_EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(MLFLOW_EXPERIMENT)
        name = f"{checked.market} {window.end:%Y-%m-%d %H:%M}"
        run_id = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
        for finding in checked.findings:
            client.log_metric(run_id, f"{finding.kind}_alarm", float(finding.alarm))
        client.log_artifacts(run_id, folder)
        client.set_terminated(run_id, "FINISHED")
    return run_id
