"""Look at a market's running experiment and say whether it may be called."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from experiments.analysis import Analysis, Decision, Pairs, analyse
from experiments.planning import Terms
from flows.asked import Market, Moment, ending, key, without_hindsight
from market.history import settle_outcomes
from sql import evidence, scores
from sql.database import DatabaseSettings, open_engine
from sql.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from datetime import datetime

    from prefect.client.schemas.objects import State, TaskRun
    from sqlalchemy import Engine

    from sql.tables import ExperimentRow

TIME = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at a market's experiment found; no experiment, no analysis."""

    symbol: str
    reason: str
    experiment_id: str | None = None
    decision: Decision | None = None
    control_version: int | None = None
    treatment_version: int | None = None
    analysis: Analysis | None = None

    def markdown(self) -> str:
        """Tell the same to a person."""
        title = f"# {self.symbol}: {self.decision or 'no experiment'}\n\n{self.reason}\n"
        if self.analysis is None:
            return title
        return title + _details(self, self.analysis)


@flow(name="analyse_experiment")
def analyse_experiment(symbol: Market, *, until: Moment | None = None) -> Looked:
    """Compare the two versions of the running experiment on every bar both scored.

    A verdict other than undecided ends the experiment; promoting is for a person or a
    policy. Looking often costs nothing: the evidence is valid at every look. The window
    ends with the bars on record, by the exchange's clock, unless told to end earlier.
    """
    looked = look(symbol, until)
    publish(looked)
    get_run_logger().info("%s: %s", symbol, looked.reason)
    return looked


def _unreachable(_task: object, _run: TaskRun, state: State[object]) -> bool:
    found = state.result(raise_on_failure=False)
    return isinstance(found, DatabaseUnreachable | OperationalError)


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=_unreachable)
def look(symbol: str, until: datetime | None) -> Looked:
    """Settle what is due, analyse, and write down the look."""
    engine = open_engine(DatabaseSettings())
    return take_look(engine, symbol, until)


@task
def publish(looked: Looked) -> None:
    """Show the verdict and its figures."""
    create_markdown_artifact(
        looked.markdown(), key=key("experiment", looked.symbol), description=looked.reason
    )


def take_look(engine: Engine, symbol: str, until: datetime | None = None) -> Looked:
    """Analyse the symbol's running experiment and record what it shows, in one transaction.

    Outcomes that became due are settled first. Looking twice at one time records one look,
    and who looks while somebody else does waits until they are done.
    """
    with Session(engine) as session, session.begin():
        experiment = _running(session, symbol)
        if experiment is None:
            return Looked(symbol=symbol, reason=f"no experiment is running for {symbol}")
        interval = timedelta(seconds=experiment.interval_seconds)
        recorded = evidence.record_ends(session, symbol, experiment.interval_seconds)
        if recorded is None:
            return Looked(
                symbol=symbol,
                experiment_id=experiment.id,
                reason=f"no bars of {symbol} are on record yet, so nothing can be compared",
            )
        end = ending(until, recorded, interval)
        if end <= experiment.started_at:
            return Looked(
                symbol=symbol,
                experiment_id=experiment.id,
                reason=f"the experiment began at {experiment.started_at:{TIME}}, and until "
                f"{end:{TIME}} there is nothing to compare",
            )
        settle_outcomes(session, symbol, interval, experiment.horizon_bars, end)
        told = scores.paired_scores(session, experiment, end)
        known = without_hindsight(told, (experiment.horizon_bars + 1) * interval, end)
        analysis = analyse(pair(known, experiment), terms_of(experiment))
        _record(session, experiment, analysis, end)
        return Looked(
            symbol=symbol,
            experiment_id=experiment.id,
            decision=analysis.decision,
            reason=analysis.reason,
            control_version=experiment.control_version,
            treatment_version=experiment.treatment_version,
            analysis=analysis,
        )


def _running(session: Session, symbol: str) -> ExperimentRow | None:
    """Return the running experiment, which nobody else can end before this transaction is over."""
    experiment = evidence.running_experiment(session, symbol)
    if experiment is None:
        return None
    session.refresh(experiment, with_for_update=True)
    return experiment if experiment.state == "running" else None


def pair(rows: list[scores.PairedScore], experiment: ExperimentRow) -> Pairs:
    """Turn the rows into arrays; a rise is a return above the experiment's cost."""
    returns = np.array([_number(score.forward_return) for score in rows])
    return Pairs(
        bars=np.array(
            [int(s.bar_start.timestamp()) // experiment.interval_seconds for s in rows],
            dtype=np.int64,
        ),
        control=np.array([_number(score.control) for score in rows]),
        treatment=np.array([_number(score.treatment) for score in rows]),
        rose=np.where(np.isnan(returns), np.nan, (returns > experiment.cost).astype(float)),
    )


def terms_of(experiment: ExperimentRow) -> Terms:
    """Return the terms as they were agreed when the experiment started."""
    return Terms(
        metric=experiment.metric,
        horizon_bars=experiment.horizon_bars,
        block_bars=experiment.block_bars,
        alpha=experiment.alpha,
        planned_units=experiment.planned_units,
        cap_units=experiment.cap_units,
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _record(session: Session, experiment: ExperimentRow, analysis: Analysis, at: datetime) -> None:
    evidence.record_look(
        session,
        experiment.id,
        at=at,
        units=analysis.units,
        effect=analysis.effect,
        low=analysis.low,
        high=analysis.high,
        p_value=analysis.p_value,
        verdict=analysis.decision,
        reason=analysis.reason,
    )
    if analysis.decision is not Decision.UNDECIDED:
        evidence.stop_experiment(session, experiment.id, at=at, conclusion=analysis.reason)


def _details(looked: Looked, analysis: Analysis) -> str:
    coverage = asdict(analysis.coverage)
    rows = {
        "control (in production)": f"version {looked.control_version}",
        "treatment (on trial)": f"version {looked.treatment_version}",
        "blocks seen, planned, at most": (
            f"{analysis.units}, {analysis.planned_units}, {analysis.cap_units}"
        ),
        "log loss that the treatment saves, nats a bar": _signed(analysis.effect),
        "interval valid at every look": f"{_signed(analysis.low)} to {_signed(analysis.high)}",
        "p-value, smallest so far": _shown(analysis.p_value),
        "p-value by betting on Brier scores": _shown(analysis.exact_p_value),
        "bars scored by both": str(coverage["both"]),
        "bars scored by one only": f"{coverage['control_only']}, {coverage['treatment_only']}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"\n| | |\n|---|---|\n{table}\n\nExperiment `{looked.experiment_id}`.\n"


def _signed(value: float | None) -> str:
    return "not yet" if value is None else f"{value:+.5f}"


def _shown(value: float | None) -> str:
    return "not yet" if value is None else f"{value:.2g}"
