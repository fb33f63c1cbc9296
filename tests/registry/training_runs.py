"""A whole retraining on made-up bars, without MLflow and Prefect."""

from datetime import timedelta

from market import features
from registry.retraining import Origin, retrain
from registry.settings import StudySettings
from registry.training import Plan

MINUTE = timedelta(minutes=1)
ORIGIN = Origin(symbol="XRP/USD", feature_hash=features.HASH, git_commit="unknown")


def retrained(bars, *, cost=0.005, trials=3):
    plan = Plan(interval=MINUTE, horizon=10, cost=cost, trials=trials)
    return retrain(
        bars,
        features.compute,
        origin=ORIGIN,
        plan=plan,
        settings=StudySettings.model_construct(storage_url=None),
    )
