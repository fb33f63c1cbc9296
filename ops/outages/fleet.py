"""The processes of the campaign: PostgreSQL, a sandbox, a live trader and its standby.

What has died is started again as `friday up` does it, unless it is to stay away for a while.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil
import psycopg2

from ops import ports, postgres, processes
from ops.bench.caller import ask
from ops.errors import CannotStart
from ops.outages import model
from ops.outages.plan import BACKEND, BOTH, POSTGRES, SANDBOX, STANDBY, TRADER
from sql.database import DatabaseSettings, migrate, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trader.execution import Policy

SYMBOLS = "XRP/USD", "DOGE/USD"
SPEED, BAR_SECONDS = 5, 5  # of the exchange: a bar closes once a second
DATABASE = "outages"
KEY, SECRET = "outages-key", "b3V0YWdlcw=="
PATIENCE, POLL = 120.0, 0.05
AGAIN = 0.5  # seconds until a trader that ended by itself is started again
TRADERS = "trader-0", "trader-1"
GENEROUS = {
    "TRADER_BAR_SECONDS": str(BAR_SECONDS),
    "TRADER_ORDER_DEADLINE_SECONDS": "5",
    "TRADER_SYMBOLS": ",".join(SYMBOLS),
    "TRADER_DAILY_VOLATILITY": "1",
    "TRADER_MAX_POSITION_USD": "60",
    "TRADER_MAX_ORDER_USD": "40",
    "TRADER_MAX_DAILY_LOSS_USD": "1000000",
    "TRADER_MAX_DRAWDOWN_USD": "1000000",
    "TRADER_MAX_MODEL_LOSS_USD": "1000000",
    "TRADER_MAX_MODEL_ODDS": "inf",  # its model promises too much, so that orders flow
    "TRADER_MAX_ENTRIES_PER_HOUR": "1000000",
    "TRADER_MAX_CLOCK_SKEW_SECONDS": "1e9",  # the sandbox's clock is its own
    "KRAKEN_REQUEST_INTERVAL_SECONDS": "0",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",  # away for days: the cached model is used
}


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until the condition is true.

    Raises:
        CannotStart: It never was; the message says what did not happen.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CannotStart(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(POLL)


@dataclass(slots=True)
class Fleet:
    """All processes in one folder; `ends` counts what ended without being killed by us."""

    folder: Path
    seed: int
    policy: Policy
    ends: Counter[str] = field(default_factory=Counter)
    server: postgres.Server = field(init=False)
    address: str = field(init=False)
    url: str = field(init=False)
    _port: int = field(init=False)
    _children: dict[str, processes.Child] = field(default_factory=dict)
    _held: dict[str, float] = field(default_factory=dict)
    _killed: set[int] = field(default_factory=set)

    def start(self) -> None:
        """Start everything; raises CannotStart."""
        self.folder.chmod(0o755)
        self.server = postgres.start(self.folder / "postgres")
        postgres.create_databases(self.server, (DATABASE,))
        self.url = self.server.url(DATABASE)
        engine = open_engine(DatabaseSettings(DATABASE_URL=self.url))
        migrate(engine)
        engine.dispose()
        self._port = ports.any_free()
        self.address = f"http://{ports.LOOPBACK}:{self._port}"
        model.keep(self.folder / "models", SYMBOLS, BAR_SECONDS)
        self._start(SANDBOX)
        until(self.exchange_answers, PATIENCE, "the sandbox's start")
        for name in TRADERS:
            self._start(name)

    def stop(self) -> None:
        """End everything."""
        order = [c for n, c in self._children.items() if n != SANDBOX]
        processes.stop_all(order, 10)
        processes.stop_all([c for n, c in self._children.items() if n == SANDBOX], 5)
        self.server.stop()

    def tend(self) -> None:
        """Start what has died and is not held back any more; raises CannotStart."""
        now = time.monotonic()
        if not self.server.alive() and self._held.get(POSTGRES, 0.0) <= now:
            port = self.server.port
            self.server = postgres.start(self.folder / "postgres")
            if self.server.port != port:
                raise CannotStart(f"PostgreSQL moved from port {port}, which is taken")
        for name, child in list(self._children.items()):
            code = child.exit_code()
            if code is None:
                continue
            if child.pid not in self._killed:
                self.ends[f"{name.split('-')[0]}, exit code {code}"] += 1
                self._killed.add(child.pid)
                self._held[name] = now + AGAIN
            if self._held.get(name, 0.0) <= now:
                self._start(name)

    def all_alive(self) -> bool:
        """Tell whether every process runs."""
        running = all(child.exit_code() is None for child in self._children.values())
        return running and self.server.alive()

    def traders(self) -> dict[int, str]:
        """Give the traders that run, by process id."""
        return {
            c.pid: n for n, c in self._children.items() if n in TRADERS and c.exit_code() is None
        }

    def exchange_answers(self) -> bool:
        """Tell whether the sandbox is there."""
        try:
            return bool(ask(f"{self.address}/health"))
        except OSError:
            return False

    def kill(self, victim: str, live: int, away: float, which: int) -> list[str]:
        """Kill with SIGKILL, at once, and hold back the start for a while; return who it was."""
        back = time.monotonic() + away
        if victim == BACKEND:
            return self._kill_backend(which)
        if victim == POSTGRES:
            self._held[POSTGRES] = back
            self.server.process.kill()
            return [POSTGRES]
        chosen = {
            SANDBOX: [SANDBOX],
            TRADER: [n for pid, n in self.traders().items() if pid == live],
            STANDBY: [n for pid, n in self.traders().items() if pid != live],
            BOTH: list(TRADERS),
        }[victim]
        for name in chosen:
            self._held[name] = back
            self._killed.add(self._children[name].pid)
            self._children[name].popen.kill()
        for name in chosen:
            self._children[name].popen.wait()
        return chosen

    def _kill_backend(self, which: int) -> list[str]:
        """Kill a process that serves a trader; the postmaster then disconnects everybody."""
        try:
            connection = psycopg2.connect(self.url)
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'gal-friday'"
                    " ORDER BY backend_start"
                )
                found = [pid for (pid,) in cursor.fetchall()]
            connection.close()
            psutil.Process(found[which % len(found)]).kill()
        except (psycopg2.OperationalError, psutil.NoSuchProcess, ZeroDivisionError):
            return []
        return [BACKEND]

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m"]
        if name == SANDBOX:
            command += ["sandbox", "--port", str(self._port), "--speed", str(SPEED)]
            command += ["--state", str(self.folder / "sandbox.db"), "--seed", str(self.seed)]
            command += ["--fees", "8", "--balance", "USD=100000"]
            command += ["--balance", "XRP=0", "--balance", "DOGE=0"]
        else:
            command += ["trader", "--standby"]  # the first finds the lease free, the other waits
        environment = self._environment() | {processes.MARK: f"outages-{os.getpid()}/{name}"}
        self._children[name] = processes.start(command, environment, self.folder / f"{name}.log")

    def _environment(self) -> dict[str, str]:
        websocket = self.address.replace("http", "ws", 1) + "/v2"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KRAKEN_", "TRADER_", "MLFLOW_", "DATABASE_", "SANDBOX_"))
        }
        return inherited | {
            **GENEROUS,
            "DATABASE_URL": self.url,
            "KRAKEN_API_KEY": KEY,
            "KRAKEN_API_SECRET": SECRET,
            "KRAKEN_REST_URL": self.address,
            "KRAKEN_PUBLIC_WS_URL": websocket,
            "KRAKEN_PRIVATE_WS_URL": websocket,
            "TRADER_EXECUTION": str(self.policy),
            "TRADER_POST_ONLY_SECONDS": "5",
            "TRADER_MODEL_CACHE": str(self.folder / "models"),
            "TRADER_OUTAGE_FILE": str(self.folder / "outage.jsonl"),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }
