"""One retraining on a market with a pattern, shared by every test that looks at it."""

import markets
import pytest
from training_runs import retrained

from registry.settings import ModelRegistrySettings
from registry.store import open_registry


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
    # A deployment has a server; the same store serves here without one.
    settings = ModelRegistrySettings.model_construct(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    client = open_registry(settings)
    client.create_experiment("retrain", artifact_location=f"file://{folder}/artifacts")
    return client
