"""Which version trades: taken up, refused or rolled back from, and who asked for it.

What the record says decides. A version that was rolled back from stays out until it is
promoted once more, by a command or by an alias that moves, also after a restart.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from registry.numbering import SEMANTIC
from serving import copies, tenure
from serving.events import (
    NEVER,
    PREVIOUS,
    PRODUCTION,
    ModelEvent,
    ModelLoaded,
    ModelRefused,
    ModelWithdrawn,
)
from serving.roster import refusal
from sql import promotions

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy.orm import Session

    from serving.roster import Roster

SOMEBODY, TRADER = "somebody in MLflow", "trader"  # who, in the history


def take_up(
    session: Session, roster: Roster, event: ModelEvent, at: datetime, *, interval: timedelta
) -> list[ModelEvent]:
    """Write down what becomes of a version and return the events to act on.

    A version made for bars of another length than `interval` is refused here, since only the
    trader knows its own; so is one that was rolled back from. If nothing is live then, the
    version before it is. Of copies on disk the one that the record names is taken up, whichever
    was kept for production; without it, the last before it that left in good standing.
    """
    event = _fits(event, interval)
    if not (isinstance(event, ModelLoaded) and event.is_copy and event.role == PRODUCTION):
        return _take_up(session, roster, event, at)
    named = copies.named_by_record(session, roster, event)
    if isinstance(named, ModelRefused):
        return _do_without(session, roster, event, named, at)
    return _take_up(session, roster, named, at)


def _take_up(session: Session, roster: Roster, event: ModelEvent, at: datetime) -> list[ModelEvent]:
    if event.role == PRODUCTION:
        _record_wish(session, event, at)
        if _is_live(session, roster, event):
            return []
    if isinstance(event, ModelLoaded) and event.role == PRODUCTION:
        event = _unless_rolled_back(session, event)
    if isinstance(event, ModelLoaded) and event.role != PREVIOUS:
        source = "the record names it" if event.is_copy else f"the registry has it as {event.role}"
        _record(session, event, "deployed", source, at)
    if not isinstance(event, ModelRefused):
        return [event]
    if roster.refusals.get(event.role) != refusal(event):  # a copy's, that the registry confirms
        _record(session, event, "refused", event.reason, at)
    stand_in = None
    if event.role == PRODUCTION and PRODUCTION not in roster.models:
        stand_in = _stand_in(session, roster, event.version, "refused", at)
    return [event] if stand_in is None else [stand_in, event]


def reconsider(
    session: Session, roster: Roster, at: datetime, *, interval: timedelta
) -> list[ModelEvent]:
    """Take up the version that was rolled back from, if somebody has promoted it again."""
    model = roster.set_aside
    if model is None or tenure.why_rolled_back(session, model.symbol, model.version):
        return []
    return take_up(session, roster, model, at, interval=interval)


def roll_back(session: Session, roster: Roster, role: str, fault: str, at: datetime) -> str | None:
    """Send a model away, put the version before it in production's place, and say so.

    A challenger just goes.

    Returns:
        Why nothing may be bought until a person resumes, if there is no version before it.
    """
    model, halt = roster.models[role], None
    said = fault if role == PRODUCTION else f"as {role}: {fault}"
    _record(session, model, "rolled_back", said, at)
    roster.dismiss(role)
    told = f"version {model.version} rolled back: {fault}"
    if role == PRODUCTION:
        stand_in = _stand_in(session, roster, model.version, "rolled back from", at)
        _record_leaving(session, model, stand_in, fault, at)
        if stand_in is not None:
            roster.adopt(stand_in)
            told += f"; version {stand_in.version} is live"
        else:
            told += "; no version before it is at hand, so nothing is bought"
            halt = f"{roster.symbol}: {told}"
        roster.set_aside = model
    roster.refusals[role] = told
    sys.stderr.write(f"{roster.symbol} {role}: {told}\n")
    return halt


def _do_without(
    session: Session, roster: Roster, copy: ModelLoaded, named: ModelRefused, at: datetime
) -> list[ModelEvent]:
    """Let the version before one that is not on disk trade, if it may, and say so."""
    stand_in, told = None, named.reason
    if named.version != copy.version:  # else nothing is wanted
        stand_in = _stand_in(session, roster, named.version, "not on disk", at)
        told += (
            ", nor one before it in good standing: nothing is bought"
            if stand_in is None
            else f"; version {stand_in.version}, in production before it, trades"
        )
        told += " until MLflow answers"
    sys.stderr.write(f"{roster.symbol} {PRODUCTION}: version {named.version}: {told}\n")
    said = replace(named, reason=told)
    return [said] if stand_in is None else [stand_in, said]


def _unless_rolled_back(session: Session, event: ModelLoaded) -> ModelEvent:
    why = tenure.why_rolled_back(session, event.symbol, event.version)
    if why is None:
        return event
    reason = f"it was rolled back from, as {why}; promote it again to have it back"
    return replace(_refusal(event, reason), model=event)


def _stand_in(
    session: Session, roster: Roster, gone: int, why: str, at: datetime
) -> ModelLoaded | None:
    """Choose the version that was live before and is at hand, and write down that it is now.

    There is none where on record nothing is wanted in production any more.
    """
    wanted = promotions.last_move(session, roster.symbol)
    if wanted is not None and wanted.to_version is None:
        return None
    before = tenure.promoted_before(session, roster.symbol, gone)
    version = next((version for version in before if version in roster.spares), None)
    if version is None:
        return None
    model = replace(roster.spares[version], role=PRODUCTION)
    _record(session, model, "deployed", f"version {gone} was {why}", at)
    return model


def _is_live(session: Session, roster: Roster, event: ModelEvent) -> bool:
    """Tell whether the registry does no more than to confirm the copy that was begun with.

    If the copy was promoted since, it begins anew.
    """
    live = roster.models.get(PRODUCTION)
    return (
        isinstance(event, ModelLoaded)
        and live is not None
        and (live.version, id(live.served)) == (event.version, id(event.served))
        and tenure.taken_up(session, event.symbol, event.version) is not None
    )


def _fits(event: ModelEvent, interval: timedelta) -> ModelEvent:
    if not isinstance(event, ModelLoaded):
        return event
    seconds = event.served.contract.interval_seconds
    if seconds == interval.total_seconds():
        return event
    return _refusal(
        event,
        f"it was trained on bars of {seconds} s, this trader's have "
        f"{interval.total_seconds():.0f} s",
    )


def _refusal(event: ModelLoaded, reason: str) -> ModelRefused:
    return ModelRefused(
        symbol=event.symbol,
        role=event.role,
        version=event.version,
        run_id=event.run_id,
        reason=reason,
        evidence=event.evidence,
        is_copy=event.is_copy,
    )


def _record(
    session: Session, event: ModelLoaded | ModelRefused, action: str, reason: str, at: datetime
) -> None:
    tenure.record_deployment(
        session,
        symbol=event.symbol,
        version=event.version,
        action=action,
        reason=reason,
        run_id=event.run_id,
        artifact_sha256=event.artifact_sha256 if isinstance(event, ModelLoaded) else None,
        at=at,
        semantic_version=event.evidence.get(SEMANTIC),
    )


def _record_wish(session: Session, event: ModelEvent, at: datetime) -> None:
    """Write down what was done to the alias, unless who did it already has.

    A copy on disk tells what the alias was when it was last looked at, and nothing of since.
    """
    if not isinstance(event, ModelWithdrawn) and event.is_copy:
        return
    # Whoever promotes with a reason has not committed it when the alias moves: wait for it.
    promotions.lock(session)
    latest = promotions.wanted(session, event.symbol)
    match event:
        case ModelLoaded() if event.version != latest:
            reason = "it was made production in MLflow, which keeps no name"
            _add(session, event, promotions.PROMOTED, (latest, event.version), reason=reason, at=at)
        case ModelRefused() if event.version != NEVER:
            _record_refusal(session, event, latest, at)
        case ModelWithdrawn() if latest is not None:
            reason = "production was taken off it in MLflow, which keeps no name"
            _add(session, event, promotions.CLEARED, (latest, None), reason=reason, at=at)


def _record_refusal(
    session: Session, event: ModelRefused, latest: int | None, at: datetime
) -> None:
    asked = "" if event.version == latest else "made production in MLflow, and refused: "
    reason = f"{asked}{event.reason}"
    last = promotions.last(session, event.symbol)
    said = None if last is None else (last.action, last.to_version, last.reason)
    if said != (promotions.REFUSED, event.version, reason):  # not anew at every start
        _add(session, event, promotions.REFUSED, (latest, event.version), reason=reason, at=at)


def _record_leaving(
    session: Session, model: ModelLoaded, stand_in: ModelLoaded | None, fault: str, at: datetime
) -> None:
    to_version = None if stand_in is None else stand_in.version
    _add(session, model, promotions.LEFT, (model.version, to_version), reason=fault, at=at)


def _add(
    session: Session,
    event: ModelEvent,
    action: str,
    versions: tuple[int | None, int | None],
    *,
    reason: str,
    at: datetime,
) -> None:
    tags = {} if isinstance(event, ModelWithdrawn) else event.evidence
    promotions.record(
        session,
        symbol=event.symbol,
        action=action,
        from_version=versions[0],
        to_version=versions[1],
        who=TRADER if action in {promotions.REFUSED, promotions.LEFT} else SOMEBODY,
        reason=reason,
        evidence={key: tags[key] for key in tenure.EVIDENCE if key in tags},
        at=at,
    )
