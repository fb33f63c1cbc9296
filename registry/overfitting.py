"""How much of a result is owed to having tried often, and how long a record must be.

Sharpe ratios are per period and never annualised, unless a name says so; kurtosis is raw
(normal = 3). Nothing here reads a clock or draws a random number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import e, inf, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EULER = 0.5772156649015329
# A spread of Sharpe ratios needs two, and so does a deviation.
AT_LEAST_TWO = 2
# Less is rounding: no block of returns is that even.
NO_VARIANCE = 1e-18


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfitting:
    """What the best half-record choices did on the other halves.

    `probability` is the share of splits in which the best in-sample configuration came out
    at or below the median of the others; `loss` the share in which its Sharpe ratio out of
    sample was negative. `chosen` and `later` are those Sharpe ratios in and out of sample.
    """

    probability: float
    loss: float
    chosen: Floats
    later: Floats

    @property
    def slope(self) -> float:
        """The slope of the later Sharpe ratio on the chosen one; overfitting makes it fall."""
        spread = float(np.var(self.chosen))
        if spread == 0:
            return 0.0
        return float(np.cov(self.chosen, self.later, ddof=0)[0, 1]) / spread


def probabilistic_sharpe(
    sharpe: float, benchmark: float, *, periods: int, skewness: float, kurtosis: float
) -> float:
    """Return the probability that the true Sharpe ratio exceeds the benchmark.

    Source: Bailey and Lopez de Prado (2012), The Sharpe ratio efficient frontier.

    Examples:
        >>> round(probabilistic_sharpe(0.458, 0, periods=24, skewness=-2.448, kurtosis=10.164), 3)
        0.913
    """
    variance = _variance(sharpe, skewness, kurtosis)
    return float(stats.norm.cdf((sharpe - benchmark) * sqrt((periods - 1) / variance)))


def expected_best(trials: float) -> float:
    """Return the expected maximum of so many independent standard normal numbers, nearly.

    Source: Bailey and Lopez de Prado (2014), The deflated Sharpe ratio, equation 6.

    Examples:
        >>> round(expected_best(10), 4)
        1.5746
    """
    if trials < AT_LEAST_TWO:
        return 0.0
    first, second = stats.norm.ppf([1 - 1 / trials, 1 - 1 / (trials * e)])
    return float((1 - EULER) * first + EULER * second)


def spread_of_trials(complete: Sequence[float], given_up: Sequence[float]) -> float:
    """Return the standard deviation of Sharpe ratios, of all trials or of the complete, the larger.

    One given up early has the ratio of a shorter time, whose error is wider, or one of exactly
    zero for want of a trade; no mixture of the two may make the spread look narrow.
    """
    return max(_deviation(complete), _deviation([*complete, *given_up]))


def deflated_sharpe(blocks: Floats, *, trials: float, spread: float) -> float:
    """Return the probability that the best of so many trials has any edge at all.

    Source: Bailey and Lopez de Prado (2014), The deflated Sharpe ratio.

    Args:
        blocks: The chosen trial's net return of every block.
        trials: How many were tried, the failed ones too.
        spread: The standard deviation of the trials' Sharpe ratios.
    """
    deviation = float(blocks.std(ddof=1)) if len(blocks) >= AT_LEAST_TWO else 0.0
    if deviation == 0:
        return 0.0
    return probabilistic_sharpe(
        float(blocks.mean()) / deviation,
        spread * expected_best(trials),
        periods=len(blocks),
        skewness=float(stats.skew(blocks)),
        kurtosis=float(stats.kurtosis(blocks, fisher=False)),
    )


def independent_trials(trials: int, correlation: float) -> float:
    """Return how many independent trials so many correlated ones are worth.

    Source: Lopez de Prado and Lewis (2019), Detection of false investment strategies.

    Args:
        trials: How many were made.
        correlation: The mean correlation of their returns, pair by pair; below 0 counts as 0.
    """
    shared = min(max(correlation, 0.0), 1.0)
    return shared + (1 - shared) * trials


def shortest_record(
    sharpe: float,
    benchmark: float,
    *,
    skewness: float,
    kurtosis: float,
    confidence: float = 0.95,
) -> float:
    """Return how many periods it takes to believe that the Sharpe ratio beats the benchmark.

    Infinite where it does not beat it.
    Source: Bailey and Lopez de Prado (2012), minimum track record length, equation 13.
    """
    if sharpe <= benchmark:
        return inf
    variance = _variance(sharpe, skewness, kurtosis)
    return float(1 + variance * (stats.norm.ppf(confidence) / (sharpe - benchmark)) ** 2)


def shortest_backtest(trials: int, annual_sharpe: float) -> float:
    """Return the years below which the best of so many idle trials shows this Sharpe ratio.

    Source: Bailey, Borwein, Lopez de Prado and Zhu (2014), Pseudo-mathematics and financial
    charlatanism, theorem 1.
    """
    return float((expected_best(trials) / annual_sharpe) ** 2)


def overfitting(returns: Floats, *, parts: int, risk_free: float = 0.0) -> Overfitting:
    """Choose by every half of the record and see what the choice does on the other half.

    On one record of pure noise the probability scatters around one half with a deviation of
    0.2, so it is a warning and no more.
    Source: Bailey, Borwein, Lopez de Prado and Zhu (2017), The probability of backtest
    overfitting: combinatorially symmetric cross-validation.

    Args:
        returns: One column a configuration, one row a period, shape (T, N), N at least 2.
        parts: How many consecutive parts the record is cut into; even.
        risk_free: What is taken off every period's return.

    Raises:
        ValueError: The parts are odd in number, or more than half the periods.
    """
    rows, columns = returns.shape
    if parts % 2 or parts < AT_LEAST_TWO or rows < 2 * parts or columns < AT_LEAST_TWO:
        raise ValueError(
            f"expected an even number of parts of at least two periods and two columns, not "
            f"{parts} parts of {rows} periods and {columns} columns"
        )
    inside = np.array(
        [
            [part in chosen for part in range(parts)]
            for chosen in combinations(range(parts), parts // 2)
        ]
    )
    pieces = np.array_split(returns - risk_free, parts)
    first, second = _sharpes(pieces, inside), _sharpes(pieces, ~inside)
    split, best = np.arange(len(inside)), np.argmax(first, axis=1)
    later = second[split, best]
    worse = (second < later[:, None]).sum(axis=1)
    level = (second == later[:, None]).sum(axis=1)
    ranks = (worse + (level + 1) / 2) / (columns + 1)
    return Overfitting(
        # The log odds of a rank are at most zero where the rank is at most one half.
        probability=float(np.mean(ranks <= 1 / 2)),
        loss=float(np.mean(later < 0)),
        chosen=first[split, best],
        later=later,
    )


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) >= AT_LEAST_TWO else 0.0


def _variance(sharpe: float, skewness: float, kurtosis: float) -> float:
    return 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2


def _sharpes(pieces: list[Floats], chosen: NDArray[np.bool_]) -> Floats:
    """Return Sharpe ratios, one row a choice of pieces and one column a configuration."""
    weights = chosen.astype(np.float64)
    count = (weights @ [len(piece) for piece in pieces])[:, None]
    mean = weights @ np.array([piece.sum(axis=0) for piece in pieces]) / count
    square = weights @ np.array([(piece**2).sum(axis=0) for piece in pieces])
    variance = (square - count * mean**2) / (count - 1)
    ratios = np.zeros(mean.shape)
    # A configuration that never trades has no deviation, and a Sharpe ratio of zero.
    np.divide(mean, np.sqrt(np.maximum(variance, 0)), out=ratios, where=variance > NO_VARIANCE)
    return ratios
