"""Nothing teaches that was not known before the examination began."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.labels import label
from registry.splits import combinatorial, hold_out, paths, walk_forward

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def closes(prices, missing=()):
    index = pd.date_range(START, periods=len(prices), freq=MINUTE)
    return pd.Series(prices, index=index, dtype=float).drop(index[list(missing)])


def test_a_label_compares_the_return_with_the_cost():
    table = label(closes([100, 100, 101, 102, 100]), interval=MINUTE, horizon=2, cost=0.015)

    assert table["forward_return"].tolist() == pytest.approx([0.01, 0.02, 100 / 101 - 1])
    assert table["y"].tolist() == [0, 1, 0]


def test_a_row_is_used_from_its_close_until_its_outcome():
    table = label(closes([100] * 5), interval=MINUTE, horizon=2, cost=0.01)

    assert table["decided"].iloc[0] == START + MINUTE
    assert table["ended"].iloc[0] == START + 3 * MINUTE


def test_a_missing_bar_leaves_no_label_that_needs_it():
    table = label(closes(range(100, 110), missing=[5]), interval=MINUTE, horizon=2, cost=0)

    assert [(at - START) // MINUTE for at in table.index] == [0, 1, 2, 4, 6, 7]


@pytest.mark.parametrize(("horizon", "cost"), [(0, 0.1), (1, -0.1), (1, float("nan"))])
def test_an_impossible_question_is_refused(horizon, cost):
    with pytest.raises(ValueError):
        label(closes([1, 2, 3]), interval=MINUTE, horizon=horizon, cost=cost)


def test_bars_out_of_order_are_refused():
    with pytest.raises(ValueError):
        label(closes([1, 2, 3])[::-1], interval=MINUTE, horizon=1, cost=0)


@given(
    rows=st.integers(30, 200),
    horizon=st.integers(1, 10),
    embargo=st.integers(0, 10),
    folds=st.integers(1, 5),
    missing=st.sets(st.integers(0, 29), max_size=5),
)
def test_no_row_teaches_before_its_outcome_is_known(rows, horizon, embargo, folds, missing):
    table = label(closes([100] * rows, missing), interval=MINUTE, horizon=horizon, cost=0)

    for split in walk_forward(table, folds=folds, embargo=embargo * MINUTE):
        opens = table["decided"].iloc[split.test[0]]
        assert (table["ended"].iloc[split.train] + embargo * MINUTE <= opens).all()


def test_examinations_follow_each_other_without_overlap():
    table = label(closes([100] * 103), interval=MINUTE, horizon=3, cost=0)

    tests = [split.test for split in walk_forward(table, folds=4, embargo=MINUTE)]

    assert np.concatenate(tests).tolist() == list(range(20, 100))


def test_purging_takes_no_more_than_it_must():
    table = label(closes([100] * 103), interval=MINUTE, horizon=3, cost=0)

    split = hold_out(table, share=0.2, embargo=2 * MINUTE)

    assert split.test.tolist() == list(range(80, 100))
    assert split.train.tolist() == list(range(76))


@pytest.mark.parametrize("share", [0, 1])
def test_a_hold_out_of_everything_or_nothing_is_refused(share):
    table = label(closes([100] * 10), interval=MINUTE, horizon=1, cost=0)

    with pytest.raises(ValueError):
        hold_out(table, share=share, embargo=MINUTE)


@pytest.mark.parametrize(
    ("groups", "tested", "splits", "ways"), [(6, 2, 15, 5), (10, 8, 45, 36), (5, 1, 5, 1)]
)
def test_the_combinations_and_paths_are_as_many_as_published(groups, tested, splits, ways):
    table = label(closes([100] * 400), interval=MINUTE, horizon=3, cost=0)

    found = combinatorial(table, groups=groups, tested=tested, embargo=MINUTE)

    examined = np.concatenate([split.test for split in found])
    assert len(found) == splits
    assert paths(groups, tested) == ways
    assert (np.bincount(examined) == ways).all()


@given(rows=st.integers(60, 200), horizon=st.integers(1, 9), embargo=st.integers(0, 9))
def test_no_combination_teaches_what_meets_its_examination(rows, horizon, embargo):
    table = label(closes([100] * rows), interval=MINUTE, horizon=horizon, cost=0)
    begin, end = table["decided"].to_numpy(), table["ended"].to_numpy()

    for split in combinatorial(table, groups=6, tested=2, embargo=embargo * MINUTE):
        before = end[split.train][:, None] <= begin[split.test]
        after = begin[split.train][:, None] >= end[split.test]
        assert (before | after).all()


@pytest.mark.parametrize(("groups", "tested"), [(6, 0), (6, 6), (2000, 2)])
def test_an_impossible_combination_is_refused(groups, tested):
    table = label(closes([100] * 100), interval=MINUTE, horizon=3, cost=0)

    with pytest.raises(ValueError, match="cannot examine"):
        combinatorial(table, groups=groups, tested=tested, embargo=MINUTE)
