"""Made-up minute bars: kinds of noise that hold nothing to learn, and a pattern that pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

START = pd.Timestamp("2026-01-01", tz="UTC")
MINUTES_A_DAY = 24 * 60
LEG, HOLD = 3, 10  # minutes of the sign, and of what it foretells
# GARCH(1, 1): weights of the long run, of the last shock, and of the last variance.
LONG_RUN, SHOCK, MEMORY = 0.03, 0.09, 0.88


def walk(seed: int, days: int, *, volatility: float) -> pd.DataFrame:
    """Return a random walk of independent normal steps; `volatility` is a minute's."""
    random, count = np.random.default_rng(seed), days * MINUTES_A_DAY
    return _bars(random.normal(0, volatility, count), random.lognormal(0, 0.4, count), random)


def clustered(seed: int, days: int, *, volatility: float, tails: int | None = None) -> pd.DataFrame:
    """Return GARCH(1, 1) bars: how far prices go can be foreseen, which way cannot.

    Shocks are normal, or Student's with `tails` degrees of freedom (more than 2).

    Source: Bollerslev (1986), Generalized autoregressive conditional heteroskedasticity; (1987)
    for Student's shocks.
    """
    random, count = np.random.default_rng(seed), days * MINUTES_A_DAY
    if tails is None:
        shocks = random.standard_normal(count)
    else:
        shocks = random.standard_t(tails, count) * ((tails - 2) / tails) ** 0.5
    steps, variance = np.empty(count), volatility**2
    for n, shock in enumerate(shocks):
        steps[n] = shock * variance**0.5
        variance = LONG_RUN * volatility**2 + SHOCK * steps[n] ** 2 + MEMORY * variance
    return _bars(steps, random.lognormal(0, 0.4, count) * np.abs(shocks) ** 0.5, random)


def bouncing(seed: int, days: int, *, volatility: float, spread: float) -> pd.DataFrame:
    """Return a walk seen through trades at bid and ask: it reverts, but only within the spread.

    Source: Roll (1984), A simple implicit measure of the effective bid-ask spread.
    """
    random, count = np.random.default_rng(seed), days * MINUTES_A_DAY
    side = random.choice([-0.5, 0.5], count) * spread
    steps = random.normal(0, volatility, count) + np.diff(side, prepend=0)
    return _bars(steps, random.lognormal(0, 0.4, count), random)


def planted(seed: int, days: int, *, move: float, volatility: float = 0.001) -> pd.DataFrame:
    """Return bars in which three minutes one way on raised volume foretell `move` in ten more.

    The pattern comes every 20 minutes on average, upwards as often as downwards. Whoever buys
    at the end of every leg upwards and holds for ten minutes earns `move` less the costs.
    """
    random, count = np.random.default_rng(seed), days * MINUTES_A_DAY
    steps, volume = random.normal(0, volatility, count), random.lognormal(0, 0.4, count)
    _plant(steps, volume, move=move, leg=2.5 * volatility, random=random)
    return _bars(steps, volume, random)


def patterned(noise: pd.DataFrame, seed: int, *, move: float, leg: float) -> pd.DataFrame:
    """Return any bars with the pattern of `planted` on top; `leg` is each of its three minutes'."""
    random = np.random.default_rng([seed, 1])
    steps = np.diff(np.log(noise["close"].to_numpy(dtype=np.float64)), prepend=0.0)
    volume = noise["volume"].to_numpy(dtype=np.float64, copy=True)
    _plant(steps, volume, move=move, leg=leg, random=random)
    return _bars(steps, volume, random)


def joined(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return one market that goes on as the other where the first ends: a break."""
    prices = ["open", "high", "low", "close"]
    later = after.assign(**{name: after[name] * before["close"].iloc[-1] for name in prices})
    whole = pd.concat([before, later])
    whole.index = pd.date_range(before.index[0], periods=len(whole), freq="min", name="start")
    return whole


def _plant(
    steps: Floats, volume: Floats, *, move: float, leg: float, random: np.random.Generator
) -> None:
    at = 0
    while (at := at + int(random.integers(14, 27))) + LEG + HOLD < len(steps):
        way = random.choice([-1, 1])
        steps[at : at + LEG] += way * leg
        volume[at : at + LEG] *= 4
        steps[at + LEG : at + LEG + HOLD] += way * move / HOLD


def _bars(steps: Floats, volume: Floats, random: np.random.Generator) -> pd.DataFrame:
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
