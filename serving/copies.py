"""Which copy on disk trades until MLflow has answered: that of the version the record names.

A copy tells what was wanted when the trader last looked. Whoever promoted or rolled back by a
command while it was down is on record, and MLflow may be away when it starts.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from serving.events import PREVIOUS, PRODUCTION, ModelLoaded, ModelRefused
from sql import promotions

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from serving.roster import Roster


def named_by_record(
    session: Session, roster: Roster, copy: ModelLoaded
) -> ModelLoaded | ModelRefused:
    """Return the copy of the version that the record names, or a refusal: there is none.

    Args:
        session: The record.
        roster: The market's, with the copies of the versions before at hand; `copy` joins them
            if it is not the one.
        copy: What was kept on disk for production.
    """
    wanted = promotions.last_move(session, copy.symbol)
    if wanted is None or wanted.to_version == copy.version:
        return copy
    if wanted.to_version is None:
        reason = f"production was taken off it on {wanted.at:%Y-%m-%d %H:%M} UTC"
        return _missing(copy, copy.version, f"{reason}, and nothing was wanted there since")
    found = roster.spares.get(wanted.to_version)
    roster.adopt(replace(copy, role=PREVIOUS))
    if found is None:
        return _missing(copy, wanted.to_version, "it is not on disk")
    sys.stderr.write(
        f"{copy.symbol} {PRODUCTION}: version {found.version} trades, which the record names; the "
        f"copy on disk is version {copy.version}\n"
    )
    return replace(found, role=PRODUCTION, is_copy=True)


def _missing(copy: ModelLoaded, version: int, reason: str) -> ModelRefused:
    return ModelRefused(
        symbol=copy.symbol, role=PRODUCTION, version=version, run_id="", reason=reason, is_copy=True
    )
