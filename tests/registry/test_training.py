"""What is examined was never taught, and the same bars always give the same model."""

from dataclasses import replace

import markets
import numpy as np
import pandas as pd
import pytest
from training_runs import MINUTE, retrained

from market import features
from registry import fitting, probes, report, served, training
from registry.errors import TrainingRefused
from registry.labels import label, triple_barrier
from registry.search import search
from registry.settings import StudySettings
from registry.training import Plan

PLAN = Plan(interval=MINUTE, horizon=10, cost=0.005, trials=2)


def course(bars, plan=PLAN):
    table = label(bars["close"], interval=MINUTE, horizon=plan.horizon, cost=plan.cost)
    return training.prepare(features.compute(bars), table, bars, plan)


def test_the_same_bars_give_the_same_model(candidate):
    again = retrained(markets.planted(1, days=7))

    assert again.model_ubj == candidate.model_ubj
    assert again.contract_json == candidate.contract_json


def test_nothing_that_teaches_ends_after_the_hold_out_begins():
    taught = course(markets.planted(2, days=3))

    opens = taught.table["decided"].iloc[taught.final.test[0]]
    assert (taught.table["ended"].iloc[taught.final.train] + PLAN.embargo <= opens).all()
    assert set(taught.examined) <= set(taught.final.train)


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        (markets.walk(1, days=1).iloc[:500], "at least 1000 bars"),
        (markets.walk(1, days=2) * 0 + 1.0, "0 rises beyond cost"),
        (markets.walk(1, days=3).iloc[::20], "at least 1000 bars"),
    ],
    ids=["too few", "constant prices", "no two bars in a row"],
)
def test_bars_that_cannot_teach_are_refused_in_a_sentence(bars, message):
    with pytest.raises(TrainingRefused, match=message):
        retrained(bars)


def test_a_hold_out_in_which_nothing_moved_is_refused():
    bars = markets.planted(3, days=4)
    quiet = bars.index >= bars.index[0] + pd.Timedelta(days=3)
    bars.loc[quiet, ["open", "high", "low", "close"]] = 1.0

    with pytest.raises(TrainingRefused, match="the hold-out, found 0 rises"):
        retrained(bars)


def test_labels_shuffled_in_stretches_keep_their_number_and_lose_their_place():
    labels = (np.arange(5000) % 20 < 10).astype("int8")

    shuffled = probes.shuffle_blocks(labels, mean_length=100, seed=1)

    assert shuffled.sum() == labels.sum()
    assert abs(np.corrcoef(shuffled, labels)[0, 1]) < 0.15
    assert np.abs(np.diff(shuffled)).sum() < 1.3 * np.abs(np.diff(labels)).sum()


def test_a_lesson_is_calibrated_without_its_own_outcomes():
    taught = course(markets.planted(5, days=3))
    margins = [one.margins for one in training.walk(taught, {"max_depth": 2})]
    own = taught.lessons[0].split.test
    table = taught.table.copy()
    table.iloc[own, table.columns.get_loc("y")] ^= 1

    before = training.cross_calibrate(taught, margins)
    after = training.cross_calibrate(replace(taught, table=table), margins)

    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])


def test_nor_with_outcomes_of_its_neighbours_that_reach_into_its_own_time():
    taught = course(markets.planted(5, days=3))
    margins = [one.margins for one in training.walk(taught, {"max_depth": 2})]
    own, after = (taught.lessons[n].split.test for n in (0, 1))
    ends = taught.table["ended"].iloc[own].max()
    meets = after[taught.table["decided"].iloc[after] < ends]
    table = taught.table.copy()
    table.iloc[meets, table.columns.get_loc("y")] ^= 1

    before = training.cross_calibrate(taught, margins)
    later = training.cross_calibrate(replace(taught, table=table), margins)

    assert len(meets) == PLAN.horizon - 1
    assert np.array_equal(before[0], later[0])
    assert not np.array_equal(before[2], later[2])


def test_what_a_lesson_examines_decides_nothing_before_it_has_been_examined():
    bars = markets.planted(5, days=3)
    table = label(bars["close"], interval=MINUTE, horizon=10, cost=0.005)
    rows = features.compute(bars)
    taught = training.prepare(rows, table, bars, PLAN)
    for params in ({"max_depth": 3}, fitting.BASELINE):
        told = [one.margins for one in training.walk(taught, params)]

        for n, lesson in enumerate(taught.lessons):
            turned = taught.table["y"].copy()
            turned.iloc[lesson.split.test] ^= 1
            otherwise = training.prepare(rows, taught.table.assign(y=turned), bars, PLAN)
            again = [one.margins for one in training.walk(otherwise, params)]

            same = [np.array_equal(*pair) for pair in zip(told, again, strict=True)]
            assert same == [k <= n for k in range(len(told))]


def test_how_far_to_go_is_decided_on_rows_that_teach_what_comes_next():
    taught = course(markets.planted(2, days=3))

    later = [*(lesson.split for lesson in taught.lessons), taught.final]
    for stage, after in zip(taught.stages, later, strict=True):
        assert set(stage.known) == set(stage.split.test) & set(after.train)
        assert np.array_equal(stage.test.get_weight() > 0, np.isin(stage.split.test, after.train))
    # The last ones of a fold are not known yet when the next one begins.
    assert len(taught.lessons[0].known) < len(taught.lessons[0].split.test)


def test_a_leak_of_the_outcome_does_not_survive_shuffling():
    bars = markets.walk(4, days=3, volatility=0.003)
    table = label(bars["close"], interval=MINUTE, horizon=10, cost=0.005)
    leaking = features.compute(bars)
    leaking["leak"] = table["forward_return"].reindex(leaking.index)

    taught = training.prepare(leaking, table, bars, PLAN)

    assert abs(probes.shuffled_gain(taught, {"max_depth": 3})) < 0.02


def test_only_labels_of_unequal_length_are_weighed_and_by_one_on_average():
    bars = markets.planted(6, days=2)
    terms = {"interval": MINUTE, "horizon": 10, "cost": 0.005}
    table = triple_barrier(bars["close"], **terms, width=1.0)

    barred = training.prepare(features.compute(bars), table, bars, replace(PLAN, barrier=1.0))

    assert barred.table["weight"].mean() == pytest.approx(1.0)
    assert barred.table["weight"].std() > 0.05
    assert barred.lessons[0].fit.get_weight().std() > 0.05
    assert "weight" not in course(bars).table


def test_labels_that_share_their_time_count_less_in_every_score():
    bars = markets.planted(6, days=2)
    table = triple_barrier(bars["close"], interval=MINUTE, horizon=10, cost=0.005, width=1.0)
    barred = training.prepare(features.compute(bars), table, bars, replace(PLAN, barrier=1.0))
    even = replace(barred, table=barred.table.assign(weight=1.0))

    weighed, scores = training.finish(barred, {"max_depth": 2})
    flat, others = training.finish(even, {"max_depth": 2})

    # The trees are the same only in the lessons, whose bins hold the weights.
    assert weighed.calibration != flat.calibration
    assert weighed.worth != flat.worth
    assert [one.log_loss for one in scores] != [one.log_loss for one in others]
    assert [one.base_log_loss for one in scores] != [one.base_log_loss for one in others]


def test_the_better_of_the_two_kinds_on_the_inner_folds_goes_on_to_the_hold_out(candidate):
    contest = candidate.contest
    plain_won = candidate.params == fitting.BASELINE

    assert plain_won == (contest.plain < contest.boosted)
    page, told = report.markdown(candidate), report.metrics(candidate)
    assert f"{contest.boosted:.4f}" in page
    assert f"{contest.plain:.4f}" in page
    assert told["inner_log_loss_xgboost"] == contest.boosted
    assert told["inner_log_loss_logistic_regression"] == contest.plain


def test_a_market_that_steps_explain_is_left_to_the_rival_and_served_like_any_other():
    bars = markets.planted(5, days=3)
    table = label(bars["close"], interval=MINUTE, horizon=10, cost=0.005)
    rows = features.compute(bars)
    random = np.random.default_rng(1)
    odds = np.clip(rows.fillna(0).iloc[:, :6].rank(pct=True).sum(axis=1) - 3, -2, 2)
    said = (random.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype("int8")
    table["y"] = said.reindex(table.index)
    taught = training.prepare(rows, table, bars, PLAN)

    found = search(taught, StudySettings(OPTUNA_STORAGE_URL=None), market="XRP/USD", name="one")
    model, scores = training.finish(taught, found.params)

    assert found.params == fitting.BASELINE
    assert found.plain < found.boosted
    assert all(fold.gain > 0 for fold in scores)
    held = taught.features.iloc[taught.final.test]
    booster = served.read_booster(probes.model_bytes(model))
    margins = booster.inplace_predict(
        training.to_matrix(held), predict_type="margin", validate_features=False
    )
    assert model.calibration.apply(margins) == pytest.approx(model.probabilities(held), abs=1e-6)


def test_a_study_on_record_is_continued_not_repeated(tmp_path):
    settings = StudySettings(OPTUNA_STORAGE_URL=f"sqlite:///{tmp_path}/study.db")
    taught = course(markets.planted(5, days=3))

    first = search(taught, settings, market="XRP/USD", name="one")
    again = search(taught, settings, market="XRP/USD", name="one")

    assert (first.trials, again.trials) == (3, 3)
    assert first.params == again.params


def test_golden_vectors_cover_missing_values(candidate):
    assert candidate.golden_json.count(b"null") >= 8
