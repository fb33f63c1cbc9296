"""ONNX Runtime in XGBoost's place: the same trees converted, and scored one row at a time.

Needs the dependency group `onnx`, which is for this comparison alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xgboost as xgb
    from numpy.typing import NDArray

ROWS, MARGINS = "rows", "probabilities"


@dataclass(frozen=True, slots=True)
class Session:
    """A session of ONNX Runtime that is asked as `registry.served` asks boosters and trees."""

    session: Any

    def margin(self, row: NDArray[np.float64]) -> float:
        """Return the margin of one row of features, shape (n,); NaN means missing."""
        return float(self.inplace_predict(row.astype(np.float32).reshape(1, -1))[0])

    def inplace_predict(self, rows: NDArray[np.float32], **_: object) -> NDArray[np.float32]:
        """Return the margin of each row.

        Args:
            rows: The features, shape (n, m); NaN means missing.
        """
        margins: NDArray[np.float32] = self.session.run([MARGINS], {ROWS: rows})[0][:, 1]
        return margins


def installed() -> bool:
    """Tell whether the comparison can be made here."""
    return all(find_spec(name) is not None for name in ("onnxruntime", "onnxmltools"))


def convert(booster: xgb.Booster) -> bytes:
    """Write the trees down in ONNX, with margins as their answer."""
    from onnxmltools.convert import convert_xgboost  # noqa: PLC0415 - no dependency of ours
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415 - same

    shape = [None, booster.num_features()]
    graph = convert_xgboost(booster, initial_types=[(ROWS, FloatTensorType(shape))])
    for attribute in graph.graph.node[0].attribute:
        if attribute.name == "post_transform":
            attribute.s = b"NONE"
    content: bytes = graph.SerializeToString()
    return content


def open_session(content: bytes) -> Any:
    """Make the converted trees ready in one thread."""
    import onnxruntime  # noqa: PLC0415 - no dependency of ours

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
