"""What becomes of a model that was just registered: promoted, put to the test, or left.

An experiment in progress keeps its challenger: a later version waits, since taking the
alias over would end the comparison before it can say anything. Works in the caller's
transaction, and may be repeated: nothing is promoted or started twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from registry import moving, overriding, store
from registry.errors import PromotionRefused
from registry.overriding import Override
from serving import tenure
from serving.production import in_production
from sql import evidence, promotions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mlflow import MlflowClient
    from sqlalchemy.orm import Session

    from registry.moving import Promoted
    from registry.store import RegisteredVersion

SAME_QUESTION = ("cost", "horizon_bars", "interval_seconds")
FIRST = "it is the first version to pass its gate, and nothing was in production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What became of a version, in a sentence."""

    promoted: bool
    experiment_id: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What the registry now says, and what writes that down."""

    promoted: Promoted
    write_down: Callable[[Session], int]


def adopt(
    session: Session,
    client: MlflowClient,
    symbol: str,
    number: int,
    *,
    promote_first: bool,
    at: datetime,
    now: datetime,
) -> Adopted:
    """Promote a market's first model if that is wished, or compare a later one in shadow.

    Args:
        session: The record; the caller commits.
        client: The model registry.
        symbol: The market.
        number: The version just registered.
        promote_first: Whether the first version to pass its gate goes live unasked.
        at: The exchange's time, at which an experiment would start.
        now: Our time, at which a promotion goes on record.
    """
    found = store.version(client, symbol, number)
    champion = in_production(session, client, symbol)
    if not found.passed:
        return _left(f"version {number} stays on record")
    if champion == number:
        if promotions.wanted(session, symbol) != number:  # PostgreSQL was lost as the alias moved
            _entry(found, None, promotions.PROMOTED, who="policy", reason=FIRST, at=now)(session)
        return Adopted(
            promoted=True, experiment_id=None, reason=f"version {number} is in production"
        )
    if champion is not None:
        return _compare(session, client, store.version(client, symbol, champion), found, at)
    if not promote_first:
        store.challenge(client, symbol, number)
        return _left(f"version {number} waits to be promoted: nothing is in production yet")
    promote(
        session,
        client,
        found,
        who="policy",
        reason=FIRST,
        at=now,
    )
    return Adopted(
        promoted=True, experiment_id=None, reason=f"version {number} goes into production"
    )


def promote(
    session: Session,
    client: MlflowClient,
    found: RegisteredVersion,
    *,
    who: str,
    reason: str,
    at: datetime,
    override: bool = False,
) -> Moved:
    """Write down who promotes and why, then move the alias.

    With `override` that is also their word that its gate shall not count.

    The trader, which sees the alias move, finds the promotion on record. If the alias
    cannot be moved the caller's transaction fails and nothing is on record. Should MLflow take
    so long over it that PostgreSQL has given the transaction up, the caller writes it down anew.

    Raises:
        PromotionRefused: The version did not pass its gate, and nobody overrides that; or it
            did, and there is nothing to override.
        RegistryUnreachable: MLflow does not answer.
    """
    before = in_production(session, client, found.symbol)
    word = Override(who=who, why=reason) if override else None
    evidence = {} if word is None else {overriding.OVERRIDE: str(word)}
    entry = _entry(
        found, before, promotions.PROMOTED, who=who, reason=reason, evidence=evidence, at=at
    )
    first = partial(_briefly, session, entry)
    promoted = moving.promote(
        client, found.symbol, found.version, override=word, left=before, first=first
    )
    return Moved(promoted=promoted, write_down=entry)


def roll_back(
    session: Session, client: MlflowClient, symbol: str, *, who: str, reason: str, at: datetime
) -> Moved:
    """Put the version that was in production before back there, on record with who and why.

    That is the latest from which neither the trader nor a person has rolled back, and which the
    trader did not refuse; where the record knows none, the registry's alias `previous`.

    Raises:
        PromotionRefused: There is none.
        RegistryUnreachable: MLflow does not answer.
    """
    pointed = store.aliases(client, symbol)
    current = in_production(session, client, symbol)
    if current is None:
        raise PromotionRefused(f"nothing of {symbol} is in production")
    known = tenure.promoted_before(session, symbol, current)
    before = next(known, pointed.get(store.PREVIOUS, current))
    if before == current or not tenure.fit(session, symbol, before):
        raise PromotionRefused(
            f"no version of {symbol} was in production before version {current}, or none that "
            "nobody has rolled back from and the trader did not refuse; friday promote takes any "
            "that passed its gate"
        )
    found = store.version(client, symbol, before)
    entry = _entry(
        found,
        current,
        promotions.ROLLED_BACK,
        who=who,
        reason=reason,
        evidence={tenure.ROLLED_BACK_FROM: current},
        at=at,
    )
    first = partial(_briefly, session, entry)
    promoted = moving.restore(client, symbol, before, left=current, first=first)
    return Moved(promoted=promoted, write_down=entry)


def _briefly(session: Session, entry: Callable[[Session], int]) -> None:
    promotions.be_brief(session)  # MLflow, which is asked next, may take its time
    entry(session)


def refuse(
    session: Session, found: RegisteredVersion, *, who: str, reason: str, at: datetime
) -> None:
    """Write down that a version was wanted in production and refused."""
    before = promotions.wanted(session, found.symbol)
    _entry(found, before, promotions.REFUSED, who=who, reason=reason, at=at)(session)


def _entry(
    found: RegisteredVersion,
    before: int | None,
    action: str,
    *,
    who: str,
    reason: str,
    at: datetime,
    evidence: Mapping[str, str | int] = MappingProxyType({}),
) -> Callable[[Session], int]:
    return partial(
        promotions.record,
        symbol=found.symbol,
        action=action,
        from_version=before,
        to_version=found.version,
        who=who,
        reason=reason,
        evidence={key: found.tags[key] for key in tenure.EVIDENCE if key in found.tags}
        | dict(evidence),
        at=at,
    )


def _left(reason: str) -> Adopted:
    return Adopted(promoted=False, experiment_id=None, reason=reason)


def _compare(
    session: Session,
    client: MlflowClient,
    champion: RegisteredVersion,
    challenger: RegisteredVersion,
    at: datetime,
) -> Adopted:
    if not all(champion.tags.get(key) == challenger.tags.get(key) for key in SAME_QUESTION):
        return _left(
            f"version {challenger.version} answers another question than version "
            f"{champion.version} (cost, horizon or interval differ), so they are not compared"
        )
    from experiments.planning import terms  # noqa: PLC0415 - scipy; a rollback cannot wait for it

    _end_what_cannot_go_on(session, client, champion, at)
    seconds = int(challenger.tags["interval_seconds"])
    agreed = terms(
        horizon_bars=int(challenger.tags["horizon_bars"]), interval=timedelta(seconds=seconds)
    )
    started = evidence.start_experiment(
        session,
        symbol=challenger.symbol,
        control_version=champion.version,
        treatment_version=challenger.version,
        interval_seconds=seconds,
        horizon_bars=agreed.horizon_bars,
        cost=float(challenger.tags["cost"]),
        block_bars=agreed.block_bars,
        alpha=agreed.alpha,
        planned_units=agreed.planned_units,
        cap_units=agreed.cap_units,
        at=at,
    )
    if started is None:
        return _left(f"version {challenger.version} waits: another experiment is running")
    store.challenge(client, challenger.symbol, challenger.version)
    return Adopted(
        promoted=False,
        experiment_id=started,
        reason=f"version {challenger.version} is now compared with version {champion.version}",
    )


def _end_what_cannot_go_on(
    session: Session, client: MlflowClient, champion: RegisteredVersion, at: datetime
) -> None:
    """Stop the running experiment if the trader no longer scores both of its versions."""
    running = evidence.running_experiment(session, champion.symbol)
    if running is None:
        return
    challenger = store.aliases(client, champion.symbol).get(store.CHALLENGER)
    if (running.control_version, running.treatment_version) != (champion.version, challenger):
        evidence.stop_experiment(
            session,
            running.id,
            at=at,
            conclusion=f"version {running.treatment_version} no longer challenges version "
            f"{running.control_version} in production",
        )
