"""A Prefect and an MLflow server of its own for every test session that runs flows."""

import pytest
from mlflow_server import running_mlflow
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_server():
    """Run flows against a temporary server, not the developer's."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory):
    """Run MLflow's own server until the last test is done."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address
