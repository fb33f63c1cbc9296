"""Put a stack together: settle everything that can fail first, then wire up the parts."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from ops import components, exchange, health, ports, postgres
from ops.databases import open_databases, settings_for, stopped_on_failure
from ops.errors import CannotStart
from ops.exchange import KeySettings
from ops.home import ROOT, new_mark
from ops.prefect_api import Prefect
from ops.stack import Supervisor, clean_up, leave_environment
from ops.watch import Watched
from sql.database import open_engine
from telemetry.endpoint import EndpointSettings
from telemetry.points import InfluxSettings
from trader.settings import TraderSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import SecretStr
    from sqlalchemy import Engine

    from ops.components import Plan
    from ops.exchange import Key
    from ops.home import Home
    from ops.stack import Story
    from ops.table import Board

ENOUGH_DISK = 500 * 1024**2  # bytes a first start may need
# What a stack keeps in its folder; whatever else is there belongs to somebody else.
OURS = (
    "artifacts",
    "demo-*",
    "deployed",
    "environment.json*",
    "logs",
    "models",
    "postgres",
    "prefect",
    "sandbox.db*",
    "secrets",
    "state.json*",
    "tmp",
)
LONGEST_DEADLINE = 60.0  # seconds of exchange time an order may live


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What whoever starts a stack asked for; without a database it brings its own."""

    database: str | None
    exchange: str
    trader: bool
    speed: float
    mlflow_port: int
    prefect_port: int
    sandbox_port: int


def clear(home: Home) -> None:
    """Forget everything a stack has kept; the caller holds the folder's lock.

    Raises:
        CannotStart: The record is in a database of somebody else's.
    """
    if os.environ.get("DATABASE_URL"):
        raise CannotStart(
            "--fresh would forget the exchange but not the record in DATABASE_URL; empty that "
            "database yourself, or unset DATABASE_URL to use the embedded one"
        )
    clean_up(home)
    if (server := postgres.find(home.postgres)) is not None:
        server.stop()
    for name in OURS:
        for entry in home.path.glob(name):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    type(home).at(home.path)


def prepare(home: Home, wishes: Wishes) -> Plan:
    """Settle ports, databases and keys; starts nothing but PostgreSQL.

    Raises:
        CannotStart: A port is taken, a key is missing, the disk is full, or PostgreSQL
            does not start.
    """
    TraderSettings()  # a malformed variable is better said now than by the trader's log
    InfluxSettings()
    EndpointSettings()
    clean_up(home)
    _check_ports(wishes)
    _check_disk(home)
    venue = (
        exchange.sandbox(wishes.sandbox_port)
        if wishes.exchange == "sandbox"
        else exchange.kraken(os.environ.get("KRAKEN_REQUEST_INTERVAL_SECONDS", "1.0"))
    )
    keys = _sandbox_keys(home) if wishes.exchange == "sandbox" else _kraken_keys(wishes)
    return components.Plan(
        home=home,
        databases=open_databases(home, wishes.database),
        venue=venue,
        mark=new_mark(),
        mlflow_port=wishes.mlflow_port,
        prefect_port=wishes.prefect_port,
        sandbox_port=wishes.sandbox_port,
        speed=wishes.speed,
        keys=keys,
        extra=_deadline(wishes.speed),
    )


# Kraken's word for a key that may cancel orders and do nothing else.
MAY_CANCEL = ("close-trades",)


def assemble(
    plan: Plan,
    board: Board,
    *,
    trader: bool,
    began: float,
    story: Callable[[Prefect], Story] | None,
) -> Supervisor:
    """Wire up the parts of a stack; nothing of it runs yet."""
    with stopped_on_failure(plan.databases.server):
        prefect = Prefect(plan.prefect_api)
        engine = open_engine(settings_for(plan.databases.friday), pool_size=2)
        leave_environment(plan)
        return Supervisor(
            plan=plan,
            parts=[
                *_exchange(plan),
                *_platform(plan, prefect),
                *([_trader(plan, engine)] if trader else []),
            ],
            record=health.record(engine),
            prefect=prefect,
            board=board,
            story=None if story is None else story(prefect),
            began=began,
        )


def symbols(plan: Plan) -> Sequence[str]:
    """Return the markets the trader of this stack trades."""
    return plan.extra.get(
        "TRADER_SYMBOLS", os.environ.get("TRADER_SYMBOLS", "XRP/USD,DOGE/USD")
    ).split(",")


def _exchange(plan: Plan) -> list[Watched]:
    if plan.venue.name != components.SANDBOX:
        return []

    def ready() -> None:
        plan.keys[components.WORKER] = exchange.mint(plan.home, plan.venue, components.WORKER)
        plan.keys["command"] = exchange.mint(plan.home, plan.venue, "command")
        plan.keys["kill"] = exchange.mint(plan.home, plan.venue, "kill", MAY_CANCEL)
        leave_environment(plan)

    return [
        Watched(
            name=components.SANDBOX,
            address=plan.venue.rest,
            logs=plan.home.logs,
            build=lambda: components.sandbox(plan),
            probe=health.http(f"{plan.venue.rest}/health", health.exchange_time),
            ready=ready,
        )
    ]


def _platform(plan: Plan, prefect: Prefect) -> list[Watched]:
    sandbox = (components.SANDBOX,) if plan.venue.name == components.SANDBOX else ()

    def build_worker() -> components.Component:
        prefect.sweep()
        return components.worker(plan)

    return [
        Watched(
            name=components.MLFLOW,
            address=plan.mlflow,
            logs=plan.home.logs,
            build=lambda: components.mlflow(plan),
            probe=health.mlflow(plan.mlflow),
        ),
        Watched(
            name=components.PREFECT,
            address=f"http://127.0.0.1:{plan.prefect_port}",
            logs=plan.home.logs,
            build=lambda: components.prefect(plan),
            probe=health.prefect(prefect),
            ready=prefect.make_pool,
        ),
        Watched(
            name=components.DEPLOY,
            address="prefect.yaml",
            logs=plan.home.logs,
            build=lambda: components.deploy(plan),
            probe=lambda _pid: None,
            after=(components.PREFECT,),
            skip=lambda: _is_deployed(plan, prefect),
            ready=lambda: _remember_deployment(plan),
        ),
        Watched(
            name=components.WORKER,
            address="pool local",
            logs=plan.home.logs,
            build=build_worker,
            probe=health.worker(prefect, plan.worker_name),
            after=(components.PREFECT, *sandbox),
        ),
    ]


def _trader(plan: Plan, engine: Engine) -> Watched:
    sandbox = (components.SANDBOX,) if plan.venue.name == components.SANDBOX else ()
    return Watched(
        name=components.TRADER,
        address=f"account on {plan.venue.name}",
        logs=plan.home.logs,
        build=lambda: components.trader(plan),
        probe=health.trader(engine),
        after=sandbox,
        persistent=True,
    )


def _check_ports(wishes: Wishes) -> None:
    needed = {"MLflow": ("mlflow", wishes.mlflow_port), "Prefect": ("prefect", wishes.prefect_port)}
    if wishes.exchange == "sandbox":
        needed["the sandbox"] = ("sandbox", wishes.sandbox_port)
    ports.check(needed)


def _check_disk(home: Home) -> None:
    free = shutil.disk_usage(home.path).free
    if free < ENOUGH_DISK:
        raise CannotStart(
            f"the disk that holds {home.path} has {free // 1024**2} MiB free; "
            f"{ENOUGH_DISK // 1024**2} MiB are needed"
        )


def _sandbox_keys(home: Home) -> dict[str, Key | None]:
    return {components.TRADER: exchange.first_key(home)}


def _kraken_keys(wishes: Wishes) -> dict[str, Key | None]:
    settings = KeySettings()
    key, secret = os.environ.get("KRAKEN_API_KEY"), os.environ.get("KRAKEN_API_SECRET")
    if wishes.trader and not (key and secret):
        raise CannotStart(
            "KRAKEN_API_KEY and KRAKEN_API_SECRET must be set to trade on Kraken; "
            "--no-trader starts everything else without them"
        )
    return {
        components.TRADER: exchange.Key(key, secret) if key and secret else None,
        components.WORKER: _given(settings.worker_api_key, settings.worker_api_secret),
        "command": _given(settings.command_api_key, settings.command_api_secret),
    }


def _given(key: SecretStr | None, secret: SecretStr | None) -> Key | None:
    if key is None or secret is None:
        return None
    return exchange.Key(key.get_secret_value(), secret.get_secret_value())


def _deadline(speed: float) -> dict[str, str]:
    """Give orders more exchange time to live where the exchange's clock runs fast."""
    if speed <= 1 or "TRADER_ORDER_DEADLINE_SECONDS" in os.environ:
        return {}
    return {"TRADER_ORDER_DEADLINE_SECONDS": f"{min(LONGEST_DEADLINE, 5 * speed):g}"}


def _fingerprint() -> str:
    told = (ROOT / "prefect.yaml").read_bytes() + str(ROOT).encode()
    return hashlib.sha256(told).hexdigest()


def _is_deployed(plan: Plan, prefect: Prefect) -> bool:
    kept = plan.home.path / "deployed"
    try:
        return kept.read_text() == _fingerprint() and bool(prefect.deployments())
    except (FileNotFoundError, httpx.HTTPError):
        return False


def _remember_deployment(plan: Plan) -> None:
    (plan.home.path / "deployed").write_text(_fingerprint())
