"""Which version of a market is in production, as everybody but the watching trader finds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry import store
from serving.signals import Pointers, standing
from sql import promotions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy.orm import Session


def in_production(session: Session, client: MlflowClient, symbol: str) -> int | None:
    """Return the version that is to trade: where alias and stage differ, what the trader noticed.

    Raises:
        RegistryUnreachable: MLflow does not answer.
    """
    found = Pointers(
        aliases=store.aliases(client, symbol), stage=store.staged_version(client, symbol)
    )
    return standing(found, noticed=promotions.wanted(session, symbol))
