"""Quantities over the last few values, each defined once; the newest value is last.

They see nothing but the window they are given, and sums are rounded once (math.fsum),
so what came before the window leaves no trace, not even in the last bit: a live start
from the last few bars agrees exactly with years of history.

Where nothing moved or nothing traded, a ratio has no value; each kernel says which
neutral one it returns then.
"""

from __future__ import annotations

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
