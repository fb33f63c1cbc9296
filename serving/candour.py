"""Whether what the model in production said came true: looked at between bars, not before an order.

A version that is shown to be wrong about its own chances is to be rolled back from, as one that
errs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.calibration import Calibration
from serving import tenure
from serving.events import PRODUCTION
from sql.scores import settled_scores

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy.orm import Session

    from serving.events import ModelLoaded
    from serving.roster import Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a version's outcomes have shown since its promotion; `start` is the next to look for.

    `seen` is the last bar at which it was asked.
    """

    version: int
    calibration: Calibration
    start: datetime
    seen: datetime


def review(
    session: Session, roster: Roster, *, seen: datetime, interval: timedelta, most: float
) -> str | None:
    """Take in the outcomes that are new, once a bar, and say if the model was wrong.

    Args:
        session: The record.
        roster: The market's.
        seen: The last bar that has closed.
        interval: The length of a bar.
        most: The model was wrong if the odds against its probabilities exceed this to 1.
    """
    model, track = roster.models.get(PRODUCTION), roster.track
    if model is None:
        return None
    if track is not None and (track.version, track.seen) == (model.version, seen):
        return None
    roster.track = track = _follow(session, roster, model, seen, interval)
    return None if track is None else track.calibration.fault(most)


def _follow(
    session: Session, roster: Roster, model: ModelLoaded, seen: datetime, interval: timedelta
) -> Track | None:
    track, contract = roster.track, model.served.contract
    if track is None or track.version != model.version:
        began = tenure.taken_up(session, roster.symbol, model.version)
        if began is None:
            return None
        start = began.at
        track = Track(version=model.version, calibration=Calibration(), start=start, seen=seen)
    found = settled_scores(
        session,
        symbol=roster.symbol,
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
    start = found[-1][0] + interval if found else track.start
    return Track(version=model.version, calibration=calibration, start=start, seen=seen)
