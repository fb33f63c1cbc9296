"""A backtest's curves as PNG; no display is needed."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from ops.backtesting.figures import Calibration
    from ops.backtesting.paper import Outcome

WIDE, SQUARE = (9.5, 2.8), (5.5, 4.5)
# More points than this cannot be told apart on a page.
POINTS = 4_000


def draw(
    outcome: Outcome, ends: pd.DatetimeIndex, cash: float, calibration: Calibration | None
) -> dict[str, bytes]:
    """Draw equity, drawdown, exposure and calibration, by title."""
    equity, held = np.array(outcome.equity), np.array(outcome.held)
    peak = np.maximum.accumulate(np.maximum(equity, cash))
    shown = np.unique(np.linspace(0, len(ends) - 1, min(POINTS, len(ends))).astype(int))
    times = ends[shown]
    pictures = {
        "Equity": _curve(times, equity[shown], "equity", line=cash),
        "Drawdown": _curve(times, -(100 * (1 - equity / peak))[shown], "below the peak, %", line=0),
        "Exposure": _curve(times, (100 * held / equity)[shown], "of the equity, %", line=0),
    }
    if calibration is not None:
        pictures["Calibration"] = _calibration(calibration)
    return pictures


def _curve(
    times: pd.DatetimeIndex, values: NDArray[np.float64], label: str, *, line: float
) -> bytes:
    figure, axes = _axes(WIDE, "time (UTC)", label)
    axes.plot(times, values, linewidth=1)
    axes.axhline(line, color="grey", linewidth=1)
    figure.autofmt_xdate()
    return _png(figure)


def _calibration(found: Calibration) -> bytes:
    figure, axes = _axes(SQUARE, "mean probability of a bin", "share of rises beyond cost")
    said, seen = [said for said, _, _ in found.bins], [seen for _, seen, _ in found.bins]
    top = max(*said, *seen) * 1.1
    axes.plot([0, top], [0, top], color="grey", linewidth=1, linestyle="--")
    axes.plot(said, seen, marker="o")
    return _png(figure)


def _axes(size: tuple[float, float], x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
