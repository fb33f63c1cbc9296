"""Which versions the registry wants live, fetched over plain HTTP and verified.

Nothing here imports mlflow: the trader takes three files of data from the registry,
never code. The last version that was taken up stays on disk, so that a start without a
registry trades on.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from registry.contract import model_name
from registry.errors import ArtifactRefused, RegistryUnreachable
from registry.served import ServedModel, load
from trader import features
from trader.events import ModelEvent, ModelLoaded, ModelRefused, ModelWithdrawn

if TYPE_CHECKING:
    import queue
    from collections.abc import Sequence
    from pathlib import Path

FILES = ("model.ubj", "contract.json", "golden.json")
ROLES = ("production", "challenger")
NEVER = 0
# A registry that is away, an answer of another shape than MLflow's, a cache on a full disk.
UNUSABLE = (RegistryUnreachable, KeyError, TypeError, ValueError, AttributeError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A registered version as the registry describes it."""

    number: int
    run_id: str
    tags: dict[str, str]


class RegistryClient:
    """The four requests the trader makes of MLflow's REST interface."""

    def __init__(self, tracking_uri: str, *, timeout_seconds: float = 5.0) -> None:
        self._root = tracking_uri.rstrip("/")
        self._timeout = timeout_seconds
        self._http = requests.Session()
        self._http.trust_env = False

    def aliases(self, name: str) -> dict[str, int]:
        """Return which version each alias of a registered model points at.

        Raises:
            RegistryUnreachable: No answer, or none that makes sense.
        """
        answer = self._get("/api/2.0/mlflow/registered-models/get", {"name": name}, missing={})
        aliases = answer.get("registered_model", {}).get("aliases", [])
        return {row["alias"]: int(row["version"]) for row in aliases}

    def version(self, name: str, number: int) -> Version:
        """Return a version's run and tags."""
        answer = self._get(
            "/api/2.0/mlflow/model-versions/get", {"name": name, "version": str(number)}
        )
        found = answer["model_version"]
        tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
        return Version(number=number, run_id=found.get("run_id", ""), tags=tags)

    def files(self, name: str, number: int) -> dict[str, bytes]:
        """Download the files that make up a served model."""
        answer = self._get(
            "/api/2.0/mlflow/model-versions/get-download-uri",
            {"name": name, "version": str(number)},
        )
        folder = str(answer["artifact_uri"]).split("mlflow-artifacts:/", 1)[-1].lstrip("/")
        address = f"{self._root}/api/2.0/mlflow-artifacts/artifacts/{folder}"
        return {file: self._fetch(f"{address}/{file}").content for file in FILES}

    def _get(
        self, path: str, parameters: dict[str, str], missing: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = self._fetch(self._root + path, parameters, allow_missing=missing is not None)
        if missing is not None and answer.status_code == requests.codes.not_found:
            return missing
        try:
            return dict(answer.json())
        except ValueError as error:
            raise RegistryUnreachable(f"{path} did not answer with JSON") from error

    def _fetch(
        self, url: str, parameters: dict[str, str] | None = None, *, allow_missing: bool = False
    ) -> requests.Response:
        try:
            answer = self._http.get(url, params=parameters, timeout=self._timeout)
        except requests.RequestException as error:
            raise RegistryUnreachable(f"the model registry does not answer: {error}") from error
        if allow_missing and answer.status_code == requests.codes.not_found:
            return answer
        if not answer.ok:
            raise RegistryUnreachable(f"the model registry answered {answer.status_code}")
        return answer


def verify(symbol: str, role: str, version: Version, files: dict[str, bytes]) -> ModelEvent:
    """Check a downloaded version against its tags, its contract and its golden vectors."""
    try:
        served = load(
            files["model.ubj"],
            files["contract.json"],
            files["golden.json"],
            expected_sha256=version.tags.get("artifact_sha256", ""),
            feature_names=features.NAMES,
            feature_hash=features.HASH,
            expected_contract_sha256=version.tags.get("contract_sha256", ""),
        )
        _check_terms(symbol, version, served)
    except ArtifactRefused as refusal:
        return ModelRefused(
            symbol=symbol,
            role=role,
            version=version.number,
            run_id=version.run_id,
            reason=str(refusal),
        )
    return ModelLoaded(
        symbol=symbol,
        role=role,
        version=version.number,
        run_id=version.run_id,
        artifact_sha256=version.tags["artifact_sha256"],
        evidence=version.tags,
        served=served,
    )


def _check_terms(symbol: str, version: Version, served: ServedModel) -> None:
    if served.contract.symbol != symbol:
        raise ArtifactRefused(f"it was trained on {served.contract.symbol}, not {symbol}")
    if version.tags.get("gate") != "passed":
        raise ArtifactRefused(f"the gate refused it: {version.tags.get('gate_reason', 'no tag')}")


class ModelCache:
    """The last production version of each market, on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, symbol: str, version: Version, files: dict[str, bytes]) -> None:
        """Replace what is kept of a market; a reader never sees half of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {
            "version": version.number,
            "run_id": version.run_id,
            "tags": version.tags,
            "files": {name: raw.hex() for name, raw in files.items()},
        }
        target = self._path(symbol)
        fresh = target.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        fresh.replace(target)

    def forget(self, symbol: str) -> None:
        """Keep nothing of a market any more."""
        self._path(symbol).unlink(missing_ok=True)

    def recall(self, symbol: str) -> ModelEvent | None:
        """Load what was kept, checked as strictly as a download."""
        try:
            content = json.loads(self._path(symbol).read_text())
            version = Version(
                number=content["version"], run_id=content["run_id"], tags=content["tags"]
            )
            files = {name: bytes.fromhex(raw) for name, raw in content["files"].items()}
            return verify(symbol, "production", version, files)
        except FileNotFoundError:
            return None
        except UNUSABLE as error:
            return ModelRefused(
                symbol=symbol,
                role="production",
                version=NEVER,
                run_id="",
                reason=f"the cached model cannot be read: {error!r}",
            )

    def _path(self, symbol: str) -> Path:
        return self._folder / f"{model_name(symbol)}.json"


class ModelWatch:
    """Follow the registry's aliases in the background and report what changed.

    A version is fetched once; one that was refused is looked at again only when the
    alias moves. While the registry is away, nothing changes.
    """

    def __init__(
        self,
        client: RegistryClient,
        cache: ModelCache,
        symbols: Sequence[str],
        events: queue.Queue[Any],
        *,
        period_seconds: float = 2.0,
    ) -> None:
        self._client, self._cache = client, cache
        self._symbols, self._events = tuple(symbols), events
        self._period = period_seconds
        self._seen: dict[tuple[str, str], int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Offer the cached models, then begin to follow the registry."""
        for symbol in self._symbols:
            cached = self._cache.recall(symbol)
            if cached is not None:
                self._events.put(cached)
            if isinstance(cached, ModelLoaded):
                self._seen[symbol, "production"] = cached.version
        self._thread.start()

    def stop(self) -> None:
        """Stop following; returns when the thread has ended."""
        self._stopping.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for symbol in self._symbols:
                    self._follow(symbol)
            except UNUSABLE as error:
                # What is loaded trades on; the next look tries again.
                sys.stderr.write(f"cannot follow the model registry: {error!r}\n")
            self._stopping.wait(self._period)

    def _follow(self, symbol: str) -> None:
        name = model_name(symbol)
        aliases = self._client.aliases(name)
        if aliases.get("challenger") == aliases.get("production"):
            aliases.pop("challenger", None)  # promoted: it challenges nobody any more
        for role in ROLES:
            wanted, seen = aliases.get(role), self._seen.get((symbol, role))
            if wanted == seen:
                continue
            if wanted is None:
                self._events.put(ModelWithdrawn(symbol=symbol, role=role))
                del self._seen[symbol, role]
                if role == "production":
                    self._cache.forget(symbol)
                continue
            version = self._client.version(name, wanted)
            files = self._client.files(name, wanted)
            event = verify(symbol, role, version, files)
            self._seen[symbol, role] = wanted
            self._events.put(event)
            if isinstance(event, ModelLoaded) and role == "production":
                self._cache.keep(symbol, version, files)
