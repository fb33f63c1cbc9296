"""How much of its own a label tells, when it shares its time with others.

Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Instants = NDArray[np.int64]


def uniqueness(begin: Instants, end: Instants) -> Floats:
    """Return every label's average uniqueness: the mean of 1/c over its life [begin, end).

    c is the number of labels that live at an instant. Labels that never meet another have 1.

    Args:
        begin: When each label's life begins, in any whole unit, ascending.
        end: The first instant after it, later than `begin`.

    Raises:
        ValueError: A label ends before it has begun.
    """
    if (end <= begin).any():
        raise ValueError("a label must end after it begins")
    edges = np.unique(np.concatenate([begin, end]))
    first, last = np.searchsorted(edges, begin), np.searchsorted(edges, end)
    changes = np.zeros(len(edges), dtype=np.int64)
    np.add.at(changes, first, 1)
    np.add.at(changes, last, -1)
    living = np.cumsum(changes)[:-1]
    lengths = np.diff(edges)
    shares = np.divide(lengths, living, out=np.zeros(len(lengths)), where=living > 0)
    total = np.concatenate([[0.0], np.cumsum(shares)])
    return np.asarray((total[last] - total[first]) / (end - begin), dtype=np.float64)


def next_draw(begin: Instants, end: Instants, drawn: list[int]) -> Floats:
    """Return each label's probability of being drawn next, after those already drawn.

    The more of its time is free of drawn labels, the likelier (snippet 4.5.3, the sequential
    bootstrap).
    """
    averages = [uniqueness_beside(begin, end, drawn, candidate=n) for n in range(len(begin))]
    weights = np.array(averages)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def uniqueness_beside(begin: Instants, end: Instants, drawn: list[int], *, candidate: int) -> float:
    """Return a label's average uniqueness among the labels drawn before it."""
    instants = np.arange(begin[candidate], end[candidate])
    living = np.ones(len(instants))
    for n in drawn:
        living += (begin[n] <= instants) & (instants < end[n])
    return float(np.mean(1 / living))


def effective(weights: Floats) -> float:
    """Return how many labels that share nothing these are worth: the sum of uniqueness."""
    return float(weights.sum())
