"""The log-price of the synthetic market at any moment, without walking there.

Brownian motion by midpoint displacement in a multifractal time: the variance of an interval
is split unevenly between its halves, which makes volatility cluster and tails fat, while the
price itself stays a martingale on any horizon a strategy could use. The outermost intervals
end at independent values, so the price stays within bounds for ever.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, sqrt

import numpy as np
import numpy.typing as npt

from sandbox.randomness import generator, two_normals

HOURS_OUTERMOST = 8192
STEPS = 2048
HOUR_VARIANCE = 60 * 0.0009**2
REACH = 0.35
UNEVENNESS = 0.35
_LEVELS = 11

Floats = npt.NDArray[np.float64]


def _share(normal: float) -> float:
    return 1 / (1 + exp(-UNEVENNESS * normal))


def _outermost_value(seed: int, symbol: str, index: int) -> float:
    value, _ = two_normals(seed, symbol, "outermost", index)
    return REACH * min(max(value, -2.0), 2.0)


@lru_cache(maxsize=65536)
def _interval(seed: int, symbol: str, level: int, index: int) -> tuple[float, float, float]:
    """Give the values at both ends of an interval of `8192 >> level` hours, and its variance."""
    if level == 0:
        return (
            _outermost_value(seed, symbol, index),
            _outermost_value(seed, symbol, index + 1),
            HOURS_OUTERMOST * HOUR_VARIANCE,
        )
    start, end, variance = _interval(seed, symbol, level - 1, index // 2)
    shift, uneven = two_normals(seed, symbol, level, index // 2)
    share = _share(uneven)
    middle = start + (end - start) * share + sqrt(variance * share * (1 - share)) * shift
    if index % 2:
        return middle, end, variance * (1 - share)
    return start, middle, variance * share


def walk(seed: int, symbol: str, hour: int) -> tuple[Floats, Floats]:
    """Give the log-price through one hour, and how lively each moment is.

    Args:
        seed: The market's seed.
        symbol: The market.
        hour: Hours since 1970.

    Returns:
        Two arrays of 2048: the log-price relative to the typical price at equal steps,
        and the local variance of each step relative to the long-run average.
    """
    start, end, variance = _interval(seed, symbol, 13, hour)
    normals = generator(seed, symbol, "hour", hour).standard_normal((2, STEPS))
    shares = 1 / (1 + np.exp(-UNEVENNESS * normals[0]))
    rests = 1 - shares
    values, variances = np.empty(STEPS + 1), np.empty(STEPS)
    values[0], values[-1], variances[0] = start, end, variance
    for level in range(_LEVELS):
        count = 1 << level
        width, drawn = STEPS // count, slice(count - 1, 2 * count - 1)
        whole, before = variances[::width], values[:-1:width]
        first = whole * shares[drawn]
        spread = np.sqrt(first * rests[drawn]) * normals[1, drawn]
        variances[width // 2 :: width] = whole * rests[drawn]
        variances[::width] = first
        middle = before + (values[width::width] - before) * shares[drawn] + spread
        values[width // 2 :: width] = middle
    return values[:-1], variances * (STEPS / HOUR_VARIANCE)
