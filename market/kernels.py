"""Quantities over the last few values, each defined once; the newest value is last.

They see nothing but the window they are given, and sums are rounded once (math.fsum),
so what came before the window leaves no trace, not even in the last bit: a live start
from the last few bars agrees exactly with years of history.

Where nothing moved or nothing traded, a ratio has no value; each kernel says which
neutral one it returns then.
"""

from __future__ import annotations

from itertools import pairwise
from math import fsum, log, log1p, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def change(closes: Sequence[float], bars: int) -> float:
    """Return the log return over so many bars."""
    return log(closes[-1] / closes[-1 - bars])


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation."""
    mean = fsum(values) / len(values)
    return sqrt(fsum([(x - mean) ** 2 for x in values]) / (len(values) - 1))


def ratio(part: float, whole: float, *, neutral: float) -> float:
    """Return part by whole, or the neutral value where the whole is zero."""
    return part / whole if whole > 0 else neutral


def score(moved: float, volatility: float, bars: int) -> float:
    """Return a log return in units of what a random walk would make of so many bars.

    Zero where nothing moved.
    """
    return ratio(moved, volatility * sqrt(bars), neutral=0.0)


def trend(closes: Sequence[float], short: int) -> float:
    """Return how far the mean of the last few closes is above that of all of them, in logs."""
    return log(fsum(closes[-short:]) / short / (fsum(closes) / len(closes)))


def strength(returns: Sequence[float]) -> float:
    """Return the share of all movement that went up (Cutler's RSI, from 0 to 1).

    Half where nothing moved.
    """
    up = fsum([x for x in returns if x > 0])
    return ratio(up, fsum(map(abs, returns)), neutral=0.5)


def straightness(returns: Sequence[float]) -> float:
    """Return net movement by path length (Kaufman's efficiency ratio, signed); zero at rest."""
    return ratio(fsum(returns), fsum(map(abs, returns)), neutral=0.0)


def position(close: float, low: float, high: float) -> float:
    """Return where the close lies between low (0) and high (1); the middle if they are equal."""
    return ratio(close - low, high - low, neutral=0.5)


def busyness(volumes: Sequence[float], short: int) -> float:
    """Return log(1 + mean volume of the last few bars by that of all); log 2 is usual.

    log 2, too, where nothing traded at all.
    """
    recent = fsum(volumes[-short:]) / short
    return log1p(ratio(recent, fsum(volumes) / len(volumes), neutral=1.0))


def pressure(returns: Sequence[float], volumes: Sequence[float]) -> float:
    """Return the volume of rising bars minus that of falling ones, by all volume; else zero."""
    signed = [v if r > 0 else -v if r < 0 else 0.0 for r, v in zip(returns, volumes, strict=True)]
    return ratio(fsum(signed), fsum(volumes), neutral=0.0)


def true_range(high: float, low: float, previous_close: float) -> float:
    """Return the bar's reach including the jump from the close before (Wilder 1978)."""
    return max(high, previous_close) - min(low, previous_close)


def latest(marks: Sequence[float]) -> tuple[float, float]:
    """Return how many bars ago the last mark was made, and the mark.

    As many bars as the window has, and zero, if none was.
    """
    for age, mark in enumerate(reversed(marks)):
        if mark:
            return float(age), mark
    return float(len(marks)), 0.0


def bands(closes: Sequence[float]) -> float:
    """Return the close's distance from the mean in (population) deviations; zero at rest.

    Bollinger's bands lie at 2 and -2.
    """
    mean = fsum(closes) / len(closes)
    spread = sqrt(fsum([(x - mean) ** 2 for x in closes]) / len(closes))
    return ratio(closes[-1] - mean, spread, neutral=0.0)


def channel(typical: Sequence[float]) -> float:
    """Return the commodity channel index by 100 (Lambert 1980); zero at rest."""
    mean = fsum(typical) / len(typical)
    spread = fsum([abs(x - mean) for x in typical]) / len(typical)
    return ratio(typical[-1] - mean, 1.5 * spread, neutral=0.0)


def ages(highs: Sequence[float], lows: Sequence[float]) -> float:
    """Return how much more recent the high is than the low (Chande's Aroon oscillator by 100).

    From -1 to 1; of equal highs or lows the latest counts.
    """
    span = len(highs) - 1
    since_high = highs[::-1].index(max(highs))
    since_low = lows[::-1].index(min(lows))
    return (since_low - since_high) / span


def money_flow(typical: Sequence[float], volumes: Sequence[float]) -> float:
    """Return the share of turnover that came on a rise (money flow index, from 0 to 1).

    `typical` begins one bar before `volumes`. Half where nothing moved or traded.
    """
    pairs = zip(typical, typical[1:], volumes, strict=False)
    turnover = [(now - before, now * volume) for before, now, volume in pairs]
    up = fsum([money for rise, money in turnover if rise > 0])
    return ratio(up, fsum([money for rise, money in turnover if rise]), neutral=0.5)


def slope(values: Sequence[float]) -> float:
    """Return the slope of the least squares line through the values, a step."""
    middle = (len(values) - 1) / 2
    weighed = fsum([(n - middle) * value for n, value in enumerate(values)])
    return weighed / fsum([(n - middle) ** 2 for n in range(len(values))])


def downside(returns: Sequence[float]) -> float:
    """Return the share of squared returns that fell (from 0 to 1); half where nothing moved."""
    fell = fsum([x * x for x in returns if x < 0])
    return ratio(fell, fsum([x * x for x in returns]), neutral=0.5)


def reach(spans: Sequence[float]) -> float:
    """Return the volatility a bar from the logs of high by low (Parkinson 1980)."""
    return sqrt(fsum([x * x for x in spans]) / (4 * log(2) * len(spans)))


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return Pearson's correlation, from -1 to 1; zero where one of them does not move."""
    x_mean, y_mean = fsum(xs) / len(xs), fsum(ys) / len(ys)
    pairs = [(x - x_mean, y - y_mean) for x, y in zip(xs, ys, strict=True)]
    spread = sqrt(fsum([x * x for x, _ in pairs]) * fsum([y * y for _, y in pairs]))
    return ratio(fsum([x * y for x, y in pairs]), spread, neutral=0.0)


def steps(closes: Sequence[float]) -> list[float]:
    """Return the log returns between neighbours, one fewer than there are closes."""
    return [log(after / before) for before, after in pairwise(closes)]


def flow(bought: Sequence[float], volumes: Sequence[float]) -> float:
    """Return what came to buy minus what came to sell, by all volume; zero without any."""
    volume = fsum(volumes)
    return ratio(2 * fsum(bought) - volume, volume, neutral=0.0)


def sizes(volumes: Sequence[float], counts: Sequence[float], short: int) -> float:
    """Return the log of the mean trade of the last few bars by that of all; else zero."""
    recent = ratio(fsum(volumes[-short:]), fsum(counts[-short:]), neutral=0.0)
    usual = ratio(fsum(volumes), fsum(counts), neutral=0.0)
    return log(recent / usual) if recent > 0 and usual > 0 else 0.0
