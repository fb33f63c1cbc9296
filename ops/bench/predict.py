"""How long one prediction takes: a row of features in, one calibrated probability out.

Where the dependency group `onnx` is installed, the same trees are also scored by ONNX Runtime.
"""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import xgboost as xgb

from market import features
from ops.bench import loading, onnx_rival
from ops.bench.figures import Figure
from ops.bench.teaching import MINUTE, market, serve, teach
from ops.bench.timing import milliseconds, percentile
from registry.served import TOLERANCE, Golden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ops.bench.figures import Plan
    from registry.retraining import Candidate
    from registry.served import ServedModel

DAYS, FEW_DAYS = 14, 6
TRIALS, FEW_TRIALS = 20, 2
PREDICTIONS, FEW = 50_000, 5_000
WARM = 200  # predictions that do not count
GOAL = 1.0  # ms
PAUSES, FEW_PAUSES = 500, 20
REST = 0.02  # seconds
ELSEWHERE = 4_000_000  # numbers of 8 bytes, more than a processor's caches hold
STARTS, FEW_STARTS = 9, 1
MISSING = 0.1  # the share of values taken away to compare how missing ones are scored


def measure(plan: Plan) -> list[Figure]:
    """Teach a model, load it as the trader does, and time its scores one by one."""
    bars = market(plan.seed + 1, FEW_DAYS if plan.quick else DAYS)
    rows = features.compute(bars, MINUTE)
    candidate = teach(bars, FEW_TRIALS if plan.quick else TRIALS)
    model = serve(candidate)
    table = rows.dropna().to_numpy(dtype=np.float64)
    count = plan.runs or (FEW if plan.quick else PREDICTIONS)
    scores, busy = _time(model.predict, table, count)

    def native(row: NDArray[np.float64]) -> object:
        return model.booster.inplace_predict(
            row.astype(np.float32).reshape(1, -1), predict_type="margin", validate_features=False
        )

    natives, _ = _time(native, table, count // 5)
    seldom = FEW_PAUSES if plan.quick else PAUSES
    rested, natives_rested = (
        _time(one, table, seldom, rest=REST)[0] for one in (model.predict, native)
    )
    how = (
        f"one row of {len(features.NAMES)} features at a time through registry.served, a model of "
        f"{model.booster.num_boosted_rounds()} trees taught, judged and loaded as in production"
    )
    by_onnx = "converted trees on the same rows, neither checked nor calibrated"
    by_xgboost = "its inplace_predict on the same rows, neither checked nor calibrated"
    pause = f"{1000 * REST:g} ms after the one before, in which other data fills the caches"
    found = [
        milliseconds("one prediction", scores, how, goal=GOAL),
        milliseconds("one prediction's time of a processor", busy, "the same, without waiting"),
        milliseconds("the same by XGBoost", natives, by_xgboost),
        milliseconds("one prediction after a pause", rested, f"{pause}; {how}", goal=GOAL),
        milliseconds("the same by XGBoost after a pause", natives_rested, f"{pause}; {by_xgboost}"),
        Figure(
            name="as many times faster than by XGBoost, after a pause",
            value=percentile(natives_rested, 0.5) / percentile(rested, 0.5),
            unit="times",
            how="the medians of the two, measured one after the other in one process",
        ),
    ]
    starts = FEW_STARTS if plan.quick else STARTS
    found += _loads("xgboost", candidate.model_ubj, starts)
    if onnx_rival.installed():
        content = onnx_rival.convert(xgb.Booster(model_file=bytearray(candidate.model_ubj)))
        session = onnx_rival.Session(onnx_rival.open_session(content))
        rival = replace(model, booster=session)
        others, _ = _time(session.margin, table, count)
        others_rested, _ = _time(session.margin, table, seldom, rest=REST)
        found += [
            milliseconds("the same by ONNX Runtime", others, by_onnx),
            milliseconds("the same by it after a pause", others_rested, f"{pause}; {by_onnx}"),
            *_parity(candidate, model, rival, table),
            *_loads("onnxruntime", content, starts),
        ]
    return found


def _parity(
    candidate: Candidate, model: ServedModel, rival: ServedModel, table: NDArray[np.float64]
) -> list[Figure]:
    """Compare probabilities on the golden rows, and on all rows with values taken away."""
    golden = msgspec.json.decode(candidate.golden_json, type=Golden)
    rows = np.array(golden.rows, dtype=np.float64)
    holed = table.copy()
    holed[np.random.default_rng(0).random(holed.shape) < MISSING] = np.nan
    return [
        Figure(
            name=f"ONNX Runtime's farthest from {what}",
            value=float(np.abs(found - expected).max()),
            unit="of a probability",
            goal=TOLERANCE,
            at_most=True,
            how=f"{len(found):,} rows",
        )
        for what, found, expected in (
            ("the golden vectors", rival.predict_all(rows), np.array(golden.probabilities)),
            (
                f"XGBoost where {MISSING:.0%} of the values are missing",
                rival.predict_all(holed),
                model.predict_all(holed),
            ),
        )
    ]


def _loads(how: str, content: bytes, starts: int) -> list[Figure]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model"
        file.write_bytes(content)
        loads = [loading.measure(how, file) for _ in range(starts)]
    seconds, mebibytes = (sorted(values)[starts // 2] for values in zip(*loads, strict=True))
    told = (
        f"the median of {starts} processes that have imported numpy: import, a model of "
        f"{len(content) / 1024:,.0f} KiB read, one score"
    )
    return [
        Figure(name=f"from import of {how} to its first score", value=seconds, unit="s", how=told),
        Figure(name=f"memory that {how} adds", value=mebibytes, unit="MiB", how=told),
    ]


def _time(
    predict: Callable[[NDArray[np.float64]], object],
    table: NDArray[np.float64],
    count: int,
    rest: float = 0.0,
) -> tuple[Sequence[float], Sequence[float]]:
    """Time calls on rows in turn, after some that do not count, by the clock and the processor."""
    elsewhere = np.zeros(ELSEWHERE if rest else 0)
    for row in table[:WARM]:
        predict(row)
    times, busy = [], []
    gc.collect()
    for number in range(count):
        row = table[number % len(table)]
        if rest:
            elsewhere += 1
            time.sleep(rest)
        worked, began = time.thread_time(), time.perf_counter()
        predict(row)
        times.append(time.perf_counter() - began)
        busy.append(time.thread_time() - worked)
    return times, busy
