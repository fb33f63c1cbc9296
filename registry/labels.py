"""What the model is asked: does the price rise by more than a round trip costs.

A label uses the exact bar `horizon` later; where that bar is missing there is no label.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from datetime import timedelta


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
    if horizon < 1 or not math.isfinite(cost) or cost < 0:
        raise ValueError(f"expected a horizon of 1 or more and a cost, not {horizon} and {cost}")
    if not close.index.is_monotonic_increasing or not close.index.is_unique:
        raise ValueError("the bars must be in order of time, each once")
    starts = pd.DatetimeIndex(close.index)
    later = close.reindex(starts + horizon * interval).to_numpy()
    table = pd.DataFrame({"forward_return": later / close.to_numpy() - 1}, index=starts)
    table["decided"] = starts + interval
    table["ended"] = starts + (horizon + 1) * interval
    table = table[table["forward_return"].notna()]
    table.insert(1, "y", (table["forward_return"] > cost).astype("int8"))
    return table
