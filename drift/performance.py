"""Notice that a model has lost its edge, from its own scores and what came of them.

Scores must be of bars whose outcomes do not overlap: every `horizon`-th one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STAKES = tuple(sign * bet for sign in (1, -1) for bet in (0.025, 0.05, 0.1, 0.2, 0.4, 0.8))
"""Fractions bet against the model's calibration, on either side."""

TOLERANCE = 0.05
"""By how much a probability may be wrong: two standard errors of what the hold-out of a
fortnight, some 400 outcomes that do not overlap, can tell. A model is promoted with such a
fault, so it is none that came since."""

LOWEST_THRESHOLD = 3.0
"""A model that says little wanders little; below this an alarm would mean nothing."""


def log_likelihood_ratio(probability: Floats, rose: Floats, *, base_rate: float) -> Floats:
    """Return ln P(outcome | base rate) - ln P(outcome | model), a score each.

    Positive where knowing nothing but the base rate would have been better. With a base
    rate of one half it is the "coin against model" of the detector's literature.

    Args:
        probability: Probability of a rise, shape (n,), within (0, 1).
        rose: 1.0 where it came, else 0.0, shape (n,).
        base_rate: Share of rises that is known without a model.
    """
    model = np.where(rose > 0, probability, 1 - probability)
    nothing = np.where(rose > 0, base_rate, 1 - base_rate)
    return np.asarray(np.log(nothing) - np.log(model))


def cusum(ratios: Floats) -> Floats:
    """Return S_t = max(0, S_{t-1} + ratio_t) along the last axis (Page, Biometrika 1954)."""
    total = np.cumsum(ratios, axis=-1)
    floor = np.minimum(np.minimum.accumulate(total, axis=-1), 0.0)
    return np.asarray(total - floor)


def anew(evidence: Callable[[int], Floats], limit: float) -> Floats:
    """Return a path of evidence that begins at nothing again whenever it was above the limit.

    One alarm asks for one model: without this a spell of bad luck asks at every check until it
    is forgotten, and a model that stays wrong is told by new evidence anyway.

    Args:
        evidence: Returns the path of the scores from a first one on.
        limit: Above which it is an alarm.
    """
    parts = [evidence(0)]
    while len(over := np.flatnonzero(parts[-1] > limit)):
        parts[-1], rest = np.split(parts[-1], [over[0] + 1])
        if not len(rest):
            break
        parts.append(evidence(sum(map(len, parts))))
    return np.concatenate(parts)


def threshold(
    probability: Floats,
    *,
    base_rate: float,
    observations: int,
    false_alarms: float = 0.1,
    paths: int = 400,
    seed: int = 0,
) -> float:
    """Return the CUSUM height that a model which is right about itself seldom reaches.

    Outcomes are drawn from the model's own probabilities, so a timid model gets a low
    threshold and a bold one a high one.

    Args:
        probability: Probabilities the model has given, shape (n,).
        base_rate: Share of rises that is known without a model.
        observations: Scores over which a false alarm is counted; a quarter of a year's.
        false_alarms: Share of such spans that may contain one.
        paths: Spans simulated.
        seed: Of the simulation, so that two checks agree.
    """
    rng, count = np.random.default_rng(seed), len(probability)
    if_up, if_down = (
        log_likelihood_ratio(probability, np.full(count, rose), base_rate=base_rate)
        for rose in (1.0, 0.0)
    )
    highest = np.empty(paths)
    for n in range(paths):
        drawn = rng.integers(0, count, observations)
        rises = rng.random(observations) < probability[drawn]
        highest[n] = cusum(np.where(rises, if_up[drawn], if_down[drawn])).max()
    return max(LOWEST_THRESHOLD, float(np.quantile(highest, 1 - false_alarms)))


def log_miscalibration(
    probability: Floats, rose: Floats, *, tolerance: float = TOLERANCE
) -> Floats:
    """Return the running log e-value against "the probabilities are right within the tolerance".

    Bets on outcome minus probability, mixed over both sides; exact for any process
    (Waudby-Smith and Ramdas, JRSS-B 2024). From one start on it ever exceeds ln(1/alpha)
    with chance alpha at most, while the chance of a rise, given all that came before, is
    within the tolerance of what the model said.
    """
    stakes = np.array(STAKES)
    gains = np.outer(rose - probability, stakes) - tolerance * np.abs(stakes)
    wealth = np.cumsum(np.log1p(gains), axis=0)
    return np.asarray(logsumexp(wealth, axis=1) - np.log(len(STAKES)))
