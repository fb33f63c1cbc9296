"""Which rows may teach and which may examine: purged walk-forward and one hold-out.

A row is used from the moment it is decided until its outcome is known. No row teaches whose
outcome lies within the embargo of, or after, the first moment of the rows that examine.
Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Positions of the rows that teach and of those that examine."""

    train: Rows
    test: Rows


def hold_out(table: pd.DataFrame, *, share: float, embargo: timedelta) -> Split:
    """Set the last rows aside for one final examination.

    Args:
        table: Labelled rows in order of time, with `decided` and `ended`.
        share: The fraction of rows to set aside.
        embargo: The least time between a teaching outcome and the examination.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share held out must lie between 0 and 1, not {share}")
    first = round(len(table) * (1 - share))
    return _split(table, first, len(table), embargo)


def walk_forward(table: pd.DataFrame, *, folds: int, embargo: timedelta) -> list[Split]:
    """Examine consecutive blocks of time, each by a model taught on all that came before.

    The rows are cut into `folds + 1` equal blocks, of which the first only teaches.

    Args:
        table: Labelled rows in order of time, with `decided` and `ended`.
        folds: How many blocks examine.
        embargo: The least time between a teaching outcome and the examination.
    """
    if folds < 1 or len(table) < folds + 1:
        raise ValueError(f"{len(table)} rows cannot be cut into {folds} folds")
    edges = np.linspace(0, len(table), folds + 2).round().astype(int)
    return [_split(table, int(first), int(end), embargo) for first, end in pairwise(edges[1:])]


def _split(table: pd.DataFrame, first: int, end: int, embargo: timedelta) -> Split:
    opens = table["decided"].iloc[first]
    known = (table["ended"].iloc[:first] + embargo <= opens).to_numpy()
    return Split(train=np.flatnonzero(known), test=np.arange(first, end))
