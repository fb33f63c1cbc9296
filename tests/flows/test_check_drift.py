"""A drift check ends in a sentence whatever it finds, and only lost skill asks for more."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import markets
import numpy as np
import pytest
from mlflow import MlflowClient
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.exceptions import ParameterTypeError
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from drift.verdict import Kind
from drift.window import OUTCOME
from flows import check_drift as checking
from flows.check_drift import attach_report, check_drift, interval_of, production_model
from flows.drift_record import judge_window, read_window
from market import features
from registry.contract import model_name
from sql import months, promotions
from sql.tables import DriftResultRow, PredictionRow, PriceBarRow

SYMBOL = "XRP/USD"
MINUTE = timedelta(minutes=1)
HORIZON = 10
SPANS = timedelta(days=2), timedelta(hours=2)
LONGER = timedelta(days=2), timedelta(hours=8)  # enough outcomes for an alarm of its own
MODEL = SimpleNamespace(
    symbol=SYMBOL,
    version=3,
    cost=0.0,
    tags={"horizon_bars": str(HORIZON), "interval_seconds": "60", "cost": "0.0"},
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
    checked = judge_window(engine, SYMBOL, None, "")

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

    checked = check(engine, spans=LONGER)

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

    assert (first.repeated, again.repeated) == (False, True)
    assert replace(again, repeated=False) == first
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


def test_a_window_knows_no_outcome_that_nobody_knew_then(engine):
    bars = markets.walk(3, days=3)
    record(engine, bars)
    score(engine, bars, np.full(len(bars), 0.5))
    check(engine)  # settles every outcome there is
    end = bars.index[-600].to_pydatetime()

    window = read_window(engine, MODEL, MINUTE, SPANS, end)

    # The outcome of the last bar but ten is told by the close of the last.
    known = window.scores[OUTCOME].dropna().index.max().to_pydatetime()
    assert known == end - (HORIZON + 1) * MINUTE
    assert known == window.current[OUTCOME].dropna().index.max()


@pytest.mark.parametrize("later", [timedelta(days=300), timedelta(seconds=59)])
def test_a_window_ends_with_the_record_and_with_a_bar_whatever_was_asked_for(engine, later):
    bars = markets.walk(3, days=3)
    record(engine, bars)
    ends = bars.index[-1].to_pydatetime() + MINUTE

    window = read_window(engine, MODEL, MINUTE, SPANS, ends + later)

    assert window.end == ends
    assert read_window(engine, MODEL, MINUTE, SPANS, ends - MINUTE + later / 500).end <= ends


def test_two_checks_of_one_window_at_once_record_it_once(engine):
    record(engine, markets.walk(3, days=3))
    window = read_window(engine, MODEL, MINUTE, SPANS, None)
    with ThreadPoolExecutor(4) as pool:
        checks = [pool.submit(judge_window, engine, SYMBOL, MODEL, window) for _ in range(4)]

    assert sorted(one.result().repeated for one in checks) == [False, True, True, True]
    with Session(engine) as session:
        rows = session.scalars(select(DriftResultRow)).all()
        assert sorted(row.kind for row in rows) == sorted(Kind)


@pytest.mark.parametrize(
    ("tags", "untold"),
    [
        ({"horizon_bars": "10"}, "interval_seconds"),
        ({"interval_seconds": "60", "horizon_bars": "ten"}, "horizon_bars"),
        ({}, "interval_seconds and horizon_bars"),
    ],
)
def test_a_version_that_does_not_say_what_it_forecasts_is_told(tags, untold):
    reason = interval_of(SimpleNamespace(version=3, tags=tags))

    assert reason == (
        f"version 3 is in production and does not tell its {untold}, so nothing can be checked"
    )


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"symbol": "XRP USD"}, "expected a market such as XRP/USD, not 'XRP USD'"),
        ({"hours_current": -8}, "hours_current: Input should be greater than or equal to 1"),
        ({"days_reference": 0}, "days_reference: Input should be greater than or equal to 1"),
        ({"interval_seconds": 0}, "interval_seconds: Input should be greater"),
        ({"until": "2026-03-01T00:00:00"}, "until: Input should have timezone info"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_a_sentence(asked, refused):
    with pytest.raises(ParameterTypeError, match=re.escape(refused)):
        check_drift.validate_parameters({"symbol": SYMBOL} | asked)


def test_a_market_is_known_in_small_letters_and_a_time_in_any_zone():
    given = {"symbol": "xrp/usd", "until": "2026-03-01T01:00:00+02:00"}

    asked = check_drift.validate_parameters(given)

    assert asked["symbol"] == SYMBOL
    assert asked["until"].isoformat() == "2026-02-28T23:00:00+00:00"


@pytest.fixture
def client(monkeypatch, database_url, mlflow_address, prefect_server):  # noqa: ARG001
    """Give MLflow's client; flows find everything by environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    return MlflowClient(tracking_uri=mlflow_address)


def promote(client, symbol, seconds=60):
    name = model_name(symbol)
    client.create_registered_model(name)
    run = client.create_run("0")
    tags = {
        "gate": "passed",
        "cost": "0.0",
        "horizon_bars": str(HORIZON),
        "interval_seconds": str(seconds),
    }
    found = client.create_model_version(name, run.info.artifact_uri, run.info.run_id, tags)
    client.set_registered_model_alias(name, "production", found.version)
    return int(found.version)


def test_the_flow_ends_well_without_a_model_in_production(client):
    assert client is not None

    checked = check_drift("BTC/USD")

    assert checked.reason == "no model is in production, so none can drift"


def test_the_version_whose_stage_the_trader_saw_move_is_checked(client, engine):
    one = promote(client, "UNI/USD")
    run = client.create_run("0")
    other = client.create_model_version("uni-usd", run.info.artifact_uri, run.info.run_id)
    with pytest.warns(FutureWarning, match="deprecated"):
        client.transition_model_version_stage("uni-usd", other.version, "Production")
    with Session(engine) as session, session.begin():
        assert production_model(session, client, "UNI/USD").version == one
        promotions.record(
            session,
            symbol="UNI/USD",
            action=promotions.PROMOTED,
            from_version=one,
            to_version=int(other.version),
            who="the registry",
            reason="its stage was moved",
            evidence={},
            at=datetime(2026, 3, 1, tzinfo=UTC),
        )

        assert production_model(session, client, "UNI/USD").version == int(other.version)


def test_a_model_is_checked_on_the_bars_that_it_scores(client, engine):
    record(engine, markets.walk(3, days=3), symbol="ATOM/USD")
    promote(client, "ATOM/USD", seconds=300)

    checked = check_drift("ATOM/USD", interval_seconds=60)

    assert checked.reason == "no bars are on record to compare yet"


def test_one_window_has_one_run_and_asks_for_one_model(client, engine, monkeypatch):
    bars = markets.walk(4, days=2)
    record(engine, bars)
    score(engine, bars, np.where(rose(bars), 0.35, 0.65))
    whole = read_window(engine, MODEL, MINUTE, LONGER, None)
    few = whole.reference[[OUTCOME]], whole.current[[OUTCOME]]
    window = replace(whole, reference=few[0], current=few[1])  # a column takes Evidently seconds
    wanted = []
    monkeypatch.setattr(checking, "emit_event", lambda **event: wanted.append(event))

    @flow
    def twice():
        for _ in range(2):
            checked = judge_window(engine, SYMBOL, MODEL, window)
            checking.publish(checked)
            run_id = attach_report(client, checked, window)
        return checked, run_id

    checked, run_id = twice()

    assert checked.retrain
    assert [event["event"] for event in wanted] == ["friday.retrain-wanted"]
    experiment = client.get_experiment_by_name("drift").experiment_id
    (run,) = client.search_runs([experiment], f"tags.symbol = '{SYMBOL}'")
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")


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
