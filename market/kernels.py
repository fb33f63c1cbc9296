"""Quantities over the last few values, each defined once; the newest value is last.

They see nothing but the window they are given, and sums are rounded once (math.fsum),
so what came before the window leaves no trace, not even in the last bit: a live start
from the last few bars agrees exactly with years of history. A value is a float, or a column
with one float for each of many rows (market/arithmetic.py), and the result is of that kind.

Where nothing moved or nothing traded, a ratio has no value; each kernel says which
neutral one it returns then.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from market import arithmetic
from market.arithmetic import log, log1p, ratio, root, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from market.arithmetic import Number


def change(closes: Sequence[Number], bars: int) -> Number:
    """Return the log return over so many bars."""
    return log(closes[-1] / closes[-1 - bars])


def deviation(values: Sequence[Number]) -> Number:
    """Return the sample standard deviation."""
    mean = total(values) / len(values)
    return root(total(arithmetic.squares(values, mean)) / (len(values) - 1))


def score(moved: Number, volatility: Number, bars: int) -> Number:
    """Return a log return in units of what a random walk would make of so many bars.

    Zero where nothing moved.
    """
    return ratio(moved, volatility * math.sqrt(bars), neutral=0.0)


def trend(closes: Sequence[Number], short: int) -> Number:
    """Return how far the mean of the last few closes is above that of all of them, in logs."""
    return log(total(closes[-short:]) / short / (total(closes) / len(closes)))


def strength(returns: Sequence[Number]) -> Number:
    """Return the share of all movement that went up (Cutler's RSI, from 0 to 1).

    Half where nothing moved.
    """
    up = total(arithmetic.kept(returns, returns))
    return ratio(up, total(list(map(abs, returns))), neutral=0.5)


def straightness(returns: Sequence[Number]) -> Number:
    """Return net movement by path length (Kaufman's efficiency ratio, signed); zero at rest."""
    return ratio(total(returns), total(list(map(abs, returns))), neutral=0.0)


def position(close: Number, low: Number, high: Number) -> Number:
    """Return where the close lies between low (0) and high (1); the middle if they are equal."""
    return ratio(close - low, high - low, neutral=0.5)


def busyness(volumes: Sequence[Number], short: int) -> Number:
    """Return log(1 + mean volume of the last few bars by that of all); log 2 is usual.

    log 2, too, where nothing traded at all.
    """
    recent = total(volumes[-short:]) / short
    return log1p(ratio(recent, total(volumes) / len(volumes), neutral=1.0))


def pressure(returns: Sequence[Number], volumes: Sequence[Number]) -> Number:
    """Return the volume of rising bars minus that of falling ones, by all volume; else zero."""
    return ratio(total(arithmetic.signed(volumes, returns)), total(volumes), neutral=0.0)


def true_range(high: Number, low: Number, previous_close: Number) -> Number:
    """Return the bar's reach including the jump from the close before (Wilder 1978)."""
    return arithmetic.largest((high, previous_close)) - arithmetic.smallest((low, previous_close))


def latest(marks: Sequence[Number]) -> tuple[Number, Number]:
    """Return how many bars ago the last mark was made, and the mark.

    As many bars as the window has, and zero, if none was.
    """
    return arithmetic.newest(marks)


def bands(closes: Sequence[Number]) -> Number:
    """Return the close's distance from the mean in (population) deviations; zero at rest.

    Bollinger's bands lie at 2 and -2.
    """
    mean = total(closes) / len(closes)
    spread = root(total(arithmetic.squares(closes, mean)) / len(closes))
    return ratio(closes[-1] - mean, spread, neutral=0.0)


def channel(typical: Sequence[Number]) -> Number:
    """Return the commodity channel index by 100 (Lambert 1980); zero at rest."""
    mean = total(typical) / len(typical)
    spread = total([abs(x - mean) for x in typical]) / len(typical)
    return ratio(typical[-1] - mean, 1.5 * spread, neutral=0.0)


def ages(highs: Sequence[Number], lows: Sequence[Number]) -> Number:
    """Return how much more recent the high is than the low (Chande's Aroon oscillator by 100).

    From -1 to 1; of equal highs or lows the latest counts.
    """
    since_low = arithmetic.recency([-low for low in lows])
    return (since_low - arithmetic.recency(highs)) / (len(highs) - 1)


def money_flow(typical: Sequence[Number], volumes: Sequence[Number]) -> Number:
    """Return the share of turnover that came on a rise (money flow index, from 0 to 1).

    `typical` begins one bar before `volumes`. Half where nothing moved or traded.
    """
    rises = [now - then for then, now in pairwise(typical)]
    money = [now * volume for now, volume in zip(typical[1:], volumes, strict=True)]
    moved = arithmetic.kept(money, list(map(abs, rises)))
    return ratio(total(arithmetic.kept(money, rises)), total(moved), neutral=0.5)


def slope(values: Sequence[Number]) -> Number:
    """Return the slope of the least squares line through the values, a step."""
    middle = (len(values) - 1) / 2
    weighed = total([(n - middle) * value for n, value in enumerate(values)])
    return weighed / math.fsum([(n - middle) ** 2 for n in range(len(values))])


def downside(returns: Sequence[Number]) -> Number:
    """Return the share of squared returns that fell (from 0 to 1); half where nothing moved."""
    squares = [x * x for x in returns]
    fell = arithmetic.kept(squares, [-x for x in returns])
    return ratio(total(fell), total(squares), neutral=0.5)


def reach(spans: Sequence[Number]) -> Number:
    """Return the volatility a bar from the logs of high by low (Parkinson 1980)."""
    return root(total([x * x for x in spans]) / (4 * math.log(2) * len(spans)))


def correlation(xs: Sequence[Number], ys: Sequence[Number]) -> Number:
    """Return Pearson's correlation, from -1 to 1; zero where one of them does not move."""
    x_mean, y_mean = total(xs) / len(xs), total(ys) / len(ys)
    xs, ys = [x - x_mean for x in xs], [y - y_mean for y in ys]
    spread = root(total([x * x for x in xs]) * total([y * y for y in ys]))
    return ratio(total([x * y for x, y in zip(xs, ys, strict=True)]), spread, neutral=0.0)


def flow(bought: Sequence[Number], volumes: Sequence[Number]) -> Number:
    """Return what came to buy minus what came to sell, by all volume; zero without any."""
    volume = total(volumes)
    return ratio(2 * total(bought) - volume, volume, neutral=0.0)


def sizes(volumes: Sequence[Number], counts: Sequence[Number], short: int) -> Number:
    """Return the log of the mean trade of the last few bars by that of all; else zero."""
    recent = ratio(total(volumes[-short:]), total(counts[-short:]), neutral=0.0)
    usual = ratio(total(volumes), total(counts), neutral=0.0)
    both = (recent > 0) & (usual > 0)
    return arithmetic.log_where(
        both, arithmetic.pick(both, recent, 1.0) / arithmetic.pick(both, usual, 1.0)
    )
