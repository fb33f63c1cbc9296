"""Which rows may teach and which may examine: purged walk-forward, one hold-out, all halves.

A row is used from the moment it is decided until its outcome is known. No row teaches whose
outcome lies within the embargo of, or after, the first moment of the rows that examine.
Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb
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


def combinatorial(
    table: pd.DataFrame, *, groups: int, tested: int, embargo: timedelta
) -> list[Split]:
    """Examine every choice of so many groups, each by what neither meets them nor follows soon.

    Every row is examined once on each of `paths(groups, tested)` ways through the history.
    Source: chapter 12, combinatorial purged cross-validation.

    Args:
        table: Labelled rows in order of time, with `decided` and `ended`.
        groups: Into how many consecutive groups the rows are cut.
        tested: How many of them examine at a time.
        embargo: How long after a tested group's last outcome no row may teach.
    """
    if not 0 < tested < groups or len(table) < groups:
        raise ValueError(f"{tested} of {groups} groups of {len(table)} rows cannot examine")
    edges = np.linspace(0, len(table), groups + 1).round().astype(int)
    pieces = [np.arange(first, end) for first, end in pairwise(edges)]
    free = [free_of(table, piece, embargo) for piece in pieces]
    return [
        Split(
            train=np.flatnonzero(np.logical_and.reduce([free[k] for k in chosen])),
            test=np.concatenate([pieces[k] for k in chosen]),
        )
        for chosen in combinations(range(groups), tested)
    ]


def paths(groups: int, tested: int) -> int:
    """Return how many whole histories the combinatorial examinations make up."""
    return comb(groups, tested) * tested // groups


def free_of(table: pd.DataFrame, piece: Rows, embargo: timedelta) -> NDArray[np.bool_]:
    """Tell of every row whether it neither meets consecutive other rows nor follows them soon.

    Args:
        table: Labelled rows in order of time, with `decided` and `ended`.
        piece: Positions of the consecutive rows.
        embargo: How long after their last outcome no row is free yet.
    """
    opens, closes = table["decided"].iloc[piece[0]], table["ended"].iloc[piece].max()
    before = (table["ended"] <= opens).to_numpy()
    after = (table["decided"] >= closes + embargo).to_numpy()
    return np.asarray(before | after)


def _split(table: pd.DataFrame, first: int, end: int, embargo: timedelta) -> Split:
    opens = table["decided"].iloc[first]
    known = (table["ended"].iloc[:first] + embargo <= opens).to_numpy()
    return Split(train=np.flatnonzero(known), test=np.arange(first, end))
