"""MLflow's own server on the loopback, for the tests that talk to a registry over HTTP."""

import contextlib
import subprocess
import sys

from ops import ports


@contextlib.contextmanager
def running_mlflow(folder):
    """Run a server that keeps everything in *folder* and give its address once it listens."""
    port = ports.any_free()
    command = [sys.executable, "-m", "mlflow", "server", "--host", ports.LOOPBACK]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        # Uvicorn says "startup complete" before it listens, and "running on" after.
        assert any("running on" in line for line in server.stderr)
        yield f"http://{ports.LOOPBACK}:{port}"
        server.terminate()
