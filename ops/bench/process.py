"""Live traders as processes of their own, against a sandbox and a database of a measurement."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ops.bench.caller import ask
from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from ops.bench.exchange import Sandbox

OURS = ("KRAKEN_", "TRADER_", "MLFLOW_", "INFLUXDB_")
PATIENCE = 60.0  # seconds


class Traders:
    """Starts traders of one account, and knows which of them is live."""

    def __init__(self, engine: Engine, sandbox: Sandbox, folder: Path) -> None:
        minted = ask(f"{sandbox.http}/admin/keys", {"account": "bench"})
        self._engine, self._folder = engine, folder
        self._environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith(OURS)},
            "DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
            "KRAKEN_REST_URL": sandbox.http,
            "KRAKEN_PUBLIC_WS_URL": f"{sandbox.websocket}/v2",
            "KRAKEN_PRIVATE_WS_URL": f"{sandbox.websocket}/v2",
            "KRAKEN_API_KEY": minted["key"],
            "KRAKEN_API_SECRET": minted["secret"],
            "KRAKEN_REQUEST_INTERVAL_SECONDS": "0",
            "TRADER_MODEL_CACHE": str(folder),
            "TRADER_OUTAGE_FILE": str(folder / "outage.jsonl"),
        }
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start one more; it ends with the measurement."""
        command = [sys.executable, "-m", "trader", *options]
        with self.log(len(self.started)).open("w") as log:
            process = subprocess.Popen(command, stderr=log, env=self._environment | variables)  # noqa: S603 - our own command
        self.started.append(process)
        return process

    def log(self, number: int) -> Path:
        """Return where a trader's own words go."""
        return self._folder / f"trader-{number}.log"

    def live(self) -> int | None:
        """Return the process id of the one that last spoke of itself."""
        with self._engine.connect() as connection:
            found: int | None = connection.execute(
                text("SELECT process_id FROM trader_status ORDER BY at DESC LIMIT 1")
            ).scalar_one_or_none()
        return found


@contextmanager
def traders(engine: Engine, sandbox: Sandbox, folder: Path) -> Iterator[Traders]:
    """Give what starts traders, and end all of them afterwards."""
    made = Traders(engine, sandbox, folder)
    try:
        yield made
    finally:
        for process in made.started:
            process.terminate()
        for process in made.started:
            process.wait()


def until(condition: Callable[[], Any], what: str, pause: float = 0.005) -> float:
    """Wait for something and return how many seconds it took; raises CannotStart."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > PATIENCE:
            raise CannotStart(f"{what} did not happen within {PATIENCE:g} s")
        time.sleep(pause)
    return time.perf_counter() - began
