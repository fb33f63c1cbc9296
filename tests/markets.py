"""Made-up markets: one with something to learn, and several with nothing."""

import numpy as np
import pandas as pd

START = pd.Timestamp("2026-11-01", tz="UTC")
MINUTES_PER_DAY = 1440


def planted(seed, days=14):
    """A leg of 3 minutes on raised volume, then 10 minutes of 150 bp the same way."""
    random = np.random.default_rng(seed)
    count = days * MINUTES_PER_DAY
    steps, volume = random.normal(0, 0.001, count), random.lognormal(0, 0.4, count)
    at = 0
    while (at := at + int(random.integers(14, 27))) + 13 < count:
        direction = random.choice([-1, 1])
        steps[at : at + 3] += direction * 0.0025
        volume[at : at + 3] *= 4
        steps[at + 3 : at + 13] += direction * 0.0015
    return bars(steps, volume, random)


def walk(seed, days=14, volatility=0.001):
    """A random walk: nothing to learn."""
    random = np.random.default_rng(seed)
    count = days * MINUTES_PER_DAY
    return bars(random.normal(0, volatility, count), random.lognormal(0, 0.4, count), random)


def clustered(seed, days=14, volatility=0.001):
    """GARCH(1, 1): volatility can be foreseen, direction cannot."""
    random = np.random.default_rng(seed)
    count = days * MINUTES_PER_DAY
    shocks = random.standard_normal(count)
    steps, variance = np.empty(count), volatility**2
    for n in range(count):
        steps[n] = shocks[n] * variance**0.5
        variance = 0.03 * volatility**2 + 0.09 * steps[n] ** 2 + 0.88 * variance
    return bars(steps, random.lognormal(0, 0.4, count) * np.abs(shocks) ** 0.5, random)


def bouncing(seed, days=14, volatility=0.001, spread=0.002):
    """A random walk seen through trades at bid and ask: it reverts, but not beyond cost."""
    random = np.random.default_rng(seed)
    count = days * MINUTES_PER_DAY
    side = random.choice([-0.5, 0.5], count) * spread
    steps = random.normal(0, volatility, count) + np.diff(side, prepend=0)
    return bars(steps, random.lognormal(0, 0.4, count), random)


def bars(steps, volume, random):
    close = np.exp(np.cumsum(steps))
    opened = np.concatenate([[1.0], close[:-1]])
    reach = np.exp(np.abs(random.normal(0, 0.0003, (2, len(steps)))))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * reach[0],
            "low": np.minimum(opened, close) / reach[1],
            "close": close,
            "volume": volume,
        },
        index=pd.date_range(START, periods=len(steps), freq="min", name="start"),
    )
