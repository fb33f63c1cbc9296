"""friday kill empties the books of a real exchange with a key that can do nothing else."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import ccxt
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from trader import record


@pytest.fixture
def sandbox():
    """Run a sandbox exchange and give its address."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
        process.terminate()


def mint(url, **asked):
    body = json.dumps(asked).encode()
    with urllib.request.urlopen(f"{url}/admin/keys", data=body, timeout=10) as answer:
        made = json.loads(answer.read())
    return made["key"], made["secret"]


def client(url, key, secret):
    api = {"public": url, "private": url}
    return ccxt.kraken(
        {"apiKey": key, "secret": secret, "enableRateLimit": False, "urls": {"api": api}}
    )


def run(url, key, secret, **environment):
    known = {name: value for name, value in os.environ.items() if not name.startswith("KRAKEN_")}
    known.pop("DATABASE_URL", None)
    return subprocess.run(
        [Path(sys.executable).parent / "friday", "kill", "--reason", "a test"],
        env=known
        | {
            "KRAKEN_REST_URL": url,
            "KRAKEN_KILL_API_KEY": key,
            "KRAKEN_KILL_API_SECRET": secret,
            "KRAKEN_REQUEST_INTERVAL_SECONDS": "0",
        }
        | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_everything_is_cancelled_and_trading_halted(sandbox, engine, database_url, tmp_path):
    trading = client(sandbox, *mint(sandbox, account="main"))
    for _ in range(3):
        trading.create_order("XRP/USD", "limit", "buy", 10, 0.5)
    key, secret = mint(sandbox, account="main", permissions=["close-trades"])

    done = run(sandbox, key, secret, DATABASE_URL=database_url, FRIDAY_HOME=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "cancelled 3 orders" in done.stdout
    assert trading.fetch_open_orders() == []
    with Session(engine) as session:
        assert [halt.reason for halt in record.current_halts(session)] == ["a test"]
    with pytest.raises(ccxt.PermissionDenied):
        client(sandbox, key, secret).create_order("XRP/USD", "limit", "buy", 10, 0.5)


def test_without_a_record_it_cancels_and_says_that_nothing_is_halted(sandbox, tmp_path):
    key, secret = mint(sandbox, account="main", permissions=["close-trades"])

    done = run(sandbox, key, secret, FRIDAY_HOME=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "NOT HALTED" in done.stdout


def test_a_record_that_does_not_answer_keeps_it_from_cancelling_for_moments_only(
    sandbox, engine, database_url, tmp_path
):
    trading = client(sandbox, *mint(sandbox, account="main"))
    trading.create_order("XRP/USD", "limit", "buy", 10, 0.5)
    key, secret = mint(sandbox, account="main", permissions=["close-trades"])

    with engine.begin() as somebody:
        somebody.execute(text("LOCK TABLE halts"))
        done = run(sandbox, key, secret, DATABASE_URL=database_url, FRIDAY_HOME=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "cancelled 1 orders" in done.stdout
    assert "NOT HALTED" in done.stdout
    assert "has not answered" in done.stderr


@pytest.mark.parametrize(
    "url", ["localhost:9464/health", "nonsense", "file:///health", "http://[::1"]
)
def test_a_health_that_cannot_be_asked_for_kills_nobody(url, tmp_path):
    done = subprocess.run(
        [Path(sys.executable).parent / "friday", "kill", "--reason", "a test", "--watch", url],
        env=os.environ
        | {"KRAKEN_KILL_API_KEY": "key", "KRAKEN_KILL_API_SECRET": "c2VjcmV0"}
        | {"KRAKEN_REST_URL": "http://127.0.0.1:1", "FRIDAY_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )

    assert done.returncode == 2
    assert "expected an address such as http://127.0.0.1:9464/health" in done.stderr
