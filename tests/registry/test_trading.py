"""What a search and a gate count as earned is what the live rules would have made of it."""

from dataclasses import replace

import markets
import numpy as np
import optuna
import pandas as pd
import pytest
from live_rules import traded
from one_search import course as searched
from paper_markets import contract
from training_runs import MINUTE

from market import features
from registry import fitting, training
from registry.labels import label
from registry.search import search
from registry.settings import StudySettings
from registry.studies import open_storage
from registry.trading import Told, Trading, trade
from registry.training import Plan

PLAN = Plan(interval=MINUTE, horizon=10, cost=0.003)


def by_the_rules(course, told):
    """Return the live rules' round trips on each model's rows, from the bar before to after."""
    trips = []
    for one in told:
        index = course.table.index[one.rows]
        place = course.bars.index.get_indexer(index)
        bars = course.bars.iloc[max(place[0] - 1, 0) : place[-1] + 2]
        said = pd.Series(one.probability, index).reindex(bars.index).to_numpy()
        agreed = contract(
            gain=one.worth.gain,
            loss=one.worth.loss,
            base_rate=one.base_rate,
            cost=course.plan.cost,
            horizon_bars=course.plan.horizon,
        )
        trips += traded(bars, said, agreed)
    return trips


def blocks_of(course, told, trips):
    decided = course.table["decided"].iloc[np.concatenate([one.rows for one in told])]
    blocks = np.zeros((decided.iloc[-1] - decided.iloc[0]) // course.plan.block + 1)
    for entered, _, net in trips:
        blocks[(course.table["decided"][entered] - decided.iloc[0]) // course.plan.block] += net
    return blocks


def broken(seed):
    """Return bars with holes, of one bar and of an hour."""
    bars = markets.planted(seed, days=4)
    missing = [slice(1500, 1501), slice(3000, 3060), slice(3800, 3803), slice(5300, 5301)]
    return bars.drop(bars.index[np.concatenate([np.arange(len(bars))[one] for one in missing])])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_trades_are_those_of_the_live_rules_on_bars_with_holes(seed):
    bars, random = broken(seed), np.random.default_rng(seed)
    table = label(bars["close"], interval=MINUTE, horizon=PLAN.horizon, cost=PLAN.cost)
    course = training.prepare(features.compute(bars), table, bars, PLAN)
    told = [
        Told(
            rows=lesson.split.test,
            probability=np.clip(random.normal(0.5, 0.3, len(lesson.split.test)), 0.01, 0.99),
            worth=lesson.worth,
            base_rate=lesson.base_rate,
        )
        for lesson in course.lessons
    ]

    found = trade(course, told)

    trips = by_the_rules(course, told)
    starts = course.table.index[course.examined]
    assert len(trips) > 50
    assert list(starts[found.entered]) == [entered for entered, _, _ in trips]
    assert list(starts[found.left]) == [left for _, left, _ in trips]
    assert found.net == pytest.approx([net for _, _, net in trips], abs=1e-9)
    assert found.blocks == pytest.approx(blocks_of(course, told, trips), abs=1e-9)


def test_every_trial_keeps_what_the_live_rules_would_have_earned(tmp_path):
    settings = StudySettings(OPTUNA_STORAGE_URL=f"sqlite:///{tmp_path}/study.db")
    course = searched(2)

    found = search(course, settings, market="XRP/USD", name="one")

    trials = optuna.load_study(study_name="one", storage=open_storage(settings)).trials
    assert len(trials) == 3
    for n, trial in enumerate(trials):
        margins = [one.margins for one in training.walk(course, trial.params or fitting.BASELINE)]
        told = [
            Told(
                rows=lesson.split.test,
                probability=probability,
                worth=lesson.worth,
                base_rate=lesson.base_rate,
            )
            for lesson, probability in zip(
                course.lessons, training.cross_calibrate(course, margins), strict=True
            )
        ]
        blocks = blocks_of(course, told, by_the_rules(course, told))
        assert blocks.any()
        assert trial.user_attrs["blocks"] == pytest.approx(blocks, abs=1e-9)
        assert trial.user_attrs["sharpe"] == pytest.approx(blocks.mean() / blocks.std(ddof=1))
        assert found.returns[:, n] == pytest.approx(blocks, abs=1e-9)


def test_the_gate_counts_the_trades_that_the_contract_would_have_made(candidate):
    held, bars = candidate.hold_out, markets.planted(1, days=7)
    first, last = bars.index.get_indexer(held.table.index[[0, -1]])
    stretch = bars.iloc[first - 1 : last + 2]
    said = pd.Series(held.probability, held.table.index).reindex(stretch.index).to_numpy()

    trips = traded(stretch, said, candidate.contract)

    assert list(held.table.index[held.trading.entered]) == [entered for entered, _, _ in trips]
    assert list(held.table.index[held.trading.left]) == [left for _, left, _ in trips]
    assert held.trading.net == pytest.approx([net for _, _, net in trips], abs=1e-9)
    assert candidate.evidence.trades == len(trips)
    assert candidate.evidence.net_per_trade == pytest.approx(held.trading.net.mean())


def test_one_model_does_not_hold_what_another_bought():
    course = searched(2)
    told = [
        Told(
            rows=lesson.split.test,
            probability=np.full(len(lesson.split.test), 0.97),
            worth=replace(lesson.worth, gain=0.02),
            base_rate=0.5,
        )
        for lesson in course.lessons
    ]

    found = trade(course, told)

    # Each would hold for ever, and what is held at the end does not count.
    assert not len(found.net)
    assert not found.blocks.any()
    assert found.sharpe == 0


def test_without_two_blocks_nothing_is_sure():
    none = np.array([], dtype=np.intp)
    lone = Trading(entered=none, left=none, net=np.zeros(0), blocks=np.ones(1))

    assert lone.sharpe == 0
    assert lone.lower_bound() == -np.inf
