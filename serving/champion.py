"""The model in production, fetched once and verified as the live trader verifies it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.contract import model_name
from serving.events import PRODUCTION, ModelLoaded
from serving.model_cache import verify
from serving.models import RegistryClient
from serving.signals import standing
from sql import promotions

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from registry.served import ServedModel


def fetch(session: Session, tracking_uri: str, symbol: str) -> ServedModel | None:
    """Return a market's production model; None if there is none that this code could serve.

    Which version that is the record helps to tell, where alias and stage differ.

    Raises:
        RegistryUnreachable: MLflow does not answer, or not with sense.
    """
    client, name = RegistryClient(tracking_uri, timeout_seconds=30.0), model_name(symbol)
    number = standing(client.pointers(name), noticed=promotions.wanted(session, symbol))
    if number is None:
        return None
    event = verify(symbol, PRODUCTION, client.version(name, number), client.files(name, number))
    return event.served if isinstance(event, ModelLoaded) else None
