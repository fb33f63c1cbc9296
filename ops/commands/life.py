"""The life of a model: retrain, look at the evidence, promote, and go back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from ops import progress, promotion
from ops.commands.account import because, engine, latest, who
from ops.commands.options import Fraction, Market
from ops.commands.printing import Columns, as_json, dump, show
from ops.errors import AnswerIsNo
from sql import evidence
from sql.tables import (
    DriftResultRow,
    ExperimentLookRow,
    ExperimentRow,
    ModelDeploymentRow,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from mlflow import MlflowClient

    from registry.pointing import Pointer


def registry() -> MlflowClient:
    """Open the model registry."""
    from registry.settings import ModelRegistrySettings
    from registry.store import open_registry

    return open_registry(ModelRegistrySettings())


def pointer() -> Pointer:
    """Open the registry to move an alias, without MLflow's client and its seconds."""
    from registry.pointing import Pointer
    from registry.settings import ModelRegistrySettings

    return Pointer(ModelRegistrySettings())


@click.command("retrain")
@click.argument("symbol", type=Market())
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, 3_650))
@click.option("--interval-seconds", default=60, show_default=True, type=click.IntRange(1, 86_400))
@click.option("--horizon-bars", default=10, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option(
    "--cost", type=Fraction(), help="Round trip as a fraction; else from the account's fees."
)
def retrain_command(
    symbol: str,
    *,
    days: int,
    interval_seconds: int,
    horizon_bars: int,
    trials: int,
    cost: Decimal | None,
) -> None:
    """Run the retraining flow here and now; exit 1 if the gate refuses the model."""
    from flows.retrain import retrain

    progress.without_tracebacks()
    outcome = retrain(
        symbol,
        interval_seconds=interval_seconds,
        days=days,
        horizon_bars=horizon_bars,
        trials=trials,
        cost=None if cost is None else float(cost),
        trigger="manual",
    )
    if outcome.version is None:
        raise AnswerIsNo(outcome.reason)
    click.echo(outcome.reason)
    if not outcome.passed:
        raise AnswerIsNo(f"the gate refused version {outcome.version} of {symbol}")


@click.command("models")
@click.argument("symbol", type=Market())
@as_json
def models_command(symbol: str, *, as_json: bool) -> None:
    """List a market's registered versions: the gate's verdict, and what the trader made of it."""
    from registry import store

    rows = store.versions(registry(), symbol)
    with Session(engine()) as session:
        told = _last_told(session, symbol)
    if as_json:
        dump(
            [
                asdict(row) | {"semantic": row.semantic, "trader": told.get(row.version)}
                for row in rows
            ]
        )
        return
    columns: Columns = {
        "version": lambda row: row.version,
        "semantic": lambda row: row.semantic,
        "aliases": lambda row: ", ".join(row.aliases) or "-",
        "gate": lambda row: row.gate + (", overridden" if row.override else ""),
        "trader": lambda row: told.get(row.version, "-"),
        "registered": lambda row: row.created,
        "reason": lambda row: _and_word(row.gate_reason, row.override),
    }
    show(
        rows, columns, empty=f"{symbol} has no registered model; friday retrain {symbol} makes one"
    )


def _and_word(reason: str, override: object | None) -> str:
    return reason if override is None else f"{reason}; overridden by {override}"


def _last_told(session: Session, symbol: str) -> dict[int, str]:
    """Return what the trader last did with each version."""
    rows = session.execute(
        select(ModelDeploymentRow.version, ModelDeploymentRow.action)
        .where(ModelDeploymentRow.symbol == symbol)
        .order_by(ModelDeploymentRow.id)
    )
    return dict(rows.tuples().all())


@click.command("promote")
@click.argument("symbol", type=Market())
@click.argument("version", type=click.IntRange(1))
@because
@click.option("--override", is_flag=True, help="Although its gate refused it; that is shown.")
def promote_command(symbol: str, version: int, reason: str, *, override: bool) -> None:
    """Make a version the production one; the trader takes it up within seconds."""
    promotion.promote(
        engine(), pointer(), symbol, version, who=who(), reason=reason, override=override
    )
    click.echo(f"{symbol}: version {version} is now production")


@click.command("rollback")
@click.argument("symbol", type=Market())
@because
def rollback_command(symbol: str, reason: str) -> None:
    """Put the version that was in production before back; the trader follows in seconds."""
    done = promotion.roll_back(engine(), pointer(), symbol, who=who(), reason=reason)
    click.echo(f"{symbol}: version {done.version} is production again, {done.previous} is not")


@click.command("drift")
@click.argument("symbol", type=Market())
@latest
@as_json
def drift_command(symbol: str, limit: int, *, as_json: bool) -> None:
    """Show what the drift checks found."""
    query = (
        select(DriftResultRow)
        .where(DriftResultRow.symbol == symbol)
        .order_by(DriftResultRow.id.desc())
        .limit(limit)
    )
    columns: Columns = {
        "at": lambda row: row.at,
        "kind": lambda row: row.kind,
        "version": lambda row: row.model_version,
        "statistic": lambda row: row.statistic,
        "threshold": lambda row: row.threshold,
        "alarm": lambda row: row.alarm,
        "reason": lambda row: row.reason,
    }
    with Session(engine()) as session:
        rows = session.scalars(query).all()
    if as_json:
        dump([{name: value(row) for name, value in columns.items()} for row in rows])
        return
    show(rows, columns, empty=f"no drift check of {symbol} has run yet")


@click.group("experiment")
def experiment_command() -> None:
    """Look at experiments, or stop one."""


@experiment_command.command("list")
@as_json
def experiment_list_command(*, as_json: bool) -> None:
    """List experiments, newest first."""
    columns: Columns = {
        "experiment": lambda row: row.id,
        "market": lambda row: row.symbol,
        "control": lambda row: row.control_version,
        "treatment": lambda row: row.treatment_version,
        "state": lambda row: row.state,
        "started": lambda row: row.started_at,
        "planned units": lambda row: row.planned_units,
        "conclusion": lambda row: row.conclusion,
    }
    with Session(engine()) as session:
        rows = session.scalars(
            select(ExperimentRow).order_by(ExperimentRow.started_at.desc())
        ).all()
    if as_json:
        dump([{name: value(row) for name, value in columns.items()} for row in rows])
        return
    show(rows, columns, empty="no experiment was ever started")


@experiment_command.command("show")
@click.argument("experiment")
@as_json
def experiment_show_command(experiment: str, *, as_json: bool) -> None:
    """Show every look at an experiment."""
    query = select(ExperimentLookRow).where(ExperimentLookRow.experiment_id == experiment)
    columns: Columns = {
        "at": lambda row: row.at,
        "units": lambda row: row.units,
        "effect": lambda row: row.effect,
        "low": lambda row: row.low,
        "high": lambda row: row.high,
        "p": lambda row: row.p_value,
        "verdict": lambda row: row.verdict,
        "reason": lambda row: row.reason,
    }
    with Session(engine()) as session:
        if session.get(ExperimentRow, experiment) is None:
            raise AnswerIsNo(
                f"no experiment is called {experiment}; friday experiment list has them"
            )
        rows = session.scalars(query.order_by(ExperimentLookRow.id)).all()
    if as_json:
        dump([{name: value(row) for name, value in columns.items()} for row in rows])
        return
    show(rows, columns, empty="nobody has looked at it yet")


@experiment_command.command("stop")
@click.argument("experiment")
@because
def experiment_stop_command(experiment: str, reason: str) -> None:
    """Stop an experiment for good; its terms are never started again."""
    with Session(engine()) as session, session.begin():
        stopped = evidence.stop_experiment(
            session, experiment, at=datetime.now(UTC), conclusion=f"stopped by hand: {reason}"
        )
    if not stopped:
        raise AnswerIsNo(f"no running experiment is called {experiment}")
    click.echo(f"{experiment} is stopped")
