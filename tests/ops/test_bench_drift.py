"""Lives of models on markets that change or do not are checked as the flow would, and counted."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from drift.verdict import Kind, judge
from drift.window import OUTCOME, PROBABILITY, examine, forward_returns
from flows.drift_record import read_window
from market import features
from ops.bench import drift, markets, watching
from ops.bench.figures import Plan
from ops.bench.teaching import HORIZON, MINUTE
from sql import months
from sql.tables import PredictionRow, PriceBarRow

KNOWN = {"symbol": "XRP/USD", "interval_seconds": 60}


def ended(*false, change=None, steady=90, hours=None):
    return watching.Ended(
        number=0,
        kind="walk",
        change=change,
        passed=True,
        steady=steady,
        checks=steady * 3,
        false=false,
        hours=hours,
    )


def table_of(bars, told):
    """Return a table like that of a life, with probabilities from the fourth hour on."""
    table = features.compute(bars, MINUTE)
    table[OUTCOME] = forward_returns(bars["close"], MINUTE, HORIZON)
    table[PROBABILITY] = np.where(np.arange(len(bars)) < 240, np.nan, told)
    return table


def test_the_seeded_part_asks_for_nothing_before_the_pattern_turns_and_then_for_a_model():
    false, found, reversed_, gone = drift.measure(Plan(quick=True))

    assert (false.value, found.value) == (0.0, 100.0)
    assert 0 < reversed_.value <= 7 * 24
    assert np.isnan(gone.value)
    assert all(figure.holds for figure in (false, found))


def test_a_campaign_takes_every_noise_with_every_change_and_never_a_seed_twice():
    runs = drift.choose(Plan(seed=3))

    changed = [run for run in runs if run.change]
    assert {(run.kind, run.change) for run in changed} == {
        (kind, change) for kind in drift.KINDS for change in drift.CHANGES
    }
    assert [run.number for run in runs] == list(range(16))
    assert {run.steady for run in runs if not run.change} == {90}
    assert len({run.seed for run in runs}) == len(runs)
    assert not {run.seed for run in runs} & {run.seed for run in drift.choose(Plan())}


def test_every_retraining_without_a_change_counts_by_the_quarter():
    lives = [ended("calibration", "calibration", "performance"), ended()]
    lives += [ended(change="gone", steady=45)]

    false, found, _, gone = drift.count(lives)

    assert false.value == pytest.approx(3 / 2.5)
    assert not false.holds
    assert "in 1 of them (calibration: 2, performance: 1)" in false.how
    assert found.value == 0.0
    assert not found.holds
    assert np.isnan(gone.value)


def test_the_time_until_a_change_is_found_is_told_for_each_apart():
    lives = [ended(change="reversed", hours=8.0), ended(change="reversed", hours=16.0)]
    lives += [ended(change="gone", hours=40.0), ended(change="gone")]

    _, found, reversed_, gone = drift.count(lives)

    assert (found.value, reversed_.value, gone.value) == (75.0, 12.0, 40.0)
    assert "reversed: 2 of 2, gone: 1 of 2" in found.how


def test_without_a_change_there_is_nothing_to_find():
    _, found, *_ = drift.count([ended()])

    assert found.unit == "% of none"
    assert found.goal is None


def test_a_window_is_what_the_flow_reads_from_the_record(database_engine_of_a_life):
    engine, bars, table = database_engine_of_a_life
    model = SimpleNamespace(
        symbol="XRP/USD", version=3, cost=watching.COST, tags={"horizon_bars": "10"}
    )
    spans = timedelta(days=watching.REFERENCE_DAYS), timedelta(minutes=watching.CURRENT)

    theirs = read_window(engine, model, MINUTE, spans, None)
    ours = watching.window(table, len(bars))

    assert (ours.start, ours.end, ours.cost) == (theirs.start, theirs.end, theirs.cost)
    for name in ("reference", "current", "scores"):
        ourselves, record = getattr(ours, name), getattr(theirs, name)
        pd.testing.assert_frame_equal(
            ourselves, record, check_freq=False, check_names=False, check_index_type=False
        )


@pytest.fixture
def database_engine_of_a_life(engine):
    bars = markets.walk(4, 2, volatility=0.003).round(8)
    told = np.random.default_rng(1).uniform(0.2, 0.6, len(bars))
    table = table_of(bars, told)
    rows = bars.reset_index().to_dict("records")
    scored = table[table[PROBABILITY].notna()]
    with Session(engine) as session, session.begin():
        months.ensure(session, "price_bars", bars.index)
        session.execute(insert(PriceBarRow), [row | KNOWN | {"source": "made up"} for row in rows])
        session.execute(
            insert(PredictionRow),
            [
                KNOWN
                | {
                    "bar_start": at.to_pydatetime(),
                    "model_version": 3,
                    "role": "production",
                    "probability": float(told),
                    "horizon_bars": HORIZON,
                    "feature_hash": features.HASH,
                    "features": [0.0],
                    "at": at.to_pydatetime(),
                }
                for at, told in scored[PROBABILITY].items()
            ],
        )
    return engine, bars, table


@pytest.mark.parametrize("sure", [0.0, 0.35])
def test_leaving_features_out_where_they_cannot_matter_changes_no_verdict(sure):
    bars = markets.walk(4, 3, volatility=0.003)
    table = table_of(bars, np.random.default_rng(1).uniform(0.2, 0.3, len(bars)))
    table.loc[table.index[-watching.CURRENT :], PROBABILITY] += sure
    seen = watching.window(table, len(bars))

    _, verdict = watching.check(seen)

    assert verdict.retrain is judge(examine(seen)).retrain


def test_features_are_asked_where_predictions_moved_and_may_ask_for_a_model():
    bars = markets.walk(4, 12, volatility=0.003)
    wild = markets.walk(5, 1, volatility=0.012).iloc[-watching.CURRENT :]
    whole = markets.joined(bars, wild)
    table = features.compute(whole, MINUTE)
    table[OUTCOME] = forward_returns(whole["close"], MINUTE, HORIZON)
    # Right about the outcomes, so that nothing but the distributions can ask.
    rose = (table[OUTCOME] > watching.COST).to_numpy()
    table[PROBABILITY] = np.where(rose, 0.9, 0.1)
    later = np.arange(len(whole)) >= len(bars)
    table.loc[later, PROBABILITY] = np.where(rose[later], 0.99, 0.01)

    found, verdict = watching.check(watching.window(table, len(whole)))

    assert {one.kind for one in found if one.alarm} >= {Kind.PREDICTION, Kind.FEATURE}
    assert verdict.retrain
    assert watching.cause(found) == "predictions and features"


def test_a_market_that_turns_is_the_same_until_then_and_has_no_seam():
    run = replace(drift.choose(Plan(quick=True))[1], change="reversed")

    still, turned = (watching.bars(replace(run, change=to)) for to in (None, "reversed"))

    days = run.taught + run.steady
    assert len(still) == days * 1440
    assert len(turned) == (days + run.changed) * 1440
    pd.testing.assert_frame_equal(turned.iloc[: len(still)], still, check_freq=False)
    steps = np.abs(np.diff(np.log(turned["close"])))
    assert steps[len(still) - 1] < 10 * np.median(steps)
    assert (turned["close"].shift(1) / turned["open"]).dropna().to_numpy() == pytest.approx(1.0)


def test_the_same_seed_makes_the_same_market():
    run = drift.choose(Plan(quick=True))[0]

    assert watching.bars(run).equals(watching.bars(run))
