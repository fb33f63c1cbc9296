"""Real artifacts, made in a moment: boosters of a few leaves with all that a version needs."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import xgboost as xgb

from market import features
from registry import contract as terms
from registry import served
from serving.model_cache import FILES, Version

WIDTH = len(features.NAMES)
PLAIN = {"objective": "binary:logistic", "nthread": 1}


def sound_bytes():
    """Return a model of three small trees."""
    rows = np.random.default_rng(0).normal(size=(200, WIDTH))
    booster = xgb.train(PLAIN, xgb.DMatrix(rows, label=rows[:, 0] > 0), 3)
    return bytes(booster.save_raw("ubj"))


def broken_bytes():
    """Return a sound model but for one leaf, which is no number and out of ordinary reach."""
    content = json.loads(served.read_booster(sound_bytes()).save_raw("json"))
    tree = content["learner"]["gradient_booster"]["model"]["trees"][0]
    tree |= {
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "parents": [2147483647, 0, 0],
        "split_indices": [0, 0, 0],
        "split_conditions": [100.0, 0.1, float("nan")],
        "base_weights": [0.0, 0.0, 0.0],
        "default_left": [1, 0, 0],
        "loss_changes": [1.0, 0.0, 0.0],
        "sum_hessian": [1.0, 1.0, 1.0],
        "split_type": [0, 0, 0],
    }
    tree["tree_param"]["num_nodes"] = "3"
    return bytes(xgb.Booster(model_file=bytearray(json.dumps(content).encode())).save_raw("ubj"))


def artifact(number, raw, *, gate="passed"):
    """Return a version and its files, as the registry has them."""
    contract = terms.Contract(
        symbol="XRP/USD",
        interval_seconds=60,
        horizon_bars=10,
        features=features.NAMES,
        feature_hash=features.HASH,
        cost=0.005,
        gain=0.05,
        loss=0.001,
        base_rate=0.2,
        platt_slope=1.0,
        platt_intercept=0.0,
        model_sha256=sha256(raw).hexdigest(),
        data_hash="0",
        trained_until=datetime(2026, 1, 1, tzinfo=UTC),
        git_commit="0",
        gate_passed=gate == "passed",
        gate_reason="every check passed" if gate == "passed" else "too few trades",
    )
    rows = np.random.default_rng(1).normal(size=(served.GOLDEN_ROWS, WIDTH))
    model = served.ServedModel(contract=contract, booster=served.read_booster(raw))
    promised = terms.to_json(contract)
    golden = served.to_json(rows, [model.predict(row) for row in rows])
    tags = {
        "artifact_sha256": contract.model_sha256,
        "contract_sha256": terms.digest(promised),
        "gate": gate,
    }
    version = Version(number=number, run_id="run", tags=tags)
    return version, dict(zip(FILES, (raw, promised, golden), strict=True))
