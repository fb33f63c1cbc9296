"""What the trader keeps of the registry on disk, so that it starts while MLflow is away."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from market import features
from registry import overriding
from registry.contract import model_name
from registry.errors import ArtifactRefused, RegistryUnreachable
from registry.served import ServedModel, load
from serving.events import NEVER, PREVIOUS, PRODUCTION, ModelEvent, ModelLoaded, ModelRefused
from serving.signals import Signals

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("model.ubj", "contract.json", "golden.json")
SPARES = 4  # versions beside the one in production, for going back to
# A registry that is away, an answer of another shape than MLflow's or nested too deep, a cache on
# a full disk.
UNUSABLE = (
    *(RegistryUnreachable, LookupError, TypeError, ValueError),
    *(AttributeError, RecursionError, OSError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A registered version as the registry describes it."""

    number: int
    run_id: str
    tags: dict[str, str]


def verify(
    symbol: str, role: str, version: Version, files: dict[str, bytes]
) -> ModelLoaded | ModelRefused:
    """Check a version's files against its tags, its contract and its golden vectors."""
    try:
        served = load(
            files["model.ubj"],
            files["contract.json"],
            files["golden.json"],
            expected_sha256=version.tags.get("artifact_sha256", ""),
            feature_names=features.NAMES,
            feature_hash=features.HASH,
            expected_contract_sha256=version.tags.get("contract_sha256", ""),
            override=overriding.read(version.tags),
        )
        _check_terms(symbol, version, served)
    except ArtifactRefused as refusal:
        return ModelRefused(
            symbol=symbol,
            role=role,
            version=version.number,
            run_id=version.run_id,
            reason=str(refusal),
            evidence=version.tags,
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


class ModelCache:
    """Of each market the version last wanted in production, and those before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, symbol: str, version: Version, files: dict[str, bytes]) -> None:
        """Keep a version for production, the one before as a spare; nobody sees half of it."""
        content = {
            "version": version.number,
            "run_id": version.run_id,
            "tags": version.tags,
            "files": {name: raw.hex() for name, raw in files.items()},
        }
        self._keep_spare(symbol)
        self._write(self._path(symbol), json.dumps(content))
        self._spare(symbol, version.number).unlink(missing_ok=True)
        for path in self._spares(symbol)[:-SPARES]:
            path.unlink()

    def withdraw(self, symbol: str) -> None:
        """Keep nothing for production any more; what was there becomes a spare."""
        self._keep_spare(symbol)
        self._path(symbol).unlink(missing_ok=True)

    def recall(self, symbol: str) -> ModelEvent | None:
        """Load what was kept for production, checked as strictly as a download."""
        try:
            return self._load(self._path(symbol), symbol, PRODUCTION)
        except FileNotFoundError:
            return None
        except UNUSABLE as error:
            return ModelRefused(
                symbol=symbol,
                role=PRODUCTION,
                version=NEVER,
                run_id="",
                reason=f"the cached model cannot be read: {error!r}",
            )

    def spares(self, symbol: str) -> list[ModelLoaded]:
        """Load the versions before, checked as strictly, oldest first; a damaged one is left."""
        found = []
        for path in self._spares(symbol):
            try:
                event = self._load(path, symbol, PREVIOUS)
            except UNUSABLE as error:
                sys.stderr.write(f"a spare model of {symbol} cannot be read: {error!r}\n")
                continue
            if isinstance(event, ModelLoaded):
                found.append(event)
        return found

    def remember(self, symbol: str, signals: Signals) -> None:
        """Keep what the registry said at the last look."""
        self._write(self._signals(symbol), json.dumps(asdict(signals)))

    def signals(self, symbol: str) -> Signals | None:
        """Return what the registry said at the last look, if that can be read."""
        try:
            return Signals(**json.loads(self._signals(symbol).read_text()))
        except UNUSABLE:
            return None

    def _load(self, path: Path, symbol: str, role: str) -> ModelEvent:
        content = json.loads(path.read_text())
        version = Version(number=content["version"], run_id=content["run_id"], tags=content["tags"])
        files = {name: bytes.fromhex(raw) for name, raw in content["files"].items()}
        return replace(verify(symbol, role, version, files), is_copy=True)

    def _keep_spare(self, symbol: str) -> None:
        try:
            content = self._path(symbol).read_text()
            number = int(json.loads(content)["version"])
        except UNUSABLE:
            return  # nothing is there, or nothing worth keeping
        self._write(self._spare(symbol, number), content)

    def _write(self, target: Path, content: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        fresh.write_text(content)
        fresh.replace(target)

    def _spares(self, symbol: str) -> list[Path]:
        pattern = re.compile(rf"{re.escape(model_name(symbol))}\.v\d+\.json")
        if not self._folder.is_dir():
            return []
        found = [path for path in self._folder.iterdir() if pattern.fullmatch(path.name)]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def _path(self, symbol: str) -> Path:
        return self._folder / f"{model_name(symbol)}.json"

    def _spare(self, symbol: str, number: int) -> Path:
        return self._folder / f"{model_name(symbol)}.v{number}.json"

    def _signals(self, symbol: str) -> Path:
        return self._folder / f"{model_name(symbol)}.signals.json"


def _check_terms(symbol: str, version: Version, served: ServedModel) -> None:
    if served.contract.symbol != symbol:
        raise ArtifactRefused(f"it was trained on {served.contract.symbol}, not {symbol}")
    if version.tags.get("gate") != "passed" and overriding.read(version.tags) is None:
        raise ArtifactRefused(f"the gate refused it: {version.tags.get('gate_reason', 'no tag')}")
