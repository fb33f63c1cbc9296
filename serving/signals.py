"""Which version an operator wants in production, by what they last moved in the registry.

MLflow has two ways to say it: the alias `production`, and in its older interface the stage
Production. Nobody is told which was moved last, so both are remembered from look to look,
and whichever changed is what the operator meant. At the very first look the alias counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.events import PRODUCTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """What a registered model points at: a version an alias, and the one in stage Production.

    Of several versions in that stage MLflow tells the one with the highest number.
    """

    aliases: dict[str, int]
    stage: int | None = None

    @property
    def twin(self) -> tuple[str, int] | None:
        """Return an alias that means production but is spelt otherwise, and its version.

        MLflow keeps `Production` beside `production`; only one that agrees is harmless.
        """
        ours = self.aliases.get(PRODUCTION)
        return next(
            (
                (alias, version)
                for alias, version in sorted(self.aliases.items())
                if alias.lower() == PRODUCTION and alias != PRODUCTION and version != ours
            ),
            None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What alias and stage said at the last look, and which version that made."""

    alias: int | None
    stage: int | None
    chosen: int | None


def choose(seen: Signals | None, found: Pointers) -> Signals:
    """Return what is wanted now, given what was seen before."""
    alias, stage = found.aliases.get(PRODUCTION), found.stage
    if seen is None or alias != seen.alias:
        chosen = stage if alias is None else alias
    elif stage != seen.stage:
        chosen = alias if stage is None else stage
    else:
        chosen = seen.chosen
    return Signals(alias=alias, stage=stage, chosen=chosen)


def standing(found: Pointers, *, noticed: int | None) -> int | None:
    """Return which version is in production, for who has not watched alias and stage move.

    Args:
        found: What the registry says now; it does not know which was moved last.
        noticed: The version last wanted on record, which the trader wrote down if it saw one move.
    """
    if noticed is not None and noticed == found.stage:
        return noticed
    return found.aliases.get(PRODUCTION) or found.stage
