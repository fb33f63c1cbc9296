"""What a drift check reads from the record, and what it writes there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from drift.verdict import Checked, judge
from drift.window import OUTCOME, PROBABILITY, Window, examine, forward_returns
from flows.asked import ending, without_hindsight
from market import features, history
from sql import evidence, scores
from sql.turns import turn

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from drift.verdict import Finding
    from registry.store import RegisteredVersion

NO_BARS = "no bars are on record to compare yet"
PATIENCE = timedelta(minutes=10)  # with another check of the same market


def read_window(
    engine: Engine,
    model: RegisteredVersion,
    interval: timedelta,
    spans: tuple[timedelta, timedelta],
    until: datetime | None,
) -> Window | str:
    """Read what the check looks at, or say why there is nothing to look at.

    Args:
        engine: The record.
        model: The version in production, with its horizon and cost.
        interval: The bars' length.
        spans: How long the reference is, and how long the current window.
        until: Where the current window ends, if not with the record.
    """
    horizon, seconds = int(model.tags["horizon_bars"]), int(interval.total_seconds())
    with Session(engine) as session, session.begin():
        recorded = evidence.record_ends(session, model.symbol, seconds)
        if recorded is None:
            return NO_BARS
        end = ending(until, recorded, interval)
        history.settle_outcomes(session, model.symbol, interval, horizon, end)
        start = end - spans[1]
        told = scores.scored_bars(
            session,
            symbol=model.symbol,
            interval_seconds=seconds,
            horizon_bars=horizon,
            model_version=model.version,
            start=start - spans[0],
            end=end,
        )
    scored = without_hindsight(told, (horizon + 1) * interval, end)
    first = start - spans[0] - features.WARM_UP * interval
    bars = history.read_bars(engine, model.symbol, interval, first, end)
    if bars.empty:
        return NO_BARS
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
    engine: Engine, symbol: str, model: RegisteredVersion | None, window: Window | str
) -> Checked:
    """Examine a window, judge by the rule of tiers, and record each finding once.

    Raises:
        TurnNotCome: Another check of the market went on for too long.
    """
    if model is None:
        return Checked(symbol=symbol, reason="no model is in production, so none can drift")
    if isinstance(window, str):
        return Checked(symbol=symbol, version=model.version, reason=window)
    found = tuple(examine(window))
    verdict = judge(found)
    with turn(engine, f"drift {symbol}", patience=PATIENCE), Session(engine) as session:
        new = [_record(session, symbol, model, window, finding) for finding in found]
        session.commit()
    return Checked(
        symbol=symbol,
        reason=verdict.reason,
        retrain=verdict.retrain,
        repeated=not any(new),
        version=model.version,
        start=window.start,
        end=window.end,
        findings=found,
    )


def _record(
    session: Session, symbol: str, model: RegisteredVersion, window: Window, finding: Finding
) -> bool:
    return evidence.record_drift(
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
