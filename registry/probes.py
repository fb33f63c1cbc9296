"""Attempts to catch ourselves: does nonsense score well, does the served model differ.

Both must fail to find anything before a version may pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from registry import served, training

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from registry.served import ServedModel
    from registry.training import Course, Model

PARITY_ROWS = 200


def shuffle_blocks(
    values: NDArray[np.integer], *, mean_length: int, seed: int
) -> NDArray[np.integer]:
    """Reorder stretches of random length, so that labels lose their rows, not their runs.

    Whole stretches keep what overlapping labels share, and so a splitter that leaks them
    still scores well. Their lengths vary so that a regular rhythm is broken too.
    """
    random = np.random.default_rng(seed)
    cuts = np.cumsum(random.geometric(1 / mean_length, size=2 * len(values) // mean_length + 2))
    pieces = np.split(values, cuts[cuts < len(values)])
    random.shuffle(pieces)
    return np.concatenate(pieces)


def shuffled_gain(course: Course, params: dict[str, Any]) -> float:
    """Teach shuffled labels; return how far the log loss beats the base rate nonetheless.

    What is left to learn is nothing, so a gain that matters is a leak in our own procedure.
    """
    table = course.table.copy()
    table["y"] = shuffle_blocks(
        table["y"].to_numpy(), mean_length=10 * course.plan.horizon, seed=course.plan.seed
    )
    plan = replace(course.plan, folds=2)
    shuffled = training.prepare(course.features, table, course.bars, plan)
    _, scores = training.finish(shuffled, params)
    return float(np.mean([fold.gain for fold in scores]))


def parity(model: Model, loaded: ServedModel, features: pd.DataFrame) -> float:
    """Return the largest difference between a probability as trained and as served.

    The served side goes the trader's whole way: bytes, one row at a time.
    """
    rows = features.iloc[np.linspace(0, len(features) - 1, PARITY_ROWS).astype(int)]
    trained = model.probabilities(rows)
    live = [loaded.predict(row) for row in rows.to_numpy(dtype=np.float64)]
    return float(np.max(np.abs(trained - np.array(live))))


def golden(model: Model, features: pd.DataFrame) -> bytes:
    """Choose rows across the features' span, one value missing in some, and score them."""
    chosen = np.linspace(0, len(features) - 1, 2 * served.GOLDEN_ROWS).astype(int)
    rows = features.iloc[chosen].copy()
    width = rows.shape[1]
    for n in range(0, len(rows), 4):
        rows.iloc[n, (n // 4) % width] = np.nan
    probabilities = model.probabilities(rows)
    return served.to_json(rows.to_numpy(dtype=np.float64), [float(p) for p in probabilities])


def model_bytes(model: Model) -> bytes:
    """Return the model in the format that is registered and served."""
    return bytes(model.booster.save_raw("ubj"))
