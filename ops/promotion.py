"""Promote a version by hand, or go back to the one before.

On record with who and why first, then by the registry's alias.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from registry.errors import PromotionRefused, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient
    from sqlalchemy import Engine

    from registry.moving import Promoted
    from serving.adoption import Moved


def promote(
    engine: Engine,
    client: MlflowClient,
    symbol: str,
    version: int,
    *,
    who: str,
    reason: str,
    override: bool = False,
) -> None:
    """Make a version the production one, in a transaction of its own.

    That it was tried goes on record, too, if it is refused.

    Raises:
        RegistryError: The registry does not have the version, or its gate refused it and that
            is not overridden.
    """
    from registry import store  # noqa: PLC0415 - mlflow takes seconds to import
    from serving import adoption  # noqa: PLC0415 - it imports the registry

    found = store.version(client, symbol, version)
    at = datetime.now(UTC)
    try:
        _move(
            engine,
            partial(
                adoption.promote,
                client=client,
                found=found,
                who=who,
                reason=reason,
                at=at,
                override=override,
            ),
        )
    except PromotionRefused as refusal:
        with Session(engine) as session, session.begin():
            adoption.refuse(session, found, who=who, reason=f"{reason} - {refusal}", at=at)
        raise


def roll_back(
    engine: Engine, client: MlflowClient, symbol: str, *, who: str, reason: str
) -> Promoted:
    """Make the version before the production one again, in a transaction of its own.

    Raises:
        RegistryError: There is none, or MLflow does not answer.
    """
    from serving import adoption  # noqa: PLC0415 - it imports the registry

    at = datetime.now(UTC)
    return _move(
        engine,
        partial(adoption.roll_back, client=client, symbol=symbol, who=who, reason=reason, at=at),
    )


def _move(engine: Engine, act: Callable[[Session], Moved]) -> Promoted:
    """Write down and move; once more write down what PostgreSQL did not wait for."""
    with Session(engine) as session:
        try:
            moved = act(session)
        except RegistryError:
            session.invalidate()  # PostgreSQL may have closed it: there is nothing to roll back
            raise
        try:
            session.commit()
        except DBAPIError:
            with Session(engine) as again, again.begin():
                moved.write_down(again)
    return moved.promoted
