"""Compare a window of values with history, by a test whose size history itself sets.

A textbook Kolmogorov-Smirnov test alarms daily on market data, because neighbouring
values are alike. Here the variance of a window's distribution function is measured on
earlier windows of the same length, and the distance is judged by that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.special import kolmogorov

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Quantiles of the reference at which the windows' variance is measured."""

FEWEST_WINDOWS = 17
"""Disjoint windows in the reference below which its variance is not known."""

FEWEST_INDEPENDENT = 10
"""Independent values' worth in the current window below which a test has no power."""

FEWEST_VALUES = 50
"""Values in the current window below which nothing is tested."""

QUANTILES = np.linspace(0.0025, 0.9975, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a window lies from its reference; no p-value where it cannot be told.

    Attributes:
        distance: Largest gap between the distribution functions.
        inflation: Variance of a window's, as a multiple of that of independent values.
        p_value: Chance of such a gap on history like the reference.
        reason: Why it could not be tested, or a sentence on what was found.
    """

    name: str
    distance: float | None = None
    inflation: float | None = None
    p_value: float | None = None
    reason: str


def compare(name: str, reference: Floats, current: Floats) -> Shift:
    """Test whether the current window is one that the reference might have held.

    Args:
        name: The column's, for the sentence.
        reference: Values in the order of time, shape (N,); NaN are left out.
        current: Later values, shape (n,); NaN are left out.
    """
    reference, current = reference[~np.isnan(reference)], current[~np.isnan(current)]
    n, windows = len(current), len(reference) / max(len(current), 1)
    refused = _too_little(name, reference, n, windows)
    if refused:
        return Shift(name=name, reason=f"not testable: {refused}")
    gap, v = distance(reference, current), inflation(reference, n)
    if n / v < FEWEST_INDEPENDENT:
        return Shift(
            name=name,
            distance=gap,
            inflation=v,
            reason=f"not testable: {n} values of {name} are worth {n / v:.1f} independent ones, "
            f"fewer than {FEWEST_INDEPENDENT}",
        )
    p_value = float(kolmogorov(gap / np.sqrt(v / n + v / len(reference))))
    return Shift(
        name=name,
        distance=gap,
        inflation=v,
        p_value=p_value,
        reason=f"{name} lies {gap:.3f} from its reference (p = {p_value:.2g})",
    )


def distance(reference: Floats, current: Floats) -> float:
    """Return the largest gap between two empirical distribution functions, ties and all."""
    support = np.concatenate((reference, current))
    one = np.searchsorted(np.sort(reference), support, side="right") / len(reference)
    two = np.searchsorted(np.sort(current), support, side="right") / len(current)
    return float(np.abs(one - two).max())


def inflation(reference: Floats, length: int) -> float:
    """Return how much more windows of the reference vary than independent values would.

    Windows overlap by three quarters; the worst of seven quantiles counts. At least 1:
    less would be luck.
    """
    windows = len(reference) / length
    points, levels = np.unique(np.quantile(reference, LEVELS), return_counts=True)
    # Of a column that is mostly at its top all is at or below that, and only the rest tells.
    sides = [reference[:, None] <= points, reference[:, None] < points[levels > 1]]
    below = np.concatenate(sides, axis=1).astype(np.float64)
    overall = below.mean(axis=0)
    total = np.vstack((np.zeros(below.shape[1]), np.cumsum(below, axis=0)))
    starts = np.arange(0, len(reference) - length + 1, max(length // 4, 1))
    shares = (total[starts + length] - total[starts]) / length
    expected = overall * (1 - overall) / length
    varies = expected > 0
    if not varies.any():
        return 1.0
    ratio = shares.var(axis=0)[varies] / expected[varies] * windows / (windows - 1)
    return max(1.0, float(ratio.max()))


def alarms(shifts: Sequence[Shift], *, rate: float = 0.05) -> list[str]:
    """Name the shifts that stand out among all that could be tested.

    Benjamini and Hochberg's procedure, so that of many columns few alarm by chance.
    """
    tested = [(shift.name, shift.p_value) for shift in shifts if shift.p_value is not None]
    if not tested:
        return []
    adjusted = stats.false_discovery_control([p_value for _, p_value in tested])
    return [name for (name, _), p in zip(tested, adjusted, strict=True) if p <= rate]


def usual_distance(reference: Floats, length: int, *, level: float = 0.95) -> float:
    """Return the normalised Wasserstein distance that few windows of the history exceed.

    A report's threshold: its own default marks most columns of ordinary market data.
    """
    reference = reference[~np.isnan(reference)]
    count = len(reference) // max(length, 1)
    spread = reference.std() if len(reference) else 0.0
    if count < 2 or spread == 0:  # noqa: PLR2004 - one window has no other to differ from
        return 0.1
    whole = np.quantile(reference, QUANTILES)
    windows = np.quantile(reference[: count * length].reshape(count, length), QUANTILES, axis=1)
    away = np.abs(windows - whole[:, None]).mean(axis=0) / spread
    return float(np.quantile(away, level))


def _too_little(name: str, reference: Floats, n: int, windows: float) -> str | None:
    if n < FEWEST_VALUES:
        return f"{n} values of {name} in the window, expected at least {FEWEST_VALUES}"
    if windows < FEWEST_WINDOWS:
        return (
            f"the reference of {name} holds {windows:.1f} such windows, "
            f"expected at least {FEWEST_WINDOWS}"
        )
    if reference.min() == reference.max():
        return f"{name} never varied in the reference"
    return None
