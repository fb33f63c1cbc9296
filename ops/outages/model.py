"""A model that turns with every bar, so that a run has orders to be killed amid.

It is an artifact like any other, in the trader's own cache: the trader verifies it and
loads it as it does when the registry is away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import xgboost

from market import features
from registry import served
from registry.contract import Contract, digest, to_json
from registry.served import ServedModel
from serving.model_cache import ModelCache, Version

if TYPE_CHECKING:
    from pathlib import Path

FOLLOWS = "return_1"
WORTH = 0.06  # what a rise is said to gain and a fall to lose: more than a round trip costs
STEEP = 5.0  # so that it is confident, but not all but certain, which nobody would believe
ROWS = 400


def keep(folder: Path, symbols: tuple[str, ...], seconds: int) -> None:
    """Put models into a cache that want to be in after a bar that rose, out after one that fell."""
    random = np.random.default_rng(0)
    rows = random.normal(0, 1e-3, size=(ROWS, len(features.NAMES)))
    rose = rows[:, features.NAMES.index(FOLLOWS)] > 0
    options = {"max_depth": 1, "objective": "binary:logistic", "nthread": 1}
    booster = xgboost.train(options, xgboost.DMatrix(rows, label=rose), 1)
    model = bytes(booster.save_raw("ubj"))
    for symbol in symbols:
        contract = Contract(
            symbol=symbol,
            interval_seconds=seconds,
            horizon_bars=1,
            features=features.NAMES,
            feature_hash=features.HASH,
            cost=0.0,
            gain=WORTH,
            loss=WORTH,
            base_rate=0.5,
            platt_slope=STEEP,
            platt_intercept=0.0,
            model_sha256=digest(model),
            data_hash="0" * 64,
            trained_until=datetime(2026, 1, 1, tzinfo=UTC),
            git_commit="0" * 40,
            gate_passed=True,
            gate_reason="it only has to trade often",
        )
        ready = ServedModel(contract=contract, booster=served.read_booster(model))
        golden = rows[: served.GOLDEN_ROWS]
        files = {
            "model.ubj": model,
            "contract.json": to_json(contract),
            "golden.json": served.to_json(golden, [ready.predict(row) for row in golden]),
        }
        tags = {
            "artifact_sha256": digest(model),
            "contract_sha256": digest(files["contract.json"]),
            "gate": "passed",
        }
        ModelCache(folder).keep(symbol, Version(number=1, run_id="outages", tags=tags), files)
