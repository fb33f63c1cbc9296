"""Whether a model's probabilities are right, asked after every outcome and never too often.

Bets against the model, each with a grid of stakes: that rises come more often than it says,
less often, or less often where it promises more than the base rate and more often where it
promises less (it claims too much). Every stake forgives a tolerance, since no model is exact:
while the chance of a rise, given all that came before, is within the tolerance of what was
said, each wealth is a supermartingale, and so is their mean. That the odds against a model ever
exceed 1/alpha then has a chance of alpha at most (Ville, 1939; Waudby-Smith and Ramdas, JRSS-B
2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from experiments.sequential import BETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LARGEST = 700.0  # whose exponential is still a number
SIDES = 3  # too low, too high, too sure
TOLERANCE = 0.02
"""By how much a probability may be wrong."""


def _even() -> Floats:
    return np.zeros(SIDES * len(BETS))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The evidence against a model so far; outcomes must not overlap.

    Attributes:
        wealth: Log wealth of each bet, shape (18,).
        highest: The most that the log of their mean has ever been.
        outcomes: How many were taken.
    """

    wealth: Floats = field(default_factory=_even)
    highest: float = 0.0
    outcomes: int = 0

    def after(
        self, probability: Floats, rose: Floats, *, base_rate: float, tolerance: float = TOLERANCE
    ) -> Calibration:
        """Take outcomes in; in parts or at once comes to the same.

        Args:
            probability: What the model said, shape (n,), in the order of time.
            rose: 1.0 where a rise came, else 0.0, shape (n,).
            base_rate: Share of rises that is known without a model.
            tolerance: By how much a probability may be wrong.
        """
        if not len(probability):
            return self
        surprise = rose - probability
        claim = np.sign(probability - base_rate)
        sides = np.stack([surprise, -surprise, -claim * surprise], axis=1) - tolerance
        sides[:, 2] = np.where(claim == 0, 0.0, sides[:, 2])
        steps = np.log1p(sides[:, :, None] * np.array(BETS)).reshape(len(rose), -1)
        paths = self.wealth + np.cumsum(steps, axis=0)
        means = logsumexp(paths, axis=1) - np.log(paths.shape[1])
        return Calibration(
            wealth=paths[-1],
            highest=max(self.highest, float(means.max())),
            outcomes=self.outcomes + len(rose),
        )

    def fault(self, most: float) -> str | None:
        """Say that the model was not right about itself, if the odds were ever above `most` to 1.

        A model that is right within the tolerance is ever called wrong with a chance of 1/most.
        """
        if self.highest <= np.log(most):
            return None
        odds = np.exp(min(self.highest, LARGEST))
        return (
            f"its probabilities were wrong by more than {TOLERANCE:g}: after {self.outcomes} "
            f"outcomes that do not overlap the odds against it were {odds:.3g} to 1"
        )
