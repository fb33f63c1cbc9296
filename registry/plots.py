"""Pictures of the evidence, as PNG; no display is needed."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from registry.evaluation import reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from registry.retraining import Candidate

SIZE = (7, 4.5)
MOST_BARS = 20


def draw(candidate: Candidate) -> dict[str, bytes]:
    """Draw reliability, hold-out equity and feature importance, by file name."""
    return {
        "reliability.png": _png(_reliability(candidate)),
        "hold_out_equity.png": _png(_equity(candidate)),
        "feature_importance.png": _png(_importance(candidate)),
    }


def _reliability(candidate: Candidate) -> Figure:
    held = candidate.hold_out
    bins = reliability(held.probability, held.table["y"].to_numpy())
    figure, axes = _axes(
        f"{candidate.contract.symbol}: said against seen, on the hold-out",
        "mean probability of a bin",
        "share of rises beyond cost",
    )
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    axes.plot([said for said, _, _ in bins], [seen for _, seen, _ in bins], marker="o")
    return figure


def _equity(candidate: Candidate) -> Figure:
    held = candidate.hold_out
    times = held.table["decided"].iloc[held.trading.left]
    figure, axes = _axes(
        f"{candidate.contract.symbol}: {len(held.trading.net)} trades on the hold-out",
        "time (UTC)",
        "sum of net returns, %",
    )
    axes.step(times, 100 * np.cumsum(held.trading.net), where="post")
    axes.axhline(0, color="grey", linewidth=1)
    figure.autofmt_xdate()
    return figure


def _importance(candidate: Candidate) -> Figure:
    chosen = sorted(candidate.importance.items(), key=lambda item: item[1])[-MOST_BARS:]
    figure, axes = _axes(f"{candidate.contract.symbol}: features", "share of total gain", "")
    axes.barh([name for name, _ in chosen], [share for _, share in chosen])
    return figure


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
