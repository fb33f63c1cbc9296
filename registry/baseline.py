"""A plain rival for the boosted trees: a logistic regression on steps, written down as trees.

Every feature is cut at its quantiles, and each cut is a column that says whether the value
reaches it. What scikit-learn fits on those columns is a sum of one step function a feature, and
so it is exactly an ensemble of one small tree a feature: it is served as any other booster, as
data. (A booster of XGBoost's own linear kind cannot be asked for one row in place.)
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xgboost as xgb
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]

# Eighths told more than quarters on markets with a pattern, and cost less than sixteenths.
PIECES = 8
STRENGTHS = (0.001, 0.01, 0.1)
NO_PARENT = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A sum of step functions: `heights[f][k]` is added where feature f has reached k of its edges.

    Edges ascend; a feature that never changed has none, and adds the same to every row.
    """

    edges: tuple[Rows, ...]
    heights: tuple[Floats, ...]
    intercept: float

    def margins(self, rows: Rows) -> Floats:
        """Return each row's log odds."""
        total = np.full(len(rows), self.intercept)
        for feature, (edges, heights) in enumerate(zip(self.edges, self.heights, strict=True)):
            total += heights[np.searchsorted(edges, rows[:, feature], side="right")]
        return total


class _Node(NamedTuple):
    # A leaf's piece is its own; that of another node is the first one to its right.
    parent: int
    left: int
    right: int
    piece: int

    @property
    def is_leaf(self) -> bool:
        return self.left < 0


def cut(rows: Rows) -> tuple[Rows, ...]:
    """Return where each feature's steps are: at its quantiles, each once."""
    shares = np.linspace(0, 1, PIECES + 1)[1:-1]
    quantiles = np.quantile(rows, shares, axis=0, method="higher")
    least = rows.min(axis=0)
    return tuple(
        np.unique(column[column > low]) for column, low in zip(quantiles.T, least, strict=True)
    )


def fit(
    rows: Rows,
    y: NDArray[np.integer],
    weight: Floats | None,
    *,
    edges: tuple[Rows, ...],
    strength: float,
) -> Steps:
    """Fit the heights at one strength; see `fit_all`."""
    return fit_all(rows, y, weight, edges=edges, strengths=(strength,))[strength]


def fit_all(
    rows: Rows,
    y: NDArray[np.integer],
    weight: Floats | None,
    *,
    edges: tuple[Rows, ...],
    strengths: Sequence[float],
) -> dict[float, Steps]:
    """Fit the heights at every strength; the smaller it is, the flatter the steps.

    Args:
        rows: Features, one row a label, without missing values.
        y: Labels of 0 and 1, both among them.
        weight: How much each row counts, if they differ.
        edges: What `cut` returns.
        strengths: The inverses of the penalty on the squares of the steps, best in order: each
            fit begins where the one before ended.
    """
    reached = np.concatenate(
        [rows[:, n, None] >= cuts for n, cuts in enumerate(edges)], axis=1, dtype=np.float32
    )
    model = LogisticRegression(solver="newton-cholesky", tol=1e-3, warm_start=True)
    fitted = {}
    for strength in strengths:
        model.set_params(C=strength).fit(reached, y, sample_weight=weight)
        fitted[strength] = _steps(edges, model)
    return fitted


def to_booster(steps: Steps, rows: Rows) -> xgb.Booster:
    """Write the step functions down as a booster that scores as they do.

    A missing value scores as one in the middle does. A tree's gain is the variance, over the
    rows given, of what it adds.
    """
    chosen = [n for n, cuts in enumerate(steps.edges) if len(cuts)]
    # The format's frame comes from the library that will read it.
    frame = xgb.train(
        {"objective": "binary:logistic", "base_score": 0.5, "nthread": 1},
        xgb.DMatrix(rows[:2], np.array([0, 1]), nthread=1),
        1,
    )
    content = json.loads(frame.save_raw("json"))
    model = content["learner"]["gradient_booster"]["model"]
    model["trees"] = [_tree(steps, feature, number, rows) for number, feature in enumerate(chosen)]
    model["tree_info"] = [0] * len(chosen)
    model["iteration_indptr"] = list(range(len(chosen) + 1))
    model["gbtree_model_param"]["num_trees"] = str(len(chosen))
    booster = xgb.Booster(model_file=bytearray(json.dumps(content).encode()))
    booster.set_param({"nthread": 1})
    return booster


def _steps(edges: tuple[Rows, ...], model: LogisticRegression) -> Steps:
    ends = np.cumsum([len(cuts) for cuts in edges])[:-1]
    parts = np.split(model.coef_[0].astype(np.float64), ends)
    return Steps(
        edges=edges,
        heights=tuple(np.concatenate([[0.0], np.cumsum(part)]) for part in parts),
        intercept=float(model.intercept_[0]),
    )


def _tree(steps: Steps, feature: int, number: int, rows: Rows) -> dict[str, Any]:
    edges, heights = steps.edges[feature], steps.heights[feature]
    added = heights[np.searchsorted(edges, rows[:, feature], side="right")]
    # The intercept has no tree of its own: the first one carries it.
    leaves = heights + (steps.intercept if number == 0 else 0.0)
    nodes = _nodes(len(leaves))
    values = [float(leaves[n.piece] if n.is_leaf else edges[n.piece - 1]) for n in nodes]
    middle, count = len(leaves) // 2, len(nodes)
    return {
        "id": number,
        "parents": [node.parent for node in nodes],
        "left_children": [node.left for node in nodes],
        "right_children": [node.right for node in nodes],
        "split_conditions": values,
        "split_indices": [0 if node.is_leaf else feature for node in nodes],
        "split_type": [0] * count,
        "default_left": [int(not node.is_leaf and middle < node.piece) for node in nodes],
        "base_weights": values,
        "loss_changes": [float(added.var())] + [0.0] * (count - 1),
        "sum_hessian": [0.0] * count,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(rows.shape[1]),
            "num_nodes": str(count),
            "size_leaf_vector": "1",
        },
    }


def _nodes(pieces: int) -> list[_Node]:
    # Level by level, so that a right child is numbered next to its left one: XGBoost looks for it
    # there when it is asked for a single row, and believes `right_children` only for more.
    nodes: list[_Node] = []
    waiting, free = deque([(0, pieces, NO_PARENT)]), 1
    while waiting:
        first, end, parent = waiting.popleft()
        if end - first == 1:
            nodes.append(_Node(parent, -1, -1, first))
            continue
        middle, own = (first + end) // 2, len(nodes)
        nodes.append(_Node(parent, free, free + 1, middle))
        waiting.extend([(first, middle, own), (middle, end, own)])
        free += 2
    return nodes
