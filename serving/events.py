"""What the model registry tells us, in our own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

PRODUCTION, CHALLENGER, PREVIOUS = "production", "challenger", "previous"
NEVER = 0  # the version of a model's copy that cannot be read

if TYPE_CHECKING:
    from registry.served import ServedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaded:
    """A version passed every check and may score bars, the previous one if called upon.

    A copy comes from disk: whether anybody still wants it the registry has yet to say.
    """

    symbol: str
    role: str
    version: int
    run_id: str
    artifact_sha256: str
    evidence: dict[str, str]
    served: ServedModel
    is_copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRefused:
    """A version failed a check; whatever ran before it runs on.

    `model` is there if nothing is wrong but that it was rolled back from. A copy is one on disk.
    """

    symbol: str
    role: str
    version: int
    run_id: str
    reason: str
    evidence: dict[str, str] = field(default_factory=dict)
    model: ModelLoaded | None = None
    is_copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWithdrawn:
    """Nobody holds the role any more."""

    symbol: str
    role: str


ModelEvent = ModelLoaded | ModelRefused | ModelWithdrawn
