"""The versions of one market: those that score, those at hand in their place, and what each did.

Nothing here reads a clock or opens anything; what is on record of them is in serving/tenure.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from serving.conduct import Conduct
from serving.events import PREVIOUS, PRODUCTION, ModelEvent, ModelLoaded, ModelRefused

if TYPE_CHECKING:
    from decimal import Decimal

    from serving.candour import Track

SPARES = 4  # versions that were live before and are kept in memory


def refusal(event: ModelRefused) -> str:
    """Say which version was refused, and why."""
    return f"version {event.version} refused: {event.reason}"


@dataclass(slots=True, kw_only=True)
class Roster:
    """Who scores a market's bars, by role, and who would instead."""

    symbol: str
    models: dict[str, ModelLoaded] = field(default_factory=dict)
    spares: dict[int, ModelLoaded] = field(default_factory=dict)
    set_aside: ModelLoaded | None = None  # rolled back from, and still to be had
    conduct: dict[str, Conduct] = field(default_factory=dict)
    opening: Decimal | None = None  # the market's profit when the model in production began
    track: Track | None = None  # what came of what the model in production said
    refusals: dict[str, str] = field(default_factory=dict)

    def adopt(self, event: ModelEvent) -> None:
        """Let a model score from now on, or do without one, or say why one was refused."""
        match event:
            case ModelLoaded(role="previous"):
                self._spare(event)
            case ModelLoaded(role=role):
                self._replace(role, event)
            case ModelRefused(role=role):
                self.refusals[role] = refusal(event)
                self.set_aside = event.model if role == PRODUCTION else self.set_aside
            case _:
                self.dismiss(event.role)

    def dismiss(self, role: str) -> None:
        """Do without a model."""
        self.models.pop(role, None)
        self.refusals.pop(role, None)
        if role == PRODUCTION:
            self.set_aside = None

    def _replace(self, role: str, model: ModelLoaded) -> None:
        before = self.models.get(role)
        if role == PRODUCTION:
            if before is not None and before.version != model.version:
                self._spare(before)
            self.opening, self.set_aside, self.track = None, None, None
        self.models[role], self.conduct[role] = model, Conduct()
        self.refusals.pop(role, None)

    def _spare(self, model: ModelLoaded) -> None:
        self.spares.pop(model.version, None)
        self.spares[model.version] = replace(model, role=PREVIOUS)
        while len(self.spares) > SPARES:
            del self.spares[next(iter(self.spares))]
