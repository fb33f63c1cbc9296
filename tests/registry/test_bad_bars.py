"""Bars that cannot teach, or could not be checked, are refused in a sentence that says why."""

from dataclasses import replace
from datetime import timedelta

import markets
import numpy as np
import pytest
from training_runs import MINUTE, ORIGIN, retrained

from market import features
from registry import training
from registry.errors import TrainingRefused
from registry.labels import label
from registry.retraining import retrain
from registry.served import ServedModel, read_booster
from registry.settings import StudySettings
from registry.training import Plan

PLAN = Plan(interval=MINUTE, horizon=10, cost=0.005, trials=1)


def prepared(bars, *, changed=lambda rows: rows):
    table = label(bars["close"], interval=MINUTE, horizon=10, cost=0.005)
    return training.prepare(changed(features.compute(bars)), table, bars, PLAN)


@pytest.fixture(scope="module")
def bars():
    return markets.planted(3, days=4)


def test_prices_that_only_rise_leave_one_class(bars):
    rising = bars * 0 + np.exp(np.arange(len(bars)) * 0.001)[:, None]

    with pytest.raises(TrainingRefused, match=r"of each label in the hold-out, found (\d+) rises "):
        retrained(rising)


def test_a_hole_across_the_hold_out_is_refused_with_its_times(bars):
    begins = bars.index[0] + timedelta(days=3, hours=12)
    holed = bars[(bars.index < begins) | (bars.index >= begins + timedelta(hours=8))]

    with pytest.raises(TrainingRefused, match="no bars between 2026-11-04 11:59 and 2026-11-04 20"):
        prepared(holed)


def test_a_small_hole_in_the_hold_out_and_a_wide_one_before_it_are_not(bars):
    begins = bars.index[0] + timedelta(days=3, hours=12)
    small = bars[(bars.index < begins) | (bars.index >= begins + timedelta(minutes=30))]
    early = bars[(bars.index < bars.index[1500]) | (bars.index >= bars.index[2200])]

    assert prepared(small).final.test.size
    assert prepared(early).final.test.size


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_a_price_that_is_none_is_refused(bars, price):
    wrong = bars.copy()
    wrong.iloc[1000, 0] = price

    with pytest.raises(TrainingRefused, match="prices must be positive and volumes not negative"):
        retrained(wrong)


def test_a_feature_without_any_value_is_named(bars):
    name = features.NAMES[7]

    with pytest.raises(TrainingRefused, match=f"found 0; no bar has a value of {name}"):
        prepared(bars, changed=lambda rows: rows.assign(**{name: np.nan}))


def test_an_infinite_feature_is_refused(bars):
    def burst(rows):
        rows.iloc[2000, 3] = np.inf
        return rows

    with pytest.raises(TrainingRefused, match="finite features"):
        prepared(bars, changed=burst)


def test_a_champion_of_renamed_features_is_no_rival_and_no_obstacle(bars, candidate):
    renamed = replace(
        candidate.contract,
        features=("renamed", *candidate.contract.features[1:]),
        feature_hash="0" * 64,
    )

    judged = retrain(
        bars,
        features.compute,
        origin=ORIGIN,
        plan=PLAN,
        settings=StudySettings(OPTUNA_STORAGE_URL=None),
        champion=ServedModel(contract=renamed, booster=read_booster(candidate.model_ubj)),
    )

    assert judged.evidence.rivalry is None
    assert judged.contract.features == features.NAMES


def test_rows_taken_from_a_part_are_found_in_the_whole():
    part = np.array([3, 4, 6, 9])
    split = training.within(part, training.Split(train=np.array([0, 2]), test=np.array([3])))

    assert (split.train.tolist(), split.test.tolist()) == ([3, 6], [9])
