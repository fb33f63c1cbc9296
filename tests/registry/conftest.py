"""One retraining on a market with a pattern, shared by every test that looks at it."""

from datetime import timedelta

import markets
import pytest

from registry.retraining import Origin, retrain
from registry.search import SearchSettings
from registry.store import ModelRegistrySettings, open_registry
from registry.training import Plan
from trader import features

MINUTE = timedelta(minutes=1)
ORIGIN = Origin(symbol="XRP/USD", feature_hash=features.HASH, git_commit="unknown")


def retrained(bars, *, cost=0.005, trials=3):
    plan = Plan(interval=MINUTE, horizon=10, cost=cost, trials=trials)
    return retrain(
        bars,
        features.compute(bars),
        origin=ORIGIN,
        plan=plan,
        settings=SearchSettings(storage_url=None),
    )


@pytest.fixture(scope="session")
def candidate():
    """Train once on a week with the planted pattern; it passes."""
    return retrained(markets.planted(1, days=7))


@pytest.fixture(scope="session")
def refused():
    """Train once on a week of noise; it does not pass."""
    return retrained(markets.walk(1, days=7, volatility=0.003))


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Open a real registry of our own in a folder."""
    folder = tmp_path_factory.mktemp("mlflow")
    client = open_registry(ModelRegistrySettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    client.create_experiment("retrain", artifact_location=f"file://{folder}/artifacts")
    return client
