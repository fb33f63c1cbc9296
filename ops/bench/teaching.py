"""A market with something to learn, and a model taught on it as the registry teaches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from market import features
from registry import served
from registry.contract import digest
from registry.retraining import Origin, retrain
from registry.settings import StudySettings
from registry.training import Plan as Terms

if TYPE_CHECKING:
    from registry.retraining import Candidate
    from registry.served import ServedModel

START = pd.Timestamp("2026-01-01", tz="UTC")
MINUTE = timedelta(minutes=1)
MINUTES_A_DAY = 24 * 60
HORIZON = 10


def market(seed: int, days: int) -> pd.DataFrame:
    """Return minute bars in which three minutes of a move on raised volume foretell ten more.

    Returns:
        Float columns open, high, low, close and volume, indexed by start (UTC).
    """
    random = np.random.default_rng(seed)
    count = days * MINUTES_A_DAY
    steps, volume = random.normal(0, 0.001, count), random.lognormal(8, 0.4, count)
    at = 0
    while (at := at + int(random.integers(14, 27))) + 3 + HORIZON < count:
        way = random.choice([-1, 1])
        steps[at : at + 3] += way * 0.0025
        volume[at : at + 3] *= 4
        steps[at + 3 : at + 3 + HORIZON] += way * 0.0015
    close = 2 * np.exp(np.cumsum(steps - steps.mean()))
    opened = np.concatenate([[2.0], close[:-1]])
    reach = np.exp(np.abs(random.normal(0, 0.0003, (2, count))))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * reach[0],
            "low": np.minimum(opened, close) / reach[1],
            "close": close,
            "volume": volume,
        },
        index=pd.date_range(START, periods=count, freq="min", name="start"),
    )


def teach(bars: pd.DataFrame, trials: int) -> Candidate:
    """Search, fit and judge a model of XRP/USD; raises TrainingRefused."""
    return retrain(
        bars,
        lambda rows: features.compute(rows, MINUTE),
        origin=Origin(symbol="XRP/USD", feature_hash=features.HASH, git_commit="unknown"),
        plan=Terms(interval=MINUTE, horizon=HORIZON, cost=0.005, trials=trials),
        settings=StudySettings(OPTUNA_STORAGE_URL=None),
    )


def serve(candidate: Candidate) -> ServedModel:
    """Load a candidate from its three files, as the trader does; raises ArtifactRefused."""
    return served.load(
        candidate.model_ubj,
        candidate.contract_json,
        candidate.golden_json,
        expected_sha256=digest(candidate.model_ubj),
        feature_names=features.NAMES,
        feature_hash=features.HASH,
        expected_contract_sha256=digest(candidate.contract_json),
    )
