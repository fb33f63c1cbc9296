"""The trees of a booster, walked for one row at a time.

XGBoost is made for many rows: of one it takes its time to learn what it was given. Between two
bars a processor forgets all of that, and asked once a minute it takes several times as long as
in a loop. What is walked here are the same trees with the same sums, to the last bit.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from registry.errors import ArtifactRefused

if TYPE_CHECKING:
    import xgboost as xgb
    from numpy.typing import NDArray

# A leaf's value, or a feature's number, its threshold, whether a missing one goes left, and
# what is left and right of it.
Node: TypeAlias = "float | tuple[int, float, bool, Node, Node]"
SINGLE = struct.Struct("f")
LEAF = -1


class Trees:
    """A booster's trees, and what they say of a row."""

    def __init__(self, booster: xgb.Booster) -> None:
        """Copy the trees.

        Raises:
            ArtifactRefused: It is no booster of trees that foretell a single yes or no.
        """
        learner = json.loads(booster.save_raw("json"))["learner"]
        kind, aim = learner["gradient_booster"]["name"], learner["objective"]["name"]
        if (kind, aim) != ("gbtree", "binary:logistic"):
            raise ArtifactRefused(f"expected gbtree with binary:logistic, found {kind} with {aim}")
        trees = learner["gradient_booster"]["model"]["trees"]
        if any(any(tree["split_type"]) for tree in trees):
            raise ArtifactRefused("the model splits by categories, of which no feature has any")
        base = float(learner["learner_model_param"]["base_score"].strip("[]"))
        self._base = _logit(base)
        self._roots = [_grow(tree) for tree in trees]

    def margin(self, row: NDArray[np.float64]) -> float:
        """Return the raw margin of a row of features, shape (n,); NaN means missing."""
        values = row.astype(np.float32).tolist()
        total = self._base
        pack, unpack = SINGLE.pack, SINGLE.unpack
        for root in self._roots:
            node = root
            while isinstance(node, tuple):
                feature, threshold, missing_left, left, right = node
                value = values[feature]
                # Nothing is true of NaN, so that it is asked what is false where it goes left.
                goes_left = not value >= threshold if missing_left else value < threshold
                node = left if goes_left else right
            (total,) = unpack(pack(total + node))
        return total


def _logit(base: float) -> float:
    """Return the margin of a probability as XGBoost does, in single precision."""
    odds = np.float32(1) / np.float32(base) - np.float32(1)
    return -float(np.float32(math.log(odds)))


def _grow(tree: dict[str, Any]) -> Node:
    """Return the root of a tree in XGBoost's JSON, whose children come after their parents."""
    nodes: list[Node] = [0.0] * len(tree["left_children"])
    for number in reversed(range(len(nodes))):
        (condition,) = SINGLE.unpack(SINGLE.pack(tree["split_conditions"][number]))
        left, right = tree["left_children"][number], tree["right_children"][number]
        nodes[number] = (
            condition
            if left == LEAF
            else (
                tree["split_indices"][number],
                condition,
                bool(tree["default_left"][number]),
                nodes[left],
                nodes[right],
            )
        )
    return nodes[0]
