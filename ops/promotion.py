"""Promote a version: on record with its evidence, then by the registry's alias."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from trader import record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Engine

EVIDENCE = ("gate", "gate_reason", "data_hash", "git_commit", "artifact_sha256")


def promote(
    engine: Engine, client: MlflowClient, symbol: str, version: int, *, who: str, reason: str
) -> None:
    """Make a version the production one and write down who did it, why and on what evidence.

    Raises:
        RegistryError: The registry does not have the version, or its gate refused it.
    """
    from registry import store  # noqa: PLC0415 - mlflow takes seconds to import

    found = store.version(client, symbol, version)
    with Session(engine) as session, session.begin():
        # On record first, so that the trader finds who did it when it sees the alias move.
        record.record_promotion(
            session,
            symbol=symbol,
            from_version=store.production_version(client, symbol),
            to_version=version,
            who=who,
            reason=reason,
            evidence={key: found.tags[key] for key in EVIDENCE if key in found.tags},
            at=datetime.now(UTC),
        )
        session.flush()
        store.promote(client, symbol, version)
