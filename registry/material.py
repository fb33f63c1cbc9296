"""What rows must have in them to teach and to examine; without it a retraining is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.errors import TrainingRefused

if TYPE_CHECKING:
    import pandas as pd

# What a hold-out lacks in one piece, as a share of its time; its blocks there would be idle ones.
WIDEST_HOLE = 0.1
FEWEST_OF_A_CLASS = 20


def check_classes(table: pd.DataFrame, what: str, *, fewest: int = FEWEST_OF_A_CLASS) -> None:
    """Refuse rows of which too few, or all but too few, rise beyond cost."""
    ones = int(table["y"].sum())
    if min(ones, len(table) - ones) < fewest:
        raise TrainingRefused(
            f"expected at least {fewest} rows of each label in {what}, found {ones} "
            f"rises beyond cost among {len(table)}"
        )


def check_hole(starts: pd.DatetimeIndex, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """Refuse a hold-out, from `first` to `last`, that lacks too much of its time in one piece."""
    held = starts[(starts >= first) & (starts <= last)]
    steps = held[1:] - held[:-1]
    if steps.max() > WIDEST_HOLE * (last - first):
        n = int(steps.argmax())
        raise TrainingRefused(
            f"the hold-out from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} has no bars "
            f"between {held[n]:%Y-%m-%d %H:%M} and {held[n + 1]:%Y-%m-%d %H:%M}; fill them first"
        )
