"""How long `friday up` takes on a machine where everything is installed and nothing was started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from ops import environment, ports
from ops.bench.figures import Figure
from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.bench.figures import Plan

FRIDAY = [sys.executable, "-c", "from ops.cli import main; main()"]
OURS = ("FRIDAY_", "KRAKEN_", "TRADER_", "MLFLOW_", "PREFECT_", "DATABASE_", "OPTUNA_")
HEALTHY, TRADING = 60.0, 180.0  # seconds
PATIENCE = 600.0  # seconds after which the number is what it is
STOPPING = 60.0


def measure(plan: Plan) -> list[Figure]:
    """Start a stack in an empty folder of its own, and wait until it trades; not when quick."""
    if plan.quick:
        return []
    with tempfile.TemporaryDirectory(prefix="friday-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root PostgreSQL runs as another account
        log = folder / "up.log"
        began = time.perf_counter()
        process = _start(folder, log)
        try:
            healthy = _until(process, began, lambda: "all healthy after" in log.read_text())
            trading = _until(process, began, lambda: _trades(folder))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOPPING)
    how = (
        "`friday up` in an empty folder: PostgreSQL is set up, MLflow and Prefect make "
        "their tables, the sandbox makes its market"
    )
    return [
        _seconds("friday up to all healthy", healthy, HEALTHY, how),
        _seconds(
            "friday up to trading",
            trading,
            TRADING,
            f"{how}; then two weeks of bars are fetched and a first model of each market is taught "
            "and judged, until the trader says that it trades",
        ),
    ]


def _seconds(name: str, value: float, goal: float, how: str) -> Figure:
    return Figure(name=name, value=value, unit="s", goal=goal, at_most=True, how=how)


def _start(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    chosen = [
        word
        for name in ("mlflow", "prefect", "sandbox")
        for word in (f"--{name}-port", str(ports.any_free()))
    ]
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with log.open("w") as words:
        return subprocess.Popen(  # noqa: S603 - our own command
            [*FRIDAY, "up", *chosen],
            stdout=words,
            stderr=words,
            env=own | {"FRIDAY_HOME": str(folder)},
        )


def _until(process: subprocess.Popen[bytes], began: float, condition: Callable[[], bool]) -> float:
    """Return the seconds from the beginning until something is so, or until patience ends."""
    while not condition():
        if process.poll() is not None:
            raise CannotStart(f"friday up ended with exit code {process.returncode}")
        if time.perf_counter() - began > PATIENCE:
            break
        time.sleep(0.1)
    return time.perf_counter() - began


def _trades(folder: Path) -> bool:
    """Tell whether the trader of the stack in this folder says that it trades."""
    known = json.loads((folder / environment.FILE).read_text())
    connection = psycopg2.connect(known["DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM trader_status WHERE state = 'trading'")
            (found,) = cursor.fetchone() or (0,)
        return bool(found)
    finally:
        connection.close()
