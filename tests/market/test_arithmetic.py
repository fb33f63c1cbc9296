"""A column's arithmetic equals Python's for each of its elements, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market import arithmetic

PLAIN = st.floats(-1e6, 1e6, allow_nan=False)
WILD = st.floats(-1e150, 1e150, allow_nan=False)
TINY = st.floats(-1e-150, 1e-150, allow_nan=False)
ROWS = st.integers(1, 70).flatmap(
    lambda width: st.lists(
        st.lists(
            st.one_of(PLAIN, WILD, TINY, st.sampled_from([0.0, -0.0, 1.0, 0.1])),
            min_size=width,
            max_size=width,
        ),
        min_size=1,
        max_size=5,
    )
)


def columns(rows):
    return [np.array(column) for column in zip(*rows, strict=True)]


def same(column, values):
    return np.array_equal(column, np.array(values), equal_nan=True)


@given(ROWS)
@settings(max_examples=300, deadline=None)
def test_a_sum_is_rounded_once(rows):
    assert same(arithmetic.total(columns(rows)), [math.fsum(row) for row in rows])


@pytest.mark.parametrize("spread", [0, 3, 20, 300])
def test_sums_of_many_sizes_are_rounded_once(spread):
    random = np.random.default_rng(spread)
    rows = random.normal(size=(3_000, 60)) * 10.0 ** random.integers(-spread, 1, (3_000, 60))

    assert same(arithmetic.total(columns(rows)), [math.fsum(row) for row in rows.tolist()])


def test_ties_and_what_is_not_known_are_as_in_python():
    half = 2.0**-53
    rows = [
        [1.0, half, 0.0],
        [1.0, half, 1e-300],
        [1.0 + 2 * half, half, 0.0],
        [1.0, math.nan, 2.0],
    ]

    assert same(arithmetic.total(columns(rows)), [math.fsum(row) for row in rows])


@pytest.mark.parametrize("scale", [1e-170, 1e-150, 1e-8, 1.0, 1e8])
def test_a_square_is_pythons_power(scale):
    values = np.random.default_rng(1).normal(size=100_000) * scale

    (squares,) = arithmetic.squares([values], np.zeros(len(values)))

    assert same(squares, [x**2 for x in values.tolist()])


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_everything_else_is_the_same_for_each_element(rows):
    told = columns(rows)
    positive = [[abs(x) + 1e-300 for x in row] for row in rows]
    steps = [arithmetic.newest(row)[0] for row in rows]

    assert same(arithmetic.log(told[0] * 0 + 2), [math.log(2.0)] * len(rows))
    assert same(arithmetic.log(columns(positive)[0]), [math.log(row[0]) for row in positive])
    assert same(arithmetic.root(columns(positive)[0]), [math.sqrt(row[0]) for row in positive])
    assert same(arithmetic.largest(told), [max(row) for row in rows])
    assert same(arithmetic.smallest(told), [min(row) for row in rows])
    assert same(arithmetic.recency(told), [arithmetic.recency(row) for row in rows])
    assert same(arithmetic.newest(told)[0], steps)
    assert same(arithmetic.newest(told)[1], [arithmetic.newest(row)[1] for row in rows])
    assert same(
        arithmetic.before(told, np.array(steps)),
        [arithmetic.before(row, ago) for row, ago in zip(rows, steps, strict=True)],
    )
    for made in (arithmetic.kept, arithmetic.signed):
        assert same(np.array(made(told, told[::-1])).T, [made(row, row[::-1]) for row in rows])
    with np.errstate(over="ignore"):
        assert same(
            arithmetic.ratio(told[0], told[-1], neutral=0.5),
            [arithmetic.ratio(row[0], row[-1], neutral=0.5) for row in rows],
        )


def test_a_choice_is_made_for_each_element():
    chosen = arithmetic.pick(np.array([True, False]), 1.0, np.array([2.0, 3.0]))

    assert chosen.tolist() == [1.0, 3.0]
    assert arithmetic.pick(True, 1.0, 2.0) == 1.0
    assert arithmetic.pick(False, 1.0, 2.0) == 2.0
    assert arithmetic.log_where(np.array([True, False]), np.array([2.0, -1.0])).tolist() == [
        math.log(2.0),
        0.0,
    ]
    assert arithmetic.log_where(False, 2.0) == 0.0
    assert arithmetic.known(columns([[1.0, 2.0], [1.0, math.nan]])).tolist() == [True, False]
    assert arithmetic.known([1.0, 2.0])
    assert not arithmetic.known([math.nan])
    assert same(np.array(arithmetic.wave(np.array([0.5]))).T, [arithmetic.wave(0.5)])
    assert same(arithmetic.log1p(np.array([0.5])), [math.log1p(0.5)])
