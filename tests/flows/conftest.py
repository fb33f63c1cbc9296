"""A Prefect server of its own for every test session that runs flows."""

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_server():
    """Run flows against a temporary server, not the developer's."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
