"""A drift check ends in a sentence whatever it finds, and only lost skill asks for more."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import markets
import numpy as np
import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from drift.verdict import Kind
from flows.check_drift import check_drift, judge_window, read_window
from market import features
from registry.contract import model_name
from sql import months
from sql.tables import DriftResultRow, PredictionRow, PriceBarRow

SYMBOL = "XRP/USD"
MINUTE = timedelta(minutes=1)
HORIZON = 10
SPANS = timedelta(days=2), timedelta(hours=2)
MODEL = SimpleNamespace(
    symbol=SYMBOL, version=3, cost=0.0, tags={"horizon_bars": str(HORIZON), "cost": "0.0"}
)


def record(engine, bars, symbol=SYMBOL):
    known = {"symbol": symbol, "interval_seconds": 60, "source": "made up"}
    rows = bars.round(8).reset_index().to_dict("records")
    with Session(engine) as session, session.begin():
        months.ensure(session, "price_bars", bars.index)
        session.execute(insert(PriceBarRow), [row | known for row in rows])


def score(engine, bars, told, seen=None):
    """Write down a probability for every bar, and the features the model is said to have seen."""
    rows = [
        {
            "symbol": SYMBOL,
            "interval_seconds": 60,
            "bar_start": at.to_pydatetime(),
            "model_version": 3,
            "role": "production",
            "probability": float(told[n]),
            "horizon_bars": HORIZON,
            "feature_hash": features.HASH,
            "features": [0.0] if seen is None else list(seen[n]),
            "at": at.to_pydatetime(),
        }
        for n, at in enumerate(bars.index)
    ]
    with Session(engine) as session, session.begin():
        session.execute(insert(PredictionRow), rows)


def rose(bars):
    later = bars["close"].shift(-HORIZON)
    return (later > bars["close"]).to_numpy()


def check(engine, **changes):
    given = {"model": MODEL, "interval": MINUTE, "spans": SPANS, "until": None} | changes
    window = read_window(engine, **given)
    return judge_window(engine, SYMBOL, MODEL, window)


def by_kind(checked):
    return {finding.kind: finding for finding in checked.findings}


def test_without_a_model_it_says_so(engine):
    checked = judge_window(engine, SYMBOL, None, None)

    assert checked.reason == "no model is in production, so none can drift"
    assert checked.markdown().startswith("# XRP/USD: no model")


def test_without_bars_it_says_so(engine):
    assert check(engine).reason == "no bars are on record to compare yet"


def test_a_quiet_market_and_a_silent_model_ask_for_nothing(engine):
    record(engine, markets.clustered(3, days=3))

    checked = check(engine)

    found = by_kind(checked)
    assert not checked.retrain
    assert found[Kind.FEATURE].testable
    assert not found[Kind.PERFORMANCE].testable
    assert "3 of 5 kinds not testable yet" in checked.reason
    assert {row["feature"] for row in checked.table()} == set(features.NAMES)


def test_a_model_that_is_wrong_in_both_directions_is_found_by_its_outcomes(engine):
    bars = markets.walk(4, days=2)
    record(engine, bars)
    score(engine, bars, np.where(rose(bars), 0.35, 0.65))

    checked = check(engine)

    assert checked.retrain
    assert checked.reason.startswith("retraining is wanted: the evidence that the base rate")
    assert by_kind(checked)[Kind.PERFORMANCE].alarm


def test_a_model_that_is_right_is_left_alone(engine):
    bars = markets.walk(4, days=2)
    record(engine, bars)
    score(engine, bars, np.where(rose(bars), 0.55, 0.45))

    checked = check(engine)

    assert not by_kind(checked)[Kind.PERFORMANCE].alarm
    assert not checked.retrain


def test_a_market_that_grew_wild_moves_features_but_retrains_nothing(engine):
    calm, wild = markets.walk(5, days=3), markets.walk(6, days=3, volatility=0.004)
    both = calm.copy()
    both.iloc[-120:] = wild.iloc[-120:] / wild["open"].iloc[-120] * calm["close"].iloc[-121]
    record(engine, both.assign(volume=calm["volume"]))

    checked = check(engine)

    assert by_kind(checked)[Kind.FEATURE].alarm
    assert not checked.retrain
    assert "which alone proves nothing" in checked.reason


def test_what_the_model_saw_counts_not_what_it_should_have_seen(engine):
    bars = markets.walk(7, days=3)
    record(engine, bars)
    last = bars.iloc[-120:]
    score(engine, last, np.full(120, 0.5), seen=np.full((120, len(features.NAMES)), 0.25))

    window = read_window(engine, MODEL, MINUTE, SPANS, None)

    assert (window.current[list(features.NAMES)] == 0.25).all(axis=None)
    assert not (window.reference[list(features.NAMES)] == 0.25).any(axis=None)


def test_every_kind_is_recorded_once_a_window(engine):
    record(engine, markets.walk(3, days=3))

    first, again = check(engine), check(engine)

    assert first == again
    with Session(engine) as session:
        rows = session.scalars(select(DriftResultRow)).all()
        assert sorted(row.kind for row in rows) == sorted(Kind)
        assert {row.window_end for row in rows} == {first.end}


def test_a_window_sees_nothing_from_after_its_end(engine):
    bars = markets.walk(3, days=3)
    record(engine, bars)
    end = bars.index[-600].to_pydatetime()

    window = read_window(engine, MODEL, MINUTE, SPANS, end)

    assert window.current.index.max() < end
    assert window.end == end


@pytest.fixture
def client(monkeypatch, database_url, mlflow_address, prefect_server):  # noqa: ARG001
    """Give MLflow's client; flows find everything by environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    return MlflowClient(tracking_uri=mlflow_address)


def promote(client, symbol):
    name = model_name(symbol)
    client.create_registered_model(name)
    run = client.create_run("0")
    tags = {"gate": "passed", "cost": "0.0", "horizon_bars": str(HORIZON)}
    found = client.create_model_version(name, run.info.artifact_uri, run.info.run_id, tags)
    client.set_registered_model_alias(name, "production", found.version)


def test_the_flow_ends_well_without_a_model_in_production(client):
    assert client is not None

    checked = check_drift("BTC/USD")

    assert checked.reason == "no model is in production, so none can drift"


def test_the_flow_leaves_a_report_in_mlflow_and_an_artifact_in_prefect(client, engine, tmp_path):
    record(engine, markets.walk(3, days=3), symbol="ADA/USD")
    promote(client, "ADA/USD")

    checked = check_drift("ADA/USD", days_reference=2, hours_current=2)

    experiment = client.get_experiment_by_name("drift").experiment_id
    (run,) = client.search_runs([experiment], "tags.symbol = 'ADA/USD'")
    assert run.data.tags["version"] == "1"
    assert run.data.metrics["performance_alarm"] == 0
    page = client.download_artifacts(run.info.run_id, "report.html", str(tmp_path))
    assert "Wasserstein" in Path(page).read_text()
    verdict = client.download_artifacts(run.info.run_id, "verdict.json", str(tmp_path))
    assert json.loads(Path(verdict).read_text())["reason"] == checked.reason
    with get_client(sync_client=True) as prefect:
        shown = {a.key: a for a in prefect.read_artifacts() if a.key and "ada-usd" in a.key}
    assert shown["drift-ada-usd"].description == checked.reason
    assert "drift-features-ada-usd" in shown
