"""The few questions and orders that move an alias, asked of MLflow over HTTP.

MLflow's own client says the same, but takes seconds to import, and on a busy machine many: too
long for a person who wants a model gone. Where both can be used they may be exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from registry.settings import ModelRegistrySettings

API = "/api/2.0/mlflow"
PATIENCE = 30.0  # seconds


class Answered(Exception):
    """MLflow answered, and the answer is that it cannot: `error_code` and `message` say why."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.error_code, self.message = error_code, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a model; `creation_timestamp` is in milliseconds."""

    version: str
    current_stage: str
    creation_timestamp: int
    run_id: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A registered model: its aliases, and of each stage the version that MLflow names."""

    aliases: dict[str, str]
    latest_versions: list[Version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What a run measured."""

    metrics: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run."""

    data: Data


class Pointer:
    """Has the methods of MlflowClient that `registry.store` needs to promote and to restore.

    Each raises Answered if MLflow refuses, and requests' own errors if it does not answer.
    """

    def __init__(self, settings: ModelRegistrySettings) -> None:
        self._root = f"{settings.tracking_uri}{API}"
        self._http = requests.Session()

    def get_registered_model(self, name: str) -> Model:
        """Return a model with its aliases."""
        found = self._ask("GET", "registered-models/get", name=name)["registered_model"]
        return Model(
            aliases={one["alias"]: str(one["version"]) for one in found.get("aliases", [])},
            latest_versions=[_version(one) for one in found.get("latest_versions", [])],
        )

    def get_model_version(self, name: str, version: str) -> Version:
        """Return a version with its tags."""
        found = self._ask("GET", "model-versions/get", name=name, version=version)
        return _version(found["model_version"])

    def get_run(self, run_id: str) -> Run:
        """Return a run's last metrics."""
        data = self._ask("GET", "runs/get", run_id=run_id)["run"].get("data", {})
        measured = {one["key"]: float(one["value"]) for one in data.get("metrics", [])}
        return Run(data=Data(metrics=measured))

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        self._ask("POST", "registered-models/alias", name=name, alias=alias, version=version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Take an alias away."""
        self._ask("DELETE", "registered-models/alias", name=name, alias=alias)

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Give a version a tag."""
        self._ask(
            "POST", "model-versions/set-tag", name=name, version=version, key=key, value=value
        )

    def delete_model_version_tag(self, name: str, version: str, key: str) -> None:
        """Take a version's tag away."""
        self._ask("DELETE", "model-versions/delete-tag", name=name, version=version, key=key)

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, *, archive_existing_versions: bool
    ) -> None:
        """Move a version to a stage of MLflow's older interface."""
        self._ask(
            *("POST", "model-versions/transition-stage"),
            name=name,
            version=version,
            stage=stage,
            archive_existing_versions=archive_existing_versions,
        )

    def _ask(self, method: str, path: str, **said: str | bool) -> dict[str, Any]:
        address = f"{self._root}/{path}"
        if method == "GET":
            # Names, numbers and ids: all of them are text.
            asked = {key: str(value) for key, value in said.items()}
            answer = self._http.get(address, params=asked, timeout=PATIENCE)
        else:
            answer = self._http.request(method, address, json=said, timeout=PATIENCE)
        try:
            content: dict[str, Any] = answer.json()
        except requests.JSONDecodeError:
            raise Answered(str(answer.status_code), f"it answered {answer.status_code}") from None
        if not answer.ok:
            code = str(content.get("error_code", answer.status_code))
            raise Answered(code, str(content.get("message", code)))
        return content


def _version(found: dict[str, Any]) -> Version:
    return Version(
        version=str(found["version"]),
        current_stage=found.get("current_stage", "None"),
        creation_timestamp=int(found["creation_timestamp"]),
        run_id=found.get("run_id", ""),
        tags={one["key"]: one["value"] for one in found.get("tags", [])},
    )
