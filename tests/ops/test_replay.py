"""A recorded trader decides the same again to the last bit, and a changed price shows."""

import gzip
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import httpx
import numpy as np
import pytest
import xgboost as xgb
from sqlalchemy import text
from sqlalchemy.orm import Session
from waiting import until

from market import features
from ops.cli import main
from registry import contract, served
from registry.contract import Contract
from serving.model_cache import ModelCache, Version
from trader import record

pytestmark = pytest.mark.slow

KEYS = {"KRAKEN_API_KEY": "test-key", "KRAKEN_API_SECRET": "dGhlIHNlY3JldCBvZiBhIHRlc3Q="}
SPEED = 10
SECONDS = 10  # a bar; one closes in a second
ORDERS, HALTED, MORE = 3, 1, 4


def now():
    """Return this machine's time."""
    return datetime.now(UTC)


def tiny_model(symbol):
    """Make the files of a model that now likes what it sees and now does not."""
    rows = np.random.default_rng(0).normal(scale=0.001, size=(400, len(features.NAMES)))
    rose = rows[:, features.NAMES.index("return_1")] > 0
    settings = {"nthread": 1, "max_depth": 2, "objective": "binary:logistic"}
    booster = xgb.train(settings, xgb.DMatrix(rows, label=rose), 5)
    model = bytes(booster.save_raw("ubj"))
    terms = Contract(
        symbol=symbol,
        interval_seconds=SECONDS,
        horizon_bars=1,
        features=features.NAMES,
        feature_hash=features.HASH,
        cost=0.0,
        gain=0.1,
        loss=0.1,
        base_rate=0.5,
        platt_slope=1.0,
        platt_intercept=0.0,
        model_sha256=sha256(model).hexdigest(),
        data_hash="0",
        trained_until=datetime(2026, 1, 1, tzinfo=UTC),
        git_commit="0",
        gate_passed=True,
        gate_reason="every check passed",
    )
    golden = rows[: served.GOLDEN_ROWS]
    scorer = served.ServedModel(contract=terms, booster=served.read_booster(model))
    files = {
        "model.ubj": model,
        "contract.json": contract.to_json(terms),
        "golden.json": served.to_json(golden, [scorer.predict(row) for row in golden]),
    }
    tags = {
        "artifact_sha256": terms.model_sha256,
        "contract_sha256": sha256(files["contract.json"]).hexdigest(),
        "gate": "passed",
    }
    return Version(number=1, run_id="run", tags=tags), files


@pytest.fixture
def environment(database_url, tmp_path):
    """Run a sandbox at speed, and give the environment of a trader on it that is recorded."""
    cache = ModelCache(tmp_path / "models")
    for symbol in ("XRP/USD", "DOGE/USD"):
        cache.keep(symbol, *tiny_model(symbol))
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", "--speed", str(SPEED)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ, **KEYS),
    ) as process:
        sandbox = re.search(r"http://\S+", process.stdout.readline())[0]
        websocket = sandbox.replace("http", "ws", 1) + "/v2"
        yield dict(
            os.environ,
            **KEYS,
            DATABASE_URL=database_url,
            MLFLOW_TRACKING_URI="http://127.0.0.1:1",
            KRAKEN_REST_URL=sandbox,
            KRAKEN_PUBLIC_WS_URL=websocket,
            KRAKEN_PRIVATE_WS_URL=websocket,
            KRAKEN_REQUEST_INTERVAL_SECONDS="0",
            TRADER_WATCHED_SYMBOLS="",
            TRADER_BAR_SECONDS=str(SECONDS),
            TRADER_ORDER_DEADLINE_SECONDS="60",
            TRADER_MAX_CLOCK_SKEW_SECONDS="1e9",
            TRADER_MAX_ENTRIES_PER_HOUR="1000",
            TRADER_MODEL_CACHE=str(tmp_path / "models"),
            TRADER_OUTAGE_FILE=str(tmp_path / "outage.jsonl"),
            TRADER_RECORDING=str(tmp_path / "recording"),
        )
        process.terminate()


def fault(environment, what):
    """Ask the sandbox for a fault."""
    address = f"{environment['KRAKEN_REST_URL']}/admin/faults"
    assert httpx.post(address, json=what, timeout=10).is_success


@pytest.fixture
def recorded(environment, engine, tmp_path):
    """Let a trader trade until it has decided often enough, kill it, and give its recording."""

    def count(table):
        with engine.connect() as connection:
            return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()

    with (tmp_path / "trader.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "trader"], stderr=log, env=environment)
    try:
        fault(environment, {"kind": "drop_after", "method": "AddOrder"})
        until(lambda: count("orders") >= 1, 60, "an order whose answer is lost")
        fault(environment, {"kind": "close"})
        until(lambda: count("orders") >= ORDERS, 60, "enough orders")
        with Session(engine) as session, session.begin():
            record.halt(session, reason_code="command", reason="drill", who="test", at=now())
        until(lambda: count("decisions WHERE reason_code = 'halted'") >= HALTED, 30, "refusals")
        with Session(engine) as session, session.begin():
            record.resume(session, reason="drilled", who="test", at=now())
        enough = count("decisions") + MORE
        until(lambda: count("decisions") >= enough, 30, "enough decisions")
    finally:
        process.kill()
        process.wait()
    return tmp_path / "recording"


def replay(folder, capsys):
    """Run the command and return its exit code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(folder), "--json"])
    printed = capsys.readouterr()
    assert printed.out, printed.err
    return ended.value.code, json.loads(printed.out)


def read(folder):
    """Return the path of the only tape and its lines; the last may be cut off."""
    (path,) = folder.glob("*/tape-*")
    lines = []
    with gzip.open(path, "rt") as tape, suppress(EOFError):
        lines.extend(tape)
    return path, lines


def raise_a_price(folder):
    """Make one trade in the middle of a recording five per cent dearer."""
    path, lines = read(folder)
    trades = [
        number
        for number, line in enumerate(lines)
        if r"\"channel\":\"trade\"" in line and r"\"type\":\"update\"" in line
    ]
    chosen = trades[len(trades) // 2]
    lines[chosen] = re.sub(
        r'(\\"price\\":)([\d.]+)',
        lambda found: f"{found[1]}{Decimal(found[2]) * Decimal('1.05'):.5f}",
        lines[chosen],
        count=1,
    )
    path.write_bytes(gzip.compress("".join(lines).encode()))


def test_a_replay_decides_the_same_to_the_last_bit_and_notices_one_changed_price(
    recorded, environment, engine, monkeypatch, capsys
):
    monkeypatch.setenv("DATABASE_URL", environment["DATABASE_URL"])

    code, found = replay(recorded, capsys)

    assert found["difference"] is None
    assert code == 0
    assert found["equal"] == found["compared"] > MORE
    assert found["orders"] >= ORDERS

    with engine.connect() as connection:
        known = connection.execute(text("SELECT DISTINCT kind FROM order_events")).scalars().all()
    assert "losttrack" in known
    whole = "".join(read(recorded)[1])
    assert not re.search(r'API-|nonce|test-key|token\\":\\"(?!hidden)', whole)
    assert r"token\":\"hidden" in whole

    raise_a_price(recorded)
    code, found = replay(recorded, capsys)

    assert code == 1
    assert re.match(r"decision \S+ differs in ", found["difference"])
    assert 0 < found["equal"] < found["compared"]
