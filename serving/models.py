"""Which versions the registry wants live, fetched over plain HTTP and verified.

Nothing here imports mlflow: the trader takes three files of data from the registry,
never code, and only ever reads. It asks every two seconds, since no webhook tells of a
stage and one that does not arrive is not noticed.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from registry import overriding
from registry.contract import model_name
from registry.errors import RegistryUnreachable
from serving.events import (
    CHALLENGER,
    NEVER,
    PREVIOUS,
    PRODUCTION,
    ModelLoaded,
    ModelRefused,
    ModelWithdrawn,
)
from serving.model_cache import FILES, UNUSABLE, Version, verify
from serving.signals import Pointers, choose

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Sequence

    from registry.overriding import Override
    from serving.model_cache import ModelCache

# What may be needed in another's place comes before it.
ROLES = (PREVIOUS, PRODUCTION, CHALLENGER)


class RegistryClient:
    """The four requests the trader makes of MLflow's REST interface."""

    def __init__(self, tracking_uri: str, *, timeout_seconds: float = 5.0) -> None:
        self._root = tracking_uri.rstrip("/")
        self._timeout = timeout_seconds
        self._http = requests.Session()
        self._http.trust_env = False

    def pointers(self, name: str) -> Pointers:
        """Return which versions the aliases and the stage Production of a model point at.

        Raises:
            RegistryUnreachable: No answer, or none that makes sense.
        """
        answer = self._get("/api/2.0/mlflow/registered-models/get", {"name": name}, missing={})
        found = answer.get("registered_model", {})
        staged = (
            int(row["version"])
            for row in found.get("latest_versions", [])
            if row.get("current_stage") == "Production"
        )
        return Pointers(
            aliases={row["alias"]: int(row["version"]) for row in found.get("aliases", [])},
            stage=next(staged, None),
        )

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


class ModelWatch:
    """Follow the registry in the background and report what changed.

    A version is fetched once; one that was refused is looked at again only when the alias
    moves, or somebody's word comes or goes that its gate shall not count. While the registry
    is away, nothing changes.
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
        # That nobody holds production is to be told, too: it may have been taken away meanwhile.
        self._seen: dict[tuple[str, str], int | None] = dict.fromkeys(
            [(symbol, PRODUCTION) for symbol in symbols], NEVER
        )
        self._refused: dict[tuple[str, str], Override | None] = {}
        self._unconfirmed: dict[str, ModelLoaded] = {}
        self._said: dict[str, str] = {}
        self._twins: dict[str, tuple[str, int] | None] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Offer the cached models, then begin to follow the registry."""
        for symbol in self._symbols:
            for spare in self._cache.spares(symbol):
                self._events.put(spare)
            cached = self._cache.recall(symbol)
            if cached is not None:
                self._events.put(cached)
            if isinstance(cached, ModelLoaded):
                self._seen[symbol, PRODUCTION] = cached.version
                self._unconfirmed[symbol] = cached
        self._thread.start()

    def stop(self) -> None:
        """Stop following; returns when the thread has ended."""
        self._stopping.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for symbol in self._symbols:
                self._try(symbol, partial(self._follow, symbol))
            self._stopping.wait(self._period)

    def _try(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except UNUSABLE as error:
            # What is loaded trades on; the next look tries again, and once is enough to say so.
            kind = type(error).__name__
            if self._said.get(what) != kind:
                sys.stderr.write(f"cannot follow the model registry for {what}: {error!r}\n")
            self._said[what] = kind
        else:
            self._said.pop(what, None)

    def _follow(self, symbol: str) -> None:
        found = self._client.pointers(model_name(symbol))
        if self._is_ambiguous(symbol, found):
            return
        signals = choose(self._cache.signals(symbol), found)
        wanted = {role: found.aliases.get(role) for role in ROLES} | {PRODUCTION: signals.chosen}
        for role in ROLES:
            version = wanted[role]
            if role != PRODUCTION and version == signals.chosen:
                version = None  # promoted: it challenges nobody, and is not before itself
            self._try(f"{symbol} {role}", partial(self._change, symbol, role, version))
        if signals != self._cache.signals(symbol):
            self._cache.remember(symbol, signals)

    def _is_ambiguous(self, symbol: str, found: Pointers) -> bool:
        """Refuse, once, to guess between two aliases that differ by their case only."""
        before, self._twins[symbol] = self._twins.get(symbol), found.twin
        if found.twin is None:
            if before is not None:
                self._seen[symbol, PRODUCTION] = NEVER  # taken up anew, with a clean slate
            return False
        if found.twin != before:
            alias, version = found.twin
            reason = f"its alias is {alias!r}, and only {PRODUCTION!r} counts: remove the other"
            self._events.put(
                ModelRefused(
                    symbol=symbol, role=PRODUCTION, version=version, run_id="", reason=reason
                )
            )
        return True

    def _change(self, symbol: str, role: str, wanted: int | None) -> None:
        known = wanted == self._seen.get((symbol, role))
        copy = self._unconfirmed.pop(symbol, None) if role == PRODUCTION else None
        if known and copy is not None:
            self._events.put(replace(copy, is_copy=False))
        if known and (wanted is None or (symbol, role) not in self._refused):
            return
        if wanted is None:
            self._events.put(ModelWithdrawn(symbol=symbol, role=role))
            self._seen[symbol, role] = None
            self._refused.pop((symbol, role), None)
            if role == PRODUCTION:
                self._cache.withdraw(symbol)
            return
        self._take(symbol, role, wanted, known=known)

    def _take(self, symbol: str, role: str, wanted: int, *, known: bool) -> None:
        name, at = model_name(symbol), (symbol, role)
        version = self._client.version(name, wanted)
        override = overriding.read(version.tags)
        if known and override == self._refused[at]:
            return
        files = self._client.files(name, wanted)
        event = verify(symbol, role, version, files)
        self._seen[at] = wanted
        self._refused.pop(at, None)
        if isinstance(event, ModelRefused):
            self._refused[at] = override
        self._events.put(event)
        if isinstance(event, ModelLoaded) and role == PRODUCTION:
            self._cache.keep(symbol, version, files)
