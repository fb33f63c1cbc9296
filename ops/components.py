"""What a stack consists of: the command of each part, its environment, and what it needs first."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.home import ROOT
from ops.prefect_api import POOL
from ops.processes import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.databases import Databases
    from ops.exchange import Key, Venue
    from ops.home import Home

SANDBOX, MLFLOW, PREFECT, DEPLOY, WORKER, TRADER = (
    "sandbox",
    "mlflow",
    "prefect",
    "deploy",
    "worker",
    "trader",
)
WORKER_RUNS = 2  # flow runs at a time: there may be no more than two cores
SANDBOX_FEES = "8"  # a tier far above what a small account reaches, so that trading can pay
SKEW = "TRADER_MAX_CLOCK_SKEW_SECONDS"
SANDBOX_EDGE = "150"  # basis points, the strength of the planted pattern
ALPACA = "APCA_"  # the flows' alone
# What one process may not inherit from whoever typed the command.
PRIVATE = (
    *("KRAKEN_", "DATABASE_URL", "MLFLOW_", "_MLFLOW", "PREFECT_", "OPTUNA_", "FRIDAY_"),
    ALPACA,
)
QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MPLBACKEND": "Agg",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One process of a stack."""

    name: str
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is settled before the first process starts."""

    home: Home
    databases: Databases
    venue: Venue
    mark: str
    mlflow_port: int
    prefect_port: int
    sandbox_port: int
    speed: float
    keys: dict[str, Key | None]
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def worker_name(self) -> str:
        """Return the worker's name in Prefect, new with each stack."""
        return f"friday-{self.mark[:8]}"

    @property
    def mlflow(self) -> str:
        """Return the address of MLflow."""
        return f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def prefect_api(self) -> str:
        """Return the address of Prefect's API."""
        return f"http://127.0.0.1:{self.prefect_port}/api"


def shared(plan: Plan) -> dict[str, str]:
    """Return the environment that every process of ours and every command gets."""
    return {
        "DATABASE_URL": plan.databases.friday,
        "OPTUNA_STORAGE_URL": plan.databases.optuna,
        "MLFLOW_TRACKING_URI": plan.mlflow,
        "PREFECT_API_URL": plan.prefect_api,
        "PREFECT_HOME": str(plan.home.path / "prefect"),
        **plan.venue.environment(),
    }


def sandbox(plan: Plan) -> Component:
    """Return the exchange that runs here; its state is a file, so that a restart keeps orders."""
    return Component(
        name=SANDBOX,
        address=plan.venue.rest,
        command=(
            *_python("-m", "sandbox", "--port", str(plan.sandbox_port)),
            *("--state", str(plan.home.path / "sandbox.db"), "--speed", f"{plan.speed:g}"),
            *("--fees", SANDBOX_FEES, "--edge", SANDBOX_EDGE),
        ),
        environment=_environment(plan, SANDBOX, _key(plan, TRADER)),
    )


def mlflow(plan: Plan) -> Component:
    """Return the MLflow server; its database's address stays out of the process list."""
    return Component(
        name=MLFLOW,
        address=plan.mlflow,
        command=_python(
            *("-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(plan.mlflow_port), "--workers", "1"),
            *("--artifacts-destination", str(plan.home.path / "artifacts")),
        ),
        environment=_environment(
            plan,
            MLFLOW,
            {
                "MLFLOW_BACKEND_STORE_URI": plan.databases.mlflow,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
        ),
    )


def prefect(plan: Plan) -> Component:
    """Return the Prefect server; the port goes by environment, or its pages call another one."""
    return Component(
        name=PREFECT,
        address=f"http://127.0.0.1:{plan.prefect_port}",
        command=_python("-m", "prefect", "server", "start"),
        environment=_environment(
            plan,
            PREFECT,
            {
                **_prefect(plan),
                "PREFECT_SERVER_API_HOST": "127.0.0.1",
                "PREFECT_SERVER_API_PORT": str(plan.prefect_port),
                "PREFECT_SERVER_DATABASE_CONNECTION_URL": plan.databases.prefect,
                "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{plan.prefect_port}",
            },
        ),
    )


def deploy(plan: Plan) -> Component:
    """Return the step that brings prefect.yaml into Prefect; it ends when that is done."""
    return Component(
        name=DEPLOY,
        address="prefect.yaml",
        command=_python(
            *("-m", "prefect", "--no-prompt", "deploy", "--all"),
            *("--prefect-file", str(ROOT / "prefect.yaml")),
        ),
        environment=_environment(plan, DEPLOY, {**_prefect(plan), "FRIDAY_CHECKOUT": str(ROOT)}),
        once=True,
    )


def worker(plan: Plan) -> Component:
    """Return the process that runs flows; each flow run is a process below it."""
    return Component(
        name=WORKER,
        address=f"pool {POOL}",
        command=_python(
            *("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"),
            *("--limit", str(WORKER_RUNS), "--name", plan.worker_name),
        ),
        environment=_environment(
            plan,
            WORKER,
            {
                **shared(plan),
                **_prefect(plan),
                **_key(plan, WORKER),
                **{name: value for name, value in os.environ.items() if name.startswith(ALPACA)},
                "FRIDAY_CHECKOUT": str(ROOT),
                "PREFECT_WORKER_QUERY_SECONDS": "2",
                # Prefect keeps /tmp/runner_storage, where another user's would be in the way.
                "TMPDIR": str(plan.home.path / "tmp"),
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
                "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            },
        ),
    )


def trader(plan: Plan) -> Component:
    """Return the live trader; it needs the exchange, and does without all the rest."""
    return Component(
        name=TRADER,
        address=f"account on {plan.venue.name}",
        command=_python("-m", "trader"),
        environment=_environment(
            plan,
            TRADER,
            {
                **shared(plan),
                **_key(plan, TRADER),
                "TRADER_MODEL_CACHE": str(plan.home.path / "models"),
                "TRADER_OUTAGE_FILE": str(plan.home.path / "outage.jsonl"),
                # The sandbox's clock is its own: it may run fast, and goes on where it was.
                **({SKEW: "1e9"} if plan.venue.name == SANDBOX else {}),
                **plan.extra,
            },
        ),
    )


def _key(plan: Plan, name: str) -> dict[str, str]:
    key = plan.keys.get(name)
    return key.environment() if key else {}


def _prefect(plan: Plan) -> dict[str, str]:
    return {
        "PREFECT_API_URL": plan.prefect_api,
        "PREFECT_HOME": str(plan.home.path / "prefect"),
        "PREFECT_PROFILES_PATH": str(plan.home.path / "prefect" / "profiles.toml"),
    }


def _environment(plan: Plan, name: str, own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
    return {**kept, **QUIET, **own, MARK: f"{plan.mark}/{name}"}


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
