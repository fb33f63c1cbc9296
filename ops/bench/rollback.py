"""How long `friday rollback` takes, from the command's start until the trader runs the version.

PostgreSQL, MLflow, the sandbox, the trader and each command are processes of their own, as in
production; only Prefect and its worker, which have no part in it, are not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import text

from ops import ports
from ops.bench.exchange import running
from ops.bench.figures import Figure
from ops.bench.process import traders, until
from ops.bench.record import database
from ops.bench.teaching import market, teach
from ops.errors import CannotStart
from registry import registration, store
from registry.settings import ModelRegistrySettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from ops.bench.figures import Plan

SYMBOL = "XRP/USD"
FRIDAY = [sys.executable, "-c", "from ops.cli import main; main()"]
DAYS, TRIALS = 7, 2
TIMES = 10
GOAL = 10.0  # seconds
RUNS = """
    SELECT detail -> 'markets' -> :symbol ->> 'production' FROM trader_status
    WHERE process_id = :process
"""


def measure(plan: Plan) -> list[Figure]:
    """Promote and roll back by command, again and again; not when quick, since servers start."""
    if plan.quick:
        return []
    promotions, rollbacks, commands = [], [], []
    with (
        TemporaryDirectory() as name,
        database() as engine,
        _mlflow(engine, Path(name)) as address,
        running("--seed", str(plan.seed)) as sandbox,
        traders(engine, sandbox, Path(name)) as made,
    ):
        _register(address, plan.seed)
        trader = made.start(MLFLOW_TRACKING_URI=address)
        until(lambda: made.live() == trader.pid, "the trader's start")
        desk = _Desk(engine, address, trader.pid)
        desk.command(1, "promote", SYMBOL, "1")
        for _ in range(plan.runs or TIMES):
            promotions.append(desk.command(2, "promote", SYMBOL, "2")[0])
            taken, command = desk.command(1, "rollback", SYMBOL)
            rollbacks.append(taken)
            commands.append(command)
    how = (
        "from the start of the command, a process of its own, until the trader, another one, says "
        f"that it runs the version; one trader of three markets, {len(rollbacks)} times in turn"
    )
    return [
        _longest("friday rollback to the version before trading", rollbacks, how, goal=GOAL),
        _longest("of that, the command", commands, "a part of the same, most of it imports"),
        _longest("friday promote to the version trading", promotions, how, goal=GOAL),
    ]


class _Desk:
    """A person at a terminal beside a trader."""

    def __init__(self, engine: Engine, address: str, process: int) -> None:
        self._engine, self._process = engine, process
        self._environment = os.environ | {
            "DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "MLFLOW_TRACKING_URI": address,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def command(self, wanted: int, *words: str) -> tuple[float, float]:
        """Run a command and return the seconds until the wanted version runs, and until its end."""
        began = time.perf_counter()
        subprocess.run(  # noqa: S603 - our own command
            [*FRIDAY, *words, "--reason", "measuring"],
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
        ended = time.perf_counter() - began
        until(lambda: self._version() == str(wanted), f"version {wanted} in the trader", 0.02)
        return time.perf_counter() - began, ended

    def _version(self) -> str | None:
        asked = {"symbol": SYMBOL, "process": self._process}
        with self._engine.connect() as connection:
            found: str | None = connection.execute(text(RUNS), asked).scalar_one_or_none()
        return found


def _longest(name: str, seconds: list[float], how: str, goal: float | None = None) -> Figure:
    ordered = sorted(seconds)
    told = f"the longest; the median is {ordered[len(ordered) // 2]:.2f} s; {how}"
    return Figure(name=name, value=ordered[-1], unit="s", goal=goal, at_most=True, how=told)


@contextmanager
def _mlflow(engine: Engine, folder: Path) -> Iterator[str]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE mlflow"))
    port = ports.any_free()
    url = engine.url.set(drivername="postgresql+psycopg2", database="mlflow")
    own = {
        "MLFLOW_BACKEND_STORE_URI": url.render_as_string(hide_password=False),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--artifacts-destination", str(folder / "artifacts")),
    ]
    with (folder / "mlflow.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)  # noqa: S603 - our own command
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(address), "MLflow's start", 0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _register(address: str, seed: int) -> None:
    """Teach two models that pass the gate, and register both."""
    client = store.open_registry(ModelRegistrySettings(MLFLOW_TRACKING_URI=address))
    for number in (1, 2):
        candidate = teach(market(seed + number, DAYS), TRIALS)
        if not candidate.verdict.passed:
            raise CannotStart(
                f"the gate refused what was to be promoted: {candidate.verdict.reason}"
            )
        registration.register(client, candidate, trigger="manual")
