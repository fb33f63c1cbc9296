"""How long one prediction takes: a row of features in, one calibrated probability out."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import numpy as np
import xgboost as xgb

from market import features
from ops.bench.figures import Figure
from ops.bench.teaching import MINUTE, market, serve, teach
from ops.bench.timing import milliseconds, percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ops.bench.figures import Plan

DAYS, FEW_DAYS = 14, 4
TRIALS, FEW_TRIALS = 20, 2
PREDICTIONS, FEW = 50_000, 5_000
WARM = 200  # predictions that do not count
GOAL = 1.0  # ms


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
        return model.booster.predict(xgb.DMatrix(row.reshape(1, -1), nthread=1), output_margin=True)

    matrices, _ = _time(native, table, count // 5)
    how = (
        f"one row of {len(features.NAMES)} features at a time through registry.served, a model of "
        f"{model.booster.num_boosted_rounds()} trees taught, judged and loaded as in production"
    )
    return [
        milliseconds("one prediction", scores, how, goal=GOAL),
        milliseconds("one prediction's time of a processor", busy, "the same, without waiting"),
        milliseconds(
            "the same through xgboost.DMatrix",
            matrices,
            "XGBoost's training interface on the same rows, a DMatrix a row, not calibrated",
        ),
        Figure(
            name="as many times faster than through xgboost.DMatrix",
            value=percentile(matrices, 0.5) / percentile(scores, 0.5),
            unit="times",
            how="the medians of the two, measured one after the other in one process",
        ),
    ]


def _time(
    predict: Callable[[NDArray[np.float64]], object], table: NDArray[np.float64], count: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Time calls on rows in turn, after some that do not count, by the clock and the processor."""
    for row in table[:WARM]:
        predict(row)
    times, busy = [], []
    gc.collect()
    for number in range(count):
        row = table[number % len(table)]
        worked, began = time.thread_time(), time.perf_counter()
        predict(row)
        times.append(time.perf_counter() - began)
        busy.append(time.thread_time() - worked)
    return times, busy
