"""The semantic version of a market's model, by what changed since the one before it.

MLflow counts what was registered; these numbers say what it means. The first is raised if
another question is answered: other bars, another horizon, label, cost or other features, so
that its probabilities cannot be compared with those before. The second is raised if the same
question was learned anew. The third is raised if the trees are the same, to the byte, and at
most the calibration of their scores differs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SEMANTIC, SEMANTIC_REASON = "semantic_version", "semantic_reason"  # the tags
# The tags that make up the question, and what each says.
QUESTION = {
    "interval_seconds": "the seconds of a bar",
    "horizon_bars": "the horizon in bars",
    "label": "the label",
    "cost": "the cost of a round trip",
    "feature_hash": "the features' definitions",
}
TREES = "artifact_sha256"
WRITTEN = re.compile(r"(\d+)\.(\d+)\.(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A semantic version, and why it is this one."""

    major: int
    minor: int
    patch: int
    reason: str

    def __str__(self) -> str:
        """Write it as 2.1.0."""
        return f"{self.major}.{self.minor}.{self.patch}"

    def tags(self) -> dict[str, str]:
        """Return it as a version's tags."""
        return {SEMANTIC: str(self), SEMANTIC_REASON: self.reason}


def number(before: Mapping[str, str] | None, now: Mapping[str, str]) -> Numbered:
    """Return the number of a version, given its tags and those of the one registered before.

    Without one before, or if that was never numbered, counting begins at 1.0.0.
    """
    written = WRITTEN.fullmatch("" if before is None else before.get(SEMANTIC, ""))
    if before is None or written is None:
        return Numbered(major=1, minor=0, patch=0, reason="the first of its market")
    major, minor, patch = (int(part) for part in written.groups())
    changed = [name for name in QUESTION if before.get(name) != now.get(name)]
    if changed:
        said = ", ".join(_change(name, before.get(name), now.get(name)) for name in changed)
        return Numbered(major=major + 1, minor=0, patch=0, reason=f"it asks otherwise: {said}")
    if before.get(TREES) != now.get(TREES):
        reason = f"learned anew since {written[0]}, which asked the same"
        return Numbered(major=major, minor=minor + 1, patch=0, reason=reason)
    reason = f"the trees of {written[0]}, with at most another calibration"
    return Numbered(major=major, minor=minor, patch=patch + 1, reason=reason)


def _change(name: str, before: str | None, now: str | None) -> str:
    return f"{QUESTION[name]} {_short(before)} before, {_short(now)} now"


def _short(value: str | None) -> str:
    return "unknown" if value is None else value[:12] if len(value) > 40 else value  # noqa: PLR2004 - a hash, not a number
