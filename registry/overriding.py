"""A person's word that a version may trade although its gate refused it.

It is the tag `override` of the version, set by `friday promote --override` or in MLflow, and
says who wants it and why. It lifts the gate's verdict and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OVERRIDE = "override"  # the tag
FORM = f"its tag {OVERRIDE} with who wants it and why, as in 'Anna: too few trades to tell'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Who wants a version in spite of its gate, and why."""

    who: str
    why: str

    def __post_init__(self) -> None:
        if not self.who.strip() or not self.why.strip() or ":" in self.who:
            raise ValueError(f"an override names who, without a colon, and why: {self!r}")

    def __str__(self) -> str:
        """Write it as the tag has it."""
        return f"{self.who}: {self.why}"


def read(tags: Mapping[str, str]) -> Override | None:
    """Return the override among a version's tags.

    There is none if the gate let the version pass, or if the tag does not say both who and why.
    """
    who, _, why = tags.get(OVERRIDE, "").partition(":")
    if tags.get("gate") == "passed" or not who.strip() or not why.strip():
        return None
    return Override(who=who.strip(), why=why.strip())
