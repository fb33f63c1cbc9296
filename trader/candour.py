"""Whether what the model in production said came true: looked at between bars, not before an order.

A version that is shown to be wrong about its own chances is rolled back from, as one that errs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.orm import Session

from experiments.calibration import Calibration
from serving.events import PRODUCTION
from sql.scores import settled_scores
from trader import deployment

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from serving.events import ModelLoaded
    from trader.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a version's outcomes have shown since its promotion; `start` is the next to look for.

    `seen` is the last bar at which it was asked.
    """

    version: int
    calibration: Calibration
    start: datetime
    seen: datetime


def review(engine: Engine, desk: Desk, now: datetime, most: float) -> None:
    """Take in the outcomes that are new, once a bar, and roll back from a model that was wrong.

    It was if the odds against its probabilities exceed `most` to 1.
    """
    model, bar, track = desk.models.get(PRODUCTION), desk.last_bar, desk.track
    if model is None or bar is None:
        return
    if track is not None and (track.version, track.seen) == (model.version, bar.start):
        return
    with Session(engine) as session, session.begin():
        desk.track = track = _follow(session, desk, model, bar.start)
        fault = None if track is None else track.calibration.fault(most)
        if fault is not None:
            deployment.roll_back(session, desk, PRODUCTION, fault, now)


def _follow(session: Session, desk: Desk, model: ModelLoaded, seen: datetime) -> Track | None:
    track, contract = desk.track, model.served.contract
    if track is None or track.version != model.version:
        began = deployment.taken_up(session, desk.symbol, model.version)
        if began is None:
            return None
        start = began.at
        track = Track(version=model.version, calibration=Calibration(), start=start, seen=seen)
    found = settled_scores(
        session,
        symbol=desk.symbol,
        interval_seconds=contract.interval_seconds,
        horizon_bars=contract.horizon_bars,
        model_version=model.version,
        start=track.start,
    )
    calibration = track.calibration.after(
        np.array([probability for _, probability, _ in found]),
        np.array([float(change > contract.cost) for _, _, change in found]),
        base_rate=contract.base_rate,
    )
    start = found[-1][0] + desk.interval if found else track.start
    return Track(version=model.version, calibration=calibration, start=start, seen=seen)
