"""What the model is asked: does the price rise by more than a round trip costs.

A label uses the exact bar `horizon` later, or every bar until then if barriers may end it
sooner; where a bar that it needs is missing there is no label.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

# The weight of the volatility's last value after each bar: half is forgotten in 69 bars.
MEMORY = 0.99
# Bars before a volatility is believed.
WARM_UP = 60


def label(close: pd.Series, *, interval: timedelta, horizon: int, cost: float) -> pd.DataFrame:
    """Label every bar whose outcome is known.

    A return equal to the cost, or of zero, is no gain: its label is 0.

    Args:
        close: Closing prices, indexed by the start of their bar (UTC, increasing).
        interval: The length of a bar.
        horizon: How many bars ahead the outcome lies.
        cost: The round trip, as a fraction of the price.

    Returns:
        One row a labelled bar: `forward_return` (float), `y` (0 or 1), `decided` and `ended`
        (the closing instants of the bar and of the bar `horizon` later).

    Raises:
        ValueError: The horizon, the cost or the index is impossible.
    """
    _check(close, horizon, cost)
    starts = pd.DatetimeIndex(close.index)
    later = close.reindex(starts + horizon * interval).to_numpy()
    table = pd.DataFrame({"forward_return": later / close.to_numpy() - 1}, index=starts)
    table["decided"] = starts + interval
    table["ended"] = starts + (horizon + 1) * interval
    table = table[table["forward_return"].notna()]
    table.insert(1, "y", (table["forward_return"] > cost).astype("int8"))
    return table


def triple_barrier(
    close: pd.Series, *, interval: timedelta, horizon: int, cost: float, width: float
) -> pd.DataFrame:
    """Label every bar by where a position bought at its close would be closed.

    It is closed at the first close that is above the upper barrier (`width` volatilities of the
    horizon above the entry and the cost), below the lower one (as many below the entry), or
    else at the horizon. A return equal to the cost is no gain: its label is 0.
    Source: Lopez de Prado, Advances in Financial Machine Learning (2018), section 3.4.

    Args:
        close: Closing prices, indexed by the start of their bar (UTC, increasing).
        interval: The length of a bar.
        horizon: How many bars ahead the last barrier lies.
        cost: The round trip, as a fraction of the price.
        width: The barriers' distance, in volatilities over the whole horizon; each bar's is
            that of the bars before, exponentially weighted.

    Returns:
        As `label`; `forward_return` and `ended` are those of the close that ended it.

    Raises:
        ValueError: The horizon, the cost, the width or the index is impossible.
    """
    _check(close, horizon, cost)
    if not math.isfinite(width) or width <= 0:
        raise ValueError(f"expected barriers at some distance, not {width}")
    starts = pd.DatetimeIndex(close.index)
    entry = close.to_numpy(dtype=np.float64)
    ahead = [close.reindex(starts + k * interval).to_numpy() for k in range(1, horizon + 1)]
    returns = np.column_stack(ahead) / entry[:, None] - 1
    reach = width * math.sqrt(horizon) * _volatility(close)[:, None]
    touched = (returns >= cost + reach) | (returns <= -reach)
    touched[:, -1] = True
    last = touched.argmax(axis=1)
    ended = returns[np.arange(len(returns)), last]
    known = np.isfinite(np.where(np.arange(horizon) <= last[:, None], returns, 0.0)).all(axis=1)
    table = pd.DataFrame({"forward_return": ended, "y": (ended > cost).astype("int8")}, starts)
    table["decided"] = starts + interval
    table["ended"] = starts + interval + (last + 1) * pd.Timedelta(interval).to_timedelta64()
    return table[known & np.isfinite(reach[:, 0])]


def _volatility(close: pd.Series) -> NDArray[np.float64]:
    squares = np.log(close).diff() ** 2
    mean = squares.ewm(alpha=1 - MEMORY, min_periods=WARM_UP).mean()
    return np.asarray(np.sqrt(mean), dtype=np.float64)


def _check(close: pd.Series, horizon: int, cost: float) -> None:
    if horizon < 1 or not math.isfinite(cost) or cost < 0:
        raise ValueError(f"expected a horizon of 1 or more and a cost, not {horizon} and {cost}")
    if not close.index.is_monotonic_increasing or not close.index.is_unique:
        raise ValueError("the bars must be in order of time, each once")
