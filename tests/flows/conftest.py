"""A Prefect and an MLflow server of its own for every test session that runs flows."""

import socket
import subprocess
import sys

import pytest
from prefect.testing.utilities import prefect_test_harness

LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="session")
def prefect_server():
    """Run flows against a temporary server, not the developer's."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory):
    """Run MLflow's own server until the last test is done."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", str(folder / "artifacts")]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert any("startup complete" in line for line in server.stderr)
        yield f"http://{LOOPBACK}:{port}"
        server.terminate()
