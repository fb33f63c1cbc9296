"""Draw the pictures behind a drift check with Evidently, the only module that knows it.

The report decides nothing: Evidently's own thresholds mark most columns of ordinary market
data. Its method is set, and each column's threshold comes from the column's history.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from drift.distributions import usual_distance
from drift.errors import ReportRefused

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

FEWEST_ROWS = 10
MOST_ROWS = 5_000
"""Reference rows drawn; more make the page larger and no clearer."""

NARROWEST = 0.001
"""Evidently divides a distance by the reference's deviation, or by this if it is larger."""


def draw(reference: pd.DataFrame, current: pd.DataFrame, path: Path) -> list[str]:
    """Write a self-contained page on every column that both windows hold values of.

    Args:
        reference: Float columns, oldest row first.
        current: The same columns, later rows.
        path: Where the HTML goes.

    Returns:
        The columns drawn.

    Raises:
        ReportRefused: No column has enough values in both windows.
    """
    drawn = reference.iloc[:: max(1, len(reference) // MOST_ROWS)]
    columns = [str(name) for name in reference if _drawable(drawn[name], current[name])]
    if not columns:
        raise ReportRefused(
            f"no column has {FEWEST_ROWS} values that vary, in {len(reference)} rows of "
            f"reference and {len(current)} of the window"
        )
    limits = {name: _limit(reference[name], len(current)) for name in columns}
    os.environ["DO_NOT_TRACK"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's imports and divisions, not ours
        _write(drawn[columns], current[columns], limits, path)
    return columns


def _write(
    reference: pd.DataFrame, current: pd.DataFrame, limits: dict[str, float], path: Path
) -> None:
    # Imported here: it takes seconds and 280 MiB.
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - six seconds
    from evidently.presets import DataDriftPreset  # noqa: PLC0415 - six seconds

    columns = list(limits)
    definition = DataDefinition(numerical_columns=columns)
    preset = DataDriftPreset(
        columns=columns, num_method="wasserstein", per_column_threshold=limits, drift_share=0.5
    )
    snapshot = Report([preset], include_tests=True).run(
        Dataset.from_pandas(current.reset_index(drop=True), data_definition=definition),
        Dataset.from_pandas(reference.reset_index(drop=True), data_definition=definition),
    )
    snapshot.save_html(str(path))


def _drawable(reference: pd.Series[float], current: pd.Series[float]) -> bool:
    enough = min(reference.notna().sum(), current.notna().sum()) >= FEWEST_ROWS
    return bool(enough and reference.min() < reference.max())


def _limit(reference: pd.Series[float], length: int) -> float:
    values: NDArray[np.float64] = np.asarray(reference, dtype=np.float64)
    spread = float(np.nanstd(values))
    return usual_distance(values, length) * min(1.0, spread / NARROWEST)
