"""Whether features see what comes later, and whether what examines was taught.

A feature is asked the same question twice: with the bars that came later and without them,
or with them in another order. Its answers for the bars before must not differ by a bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from registry.splits import Split

    Compute = Callable[[pd.DataFrame], pd.DataFrame]

# So many bars hold every window of the features twice over, and are quickly computed.
STRETCH = 500
CUTS = 3


def looking_ahead(compute: Compute, bars: pd.DataFrame, *, seed: int = 0) -> tuple[str, ...]:
    """Return the features whose past values depend on later bars; every clean one is left out.

    Each cut is tried twice: the later bars are taken away (truncation), and put into another
    order (permutation), for features that read a fixed number of them. A feature that never
    had a value before a cut cannot be shown to be clean, and so is returned, too.

    Args:
        compute: Bars to features, one row a bar on the same index.
        bars: Bars in order of time, of which the last STRETCH are examined, or more if holes
            keep a feature from having a value among them.
        seed: What the cuts and the other orders are drawn from.
    """
    bars, whole = _telling(compute, bars, STRETCH)
    names = [str(name) for name in whole.columns]
    caught, seen = set[str](), set[str]()
    for cut, changed in _changes(bars, np.random.default_rng(seed)):
        before = whole.iloc[:cut]
        again = compute(changed).reindex(columns=whole.columns).iloc[:cut]
        seen |= {name for name in names if before[name].notna().any()}
        caught |= {name for name in names if not _same(before[name], again[name])}
    return tuple(name for name in names if name in caught or name not in seen)


def meeting(table: pd.DataFrame, split: Split) -> int:
    """Return how many rows that teach share a moment of their life with one that examines.

    Args:
        table: Labelled rows with `decided` and `ended`.
        split: Which rows teach and which examine, in whatever order.
    """
    begin = table["decided"].to_numpy()
    end = table["ended"].to_numpy()
    order = np.argsort(begin[split.test])
    opens, closes = begin[split.test][order], np.maximum.accumulate(end[split.test][order])
    # Of the examining rows that begin before a teaching one ends, does the last end after
    # the teaching one has begun?
    known = np.searchsorted(opens, end[split.train], side="left")
    latest = closes[np.maximum(known - 1, 0)]
    return int(((known > 0) & (latest > begin[split.train])).sum())


def _telling(compute: Compute, bars: pd.DataFrame, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    stretch = bars.iloc[-size:]
    whole = compute(stretch)
    told = whole.iloc[: len(stretch) // 2].notna().any().all()
    if told or size >= len(bars):
        return stretch, whole
    return _telling(compute, bars, 2 * size)


def _changes(bars: pd.DataFrame, random: np.random.Generator) -> Iterator[tuple[int, pd.DataFrame]]:
    # Both orders of the later bars need at least two of them.
    for cut in random.integers(len(bars) // 2, len(bars) - 1, size=CUTS):
        yield int(cut), bars.iloc[:cut]
        later = random.permutation(np.arange(cut, len(bars)))
        moved = bars.copy()
        moved.iloc[cut:] = bars.iloc[later].to_numpy()
        yield int(cut), moved


def _same(one: pd.Series, other: pd.Series) -> bool:
    left: NDArray[np.float64] = one.to_numpy(dtype=np.float64)
    return np.array_equal(left, other.to_numpy(dtype=np.float64), equal_nan=True)
