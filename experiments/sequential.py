"""Evidence that may be looked at as often as one likes.

The confidence sequence is the asymptotic one of Waudby-Smith, Arbour, Sinha, Kennedy
and Ramdas (Annals of Statistics 52(6), 2024, arXiv:2103.06476); the mixture likelihood
ratio is Johari et al.'s (Operations Research, 2022); the betting martingale is
Waudby-Smith and Ramdas's (JRSS-B, 2024), for forecasters as Choe and Ramdas (Operations
Research 72(4), 2024) use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, lambertw, logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

BETS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Fractions staked, on either side."""

SMALLEST_SAMPLE = 2
"""Units below which there is no variance."""

ROUNDING = 1e-9
"""Deviation, as a share of the mean, that float arithmetic makes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A confidence sequence over a mean, one entry a unit (float64, equal lengths).

    Attributes:
        mean: Running mean.
        low: Lower end, minus infinity before the burn-in is over.
        high: Upper end, infinity before the burn-in is over.
        p_value: Smallest p-value so far, which is what may be compared with alpha.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_value: NDArray[np.float64]

    def until(self, count: int) -> Path:
        """Return the path as it was after so many units."""
        return Path(
            mean=self.mean[:count],
            low=self.low[:count],
            high=self.high[:count],
            p_value=self.p_value[:count],
        )


def tuning(alpha: float) -> float:
    """Return x(alpha), which makes the sequence narrowest at the unit aimed for.

    Examples:
        >>> round(tuning(0.05), 9)
        8.211968062
    """
    return float(-lambertw(-(alpha**2) / np.e, k=-1).real - 1)


def margin(
    t: ArrayLike, *, deviation: ArrayLike, alpha: float, aim: float, one_sided: bool = False
) -> NDArray[np.float64]:
    """Return the half-width of the sequence after t units (equations of §1.2).

    Args:
        t: Units seen.
        deviation: Standard deviation of the units seen.
        alpha: Chance that the sequence ever misses the mean.
        aim: Unit at which it should be narrowest.
        one_sided: Whether only the lower end is wanted.
    """
    units = np.asarray(t, dtype=np.float64)
    rho2 = tuning(2 * alpha if one_sided else alpha) / aim
    mixture = units * rho2 + 1
    inside = 1 + np.sqrt(mixture) / (2 * alpha) if one_sided else np.sqrt(mixture) / alpha
    scale = np.sqrt(2 * mixture / (units**2 * rho2) * np.log(inside))
    return np.asarray(np.asarray(deviation, dtype=np.float64) * scale)


def confidence_sequence(units: ArrayLike, *, alpha: float, aim: float, burn_in: int = 10) -> Path:
    """Follow the mean of independent units with an interval valid at every unit.

    Args:
        units: Shape (n,), in the order of time, every value finite.
        alpha: Chance that the interval ever misses the mean.
        aim: Unit at which the interval should be narrowest: the fixed plan's size.
        burn_in: Units before anything is concluded; the guarantee is asymptotic.

    Raises:
        ValueError: A unit is not a finite number.
    """
    values = np.asarray(units, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("every unit must be a finite number")
    t = np.arange(1, len(values) + 1, dtype=np.float64)
    mean = np.cumsum(values) / t
    deviation = _running_deviation(values, t, mean)
    half = margin(t, deviation=deviation, alpha=alpha, aim=aim)
    # Units all alike differ by rounding only; that is no evidence, however often repeated.
    varied = deviation > ROUNDING * np.abs(mean)
    known = (t >= max(burn_in, SMALLEST_SAMPLE)) & varied
    rho2 = tuning(alpha) / aim
    ratio = log_mixture_ratio(t, mean, variance=deviation**2, mixture=rho2 * deviation**2)
    p_value = np.where(known, np.minimum(1.0, np.exp(-ratio)), 1.0)
    return Path(
        mean=mean,
        low=np.where(known, mean - half, -np.inf),
        high=np.where(known, mean + half, np.inf),
        p_value=np.minimum.accumulate(p_value) if len(values) else p_value,
    )


def log_mixture_ratio(
    n: ArrayLike, effect: ArrayLike, *, variance: ArrayLike, mixture: ArrayLike
) -> NDArray[np.float64]:
    """Return the log of the mixture likelihood ratio (mSPRT) against an effect of zero.

    With `mixture` equal to rho² times `variance` it is the e-value whose level set is
    the confidence sequence. Where the variance is zero the ratio says nothing: 0.

    Args:
        n: Units.
        effect: Estimated effect after them.
        variance: Variance of one unit (two arms: the sum of both).
        mixture: Variance of the effects thought possible.
    """
    n, effect, v, tau2 = (np.asarray(x, dtype=np.float64) for x in (n, effect, variance, mixture))
    positive = v > 0
    v = np.where(positive, v, 1.0)
    total = v + n * tau2
    ratio = 0.5 * np.log(v / total) + (n * effect) ** 2 * tau2 / (2 * v * total)
    return np.where(positive, ratio, 0.0)


def log_betting(scores: ArrayLike, *, bound: float) -> NDArray[np.float64]:
    """Return the running log e-value against every score having mean zero.

    Exact for any process: nothing is assumed but the bound. The stakes are mixed over
    a fixed grid on both sides, so the answer does not depend on who is better.

    Args:
        scores: Shape (n,), in the order of time.
        bound: A number that no absolute score exceeds.

    Raises:
        ValueError: A score exceeds the bound or is not a number.
    """
    values = np.asarray(scores, dtype=np.float64) / bound
    if not (np.abs(values) <= 1).all():
        raise ValueError(f"every score must lie within the bound of {bound}")
    stakes = np.array([sign * bet for sign in (1, -1) for bet in BETS])
    wealth = np.cumsum(np.log1p(np.outer(values, stakes)), axis=0)
    return np.asarray(logsumexp(wealth, axis=1) - np.log(len(stakes)))


def sample_ratio_p_value(
    counts: Sequence[int], shares: Sequence[float], *, concentration: float = 100.0
) -> float:
    """Return the p-value of counts that should follow the shares; valid at every look.

    The Dirichlet-multinomial e-value of Lindon and Malek, inverted.

    Examples:
        >>> round(sample_ratio_p_value((560, 440), (0.5, 0.5)), 5)
        0.00469
    """
    x = np.asarray(counts, dtype=np.float64)
    theta = np.asarray(shares, dtype=np.float64)
    prior = concentration * theta
    evidence = (
        gammaln(prior.sum())
        - gammaln(prior.sum() + x.sum())
        + (gammaln(prior + x) - gammaln(prior)).sum()
        - (x * np.log(theta)).sum()
    )
    return float(min(1.0, np.exp(-evidence)))


def _running_deviation(
    values: NDArray[np.float64], t: NDArray[np.float64], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Welford's sums, vectorised: (x_t - m_{t-1}) (x_t - m_t), without cancellation.
    before = np.concatenate(([0.0], mean[:-1])) if len(values) else mean
    squares = np.cumsum(np.where(t > 1, (values - before) * (values - mean), 0.0))
    return np.asarray(np.sqrt(np.maximum(squares, 0.0) / np.maximum(t - 1, 1.0)))
