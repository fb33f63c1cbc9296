"""One `friday up` with ports and a folder of its own, as a person at a terminal has it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import psycopg2
from waiting import until

from ops import ports

FRIDAY = [sys.executable, "-c", "from ops.cli import main; main()"]


class Stack:
    """The processes of one `friday up`, as a person at the command line has them."""

    def __init__(self, folder, *, speed):
        self.folder = folder
        self.speed = speed
        self.ports = {name: ports.any_free() for name in ("mlflow", "prefect", "sandbox")}
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KRAKEN_", "TRADER_", "MLFLOW_", "PREFECT_", "DATABASE_"))
        } | {"FRIDAY_HOME": str(folder)}
        self.process = self.start()

    def start(self):
        """Run friday up in the background and return its process."""
        chosen = [word for n, p in self.ports.items() for word in (f"--{n}-port", str(p))]
        log = (self.folder / "up.log").open("a")
        return subprocess.Popen(
            [*FRIDAY, "up", "--speed", str(self.speed), *chosen],
            stdout=log,
            stderr=log,
            env=self.environment,
        )

    def friday(self, *arguments, environment=None):
        """Run one command to its end."""
        return subprocess.run(
            [*FRIDAY, *arguments],
            capture_output=True,
            text=True,
            env=self.environment | (environment or {}),
            check=False,
            timeout=300,
        )

    def json(self, *arguments):
        """Return what a command prints with --json."""
        return json.loads(self.friday(*arguments, "--json").stdout)

    def settings(self):
        """Return the environment the stack leaves for commands."""
        return json.loads((self.folder / "environment.json").read_text())

    def query(self, statement):
        """Ask the record something in SQL."""
        connection = psycopg2.connect(self.settings()["DATABASE_URL"])
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def trader(self):
        """Return the live trader's process, state and own words."""
        rows = self.query("SELECT process_id, state, detail FROM trader_status")
        return rows[0] if rows else (None, None, {"markets": {}})

    def versions(self):
        """Return the production version the trader runs, by market."""
        return {s: m["production"] for s, m in self.trader()[2]["markets"].items()}

    def healthy(self):
        """Tell whether everything is up; fail with the log if the stack has ended."""
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "up.log").read_text()[-2000:])
        return "all healthy after" in (self.folder / "up.log").read_text()

    def run_flow(self, deployment, **parameters):
        """Run a deployment to its end and return its artifacts."""
        api = f"http://127.0.0.1:{self.ports['prefect']}/api"
        found = httpx.get(f"{api}/deployments/name/{deployment}").json()
        made = httpx.post(
            f"{api}/deployments/{found['id']}/create_flow_run",
            json={"parameters": found["parameters"] | parameters, "state": {"type": "SCHEDULED"}},
        ).json()

        def ended():
            run = httpx.get(f"{api}/flow_runs/{made['id']}").json()
            return run if run["state_type"] in {"COMPLETED", "FAILED", "CRASHED"} else None

        run = until(ended, 240, f"the end of {deployment}")
        assert run["state_type"] == "COMPLETED", run["state"]
        artifacts = httpx.post(
            f"{api}/artifacts/filter",
            json={"artifacts": {"flow_run_id": {"any_": [made["id"]]}}},
        ).json()
        return [artifact["data"] for artifact in artifacts]

    def exchange_time(self):
        """Return the sandbox's time."""
        answer = httpx.get(f"http://127.0.0.1:{self.ports['sandbox']}/0/public/Time").json()
        return datetime.fromtimestamp(answer["result"]["unixtime"], UTC)
