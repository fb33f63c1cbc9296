"""A standby takes over from a trader that was killed, after it has reconciled."""

import os
import re
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text
from waiting import until

KEYS = {"KRAKEN_API_KEY": "test-key", "KRAKEN_API_SECRET": "dGhlIHNlY3JldCBvZiBhIHRlc3Q="}


@pytest.fixture
def sandbox():
    """Run a sandbox exchange and give its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ, **KEYS),
    ) as process:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
        process.terminate()


@pytest.fixture
def traders(sandbox, database_url, tmp_path):
    """Give what starts a trader; all are ended afterwards."""
    started = []
    websocket = sandbox.replace("http", "ws", 1) + "/v2"
    environment = dict(
        os.environ,
        **KEYS,
        DATABASE_URL=database_url,
        MLFLOW_TRACKING_URI="http://127.0.0.1:1",
        KRAKEN_REST_URL=sandbox,
        KRAKEN_PUBLIC_WS_URL=websocket,
        KRAKEN_PRIVATE_WS_URL=websocket,
        KRAKEN_REQUEST_INTERVAL_SECONDS="0",
        TRADER_MODEL_CACHE=str(tmp_path),
        TRADER_OUTAGE_FILE=str(tmp_path / "outage.jsonl"),
    )

    def start(*options):
        command = [sys.executable, "-m", "trader", *options]
        log = (tmp_path / f"trader-{len(started)}.log").open("w")
        started.append(subprocess.Popen(command, stderr=log, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait()


def test_a_standby_takes_over_within_seconds_after_reconciling(traders, database_url):
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://", 1))

    def live():
        with engine.connect() as connection:
            return connection.execute(
                text("SELECT process_id FROM trader_status")
            ).scalar_one_or_none()

    first = traders()
    until(lambda: live() == first.pid, 60, "the first trader's start")
    second = traders("--standby")
    with engine.connect() as connection:
        reconciled = "SELECT count(*) FROM reconciliation_events WHERE trigger = 'start'"
        before = connection.execute(text(reconciled)).scalar_one()

    first.kill()
    until(lambda: live() == second.pid, 30, "the take-over")

    with engine.connect() as connection:
        assert connection.execute(text(reconciled)).scalar_one() == before + 1
    engine.dispose()
