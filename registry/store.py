"""The registry as people and flows see it: versions and aliases. registry/moving.py moves those.

MLflow's client is imported when the registry is opened and not before: its import takes
seconds, and reads from the environment how patient it is to be.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from registry import overriding
from registry.contract import model_name
from registry.errors import RegistryUnreachable, VersionUnknown
from registry.numbering import SEMANTIC
from registry.pointing import Answered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

    from registry.overriding import Override
    from registry.settings import ModelRegistrySettings

PRODUCTION = "production"
CHALLENGER = "challenger"
PREVIOUS = "previous"
# MLflow's own defaults keep a caller waiting four minutes for a server that is down, tell its
# makers about us, and print addresses and progress into the answer of a command.
MANNERS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """One version of a market's model, with what its gate found."""

    symbol: str
    version: int
    aliases: tuple[str, ...]
    gate: str
    gate_reason: str
    created: datetime
    run_id: str
    tags: dict[str, str]
    metrics: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether the gate let it pass."""
        return self.gate == "passed"

    @property
    def override(self) -> Override | None:
        """Whose word it is that its gate shall not count."""
        return overriding.read(self.tags)

    @property
    def semantic(self) -> str | None:
        """Its semantic version, unless it was registered before those were counted."""
        return self.tags.get(SEMANTIC)

    @property
    def cost(self) -> float | None:
        """The round trip its label is net of, as a fraction."""
        return float(self.tags["cost"]) if "cost" in self.tags else None


def open_registry(settings: ModelRegistrySettings) -> MlflowClient:
    """Open the registry; nothing is asked of it yet."""
    for name, value in MANNERS.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: PLC0415 - see the module's docstring

    # Without a server MLflow looks a model's files up through the process's own address.
    mlflow.set_tracking_uri(settings.tracking_uri)
    mlflow.set_registry_uri(settings.tracking_uri)
    return mlflow.MlflowClient(
        tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri
    )


def aliases(client: MlflowClient, symbol: str) -> dict[str, int]:
    """Return which version each alias of a market's model points at; none if there is none."""
    try:
        with translated(symbol):
            found = client.get_registered_model(model_name(symbol))
    except VersionUnknown:
        return {}
    return {alias: int(version) for alias, version in found.aliases.items()}


def production_version(client: MlflowClient, symbol: str) -> int | None:
    """Return the version that is to trade, if one was promoted.

    Without the alias the stage Production of MLflow's older interface counts. Which was moved
    last the registry does not know: serving/production.py asks the record, too.
    """
    return aliases(client, symbol).get(PRODUCTION) or staged_version(client, symbol)


def versions(client: MlflowClient, symbol: str) -> list[RegisteredVersion]:
    """List a market's versions, newest first; an unknown market has none."""
    pointed = aliases(client, symbol)
    with translated(symbol):
        found = client.search_model_versions(f"name = '{model_name(symbol)}'")
        ready = sorted((int(one.version) for one in found if one.status == "READY"), reverse=True)
        return [_registered(client, symbol, number, pointed) for number in ready]


def latest_tags(client: MlflowClient, symbol: str) -> dict[str, str] | None:
    """Return the tags of the version that a market registered last, if it has any."""
    found = client.search_model_versions(
        f"name = '{model_name(symbol)}'", max_results=1, order_by=["version_number DESC"]
    )
    return None if not found else {str(key): str(value) for key, value in found[0].tags.items()}


def version(client: MlflowClient, symbol: str, number: int) -> RegisteredVersion:
    """Return one version.

    Raises:
        VersionUnknown: The registry does not have it.
    """
    pointed = aliases(client, symbol)
    with translated(f"{symbol} version {number}"):
        return _registered(client, symbol, number, pointed)


def challenge(client: MlflowClient, symbol: str, number: int) -> None:
    """Make a version the challenger, which scores every bar in the production one's shadow."""
    with translated(f"{symbol} version {number}"):
        client.set_registered_model_alias(model_name(symbol), CHALLENGER, str(number))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn MLflow's errors into this package's.

    Raises:
        VersionUnknown: MLflow does not know what was asked for.
        RegistryUnreachable: Anything else went wrong with MLflow.
    """
    try:
        yield
    except _refusals() as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}:
            raise VersionUnknown(f"the registry does not have {what}") from error
        cause = _silence(error.__context__) or str(error.message).strip().splitlines()[0]
        raise RegistryUnreachable(f"the model registry failed on {what}: {cause}") from error
    except (OSError, requests.RequestException) as error:
        cause = _silence(error) or str(error)
        raise RegistryUnreachable(f"the model registry failed on {what}: {cause}") from error


def _silence(error: BaseException | None) -> str | None:
    """Return who does not answer, if that is what is wrong."""
    if not isinstance(error, requests.ConnectionError | requests.Timeout):
        return None
    asked = urlsplit(str(error.request.url)) if error.request is not None else None
    return f"nothing answers at {asked.scheme}://{asked.netloc}" if asked else "it does not answer"


def _refusals() -> tuple[type[Answered], ...]:
    # Only who has loaded MLflow's client can meet its error, and loading it takes seconds.
    loaded = sys.modules.get("mlflow.exceptions")
    return (Answered,) if loaded is None else (Answered, loaded.MlflowException)


def staged_version(client: MlflowClient, symbol: str) -> int | None:
    """Return the version in stage Production of MLflow's older interface, if one is."""
    try:
        with translated(symbol):
            found = client.get_registered_model(model_name(symbol)).latest_versions
    except VersionUnknown:
        return None
    return next((int(one.version) for one in found if one.current_stage == "Production"), None)


def _registered(
    client: MlflowClient, symbol: str, number: int, pointed: dict[str, int]
) -> RegisteredVersion:
    found = client.get_model_version(model_name(symbol), str(number))
    tags = {str(key): str(value) for key, value in found.tags.items()}
    metrics = client.get_run(found.run_id).data.metrics if found.run_id else {}
    return RegisteredVersion(
        symbol=symbol,
        version=number,
        aliases=tuple(sorted(alias for alias, at in pointed.items() if at == number)),
        gate=tags.get("gate", ""),
        gate_reason=tags.get("gate_reason", ""),
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        run_id=found.run_id or "",
        tags=tags,
        metrics=dict(metrics),
    )
