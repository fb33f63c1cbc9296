"""What it takes a fresh process to make a model ready: `python -m ops.bench.loading HOW FILE`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1 << 20


def measure(how: str, model: Path) -> tuple[float, float]:
    """Load a model in a process of its own and score one row.

    Args:
        how: "xgboost", or "onnxruntime".
        model: The file to load, in the format of that library.

    Returns:
        Seconds from the library's import to the first score, and MiB of resident memory that
        this added to a process with numpy, shared libraries included.
    """
    told = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "ops.bench.loading", how, str(model)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    seconds, mebibytes = json.loads(told.stdout)
    return float(seconds), float(mebibytes)


def _xgboost(content: bytes) -> None:
    # As the trader does; XGBoost would import both.
    for heavy in ("sklearn", "pandas"):
        sys.modules[heavy] = None  # type: ignore[assignment] # None is how Python blocks an import
    import xgboost as xgb  # noqa: PLC0415 - its import is what is measured

    booster = xgb.Booster(model_file=bytearray(content))
    booster.set_param({"nthread": 1})
    row = np.zeros((1, booster.num_features()), dtype=np.float32)
    booster.inplace_predict(row, predict_type="margin", validate_features=False)


def _onnxruntime(content: bytes) -> None:
    from ops.bench import onnx_rival  # noqa: PLC0415 - its import is what is measured

    session = onnx_rival.open_session(content)
    row = np.zeros((1, session.get_inputs()[0].shape[1]), dtype=np.float32)
    session.run([onnx_rival.MARGINS], {onnx_rival.ROWS: row})


HOW: dict[str, Callable[[bytes], None]] = {"xgboost": _xgboost, "onnxruntime": _onnxruntime}


def _tell(how: str, model: Path) -> str:
    content, process = model.read_bytes(), psutil.Process()
    before, began = process.memory_info().rss, time.perf_counter()
    HOW[how](content)
    seconds = time.perf_counter() - began
    return json.dumps([seconds, (process.memory_info().rss - before) / MEBIBYTE])


if __name__ == "__main__":
    print(_tell(sys.argv[1], Path(sys.argv[2])))  # noqa: T201 - the answer to who started it
