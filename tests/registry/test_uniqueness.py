"""A label that shares its time tells less, by exactly as much as it shares."""

import numpy as np
import pytest

from registry.uniqueness import effective, next_draw, uniqueness

BEGIN, END = np.array([0, 2, 4]), np.array([3, 4, 6])


def test_the_published_example_comes_out():
    assert uniqueness(BEGIN, END) == pytest.approx([5 / 6, 3 / 4, 1])


def test_the_published_sequential_bootstrap_comes_out():
    assert next_draw(BEGIN, END, [1]) == pytest.approx([5 / 14, 3 / 14, 6 / 14])


def test_before_the_first_draw_all_are_equal():
    assert next_draw(BEGIN, END, []) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("horizon", [1, 5, 60])
def test_labels_of_a_fixed_length_are_worth_one_in_as_many(horizon):
    begin = np.arange(1000)

    weights = uniqueness(begin, begin + horizon)

    assert weights[horizon:-horizon] == pytest.approx(1 / horizon)
    assert effective(weights) == pytest.approx(1000 / horizon, rel=0.3)


def test_it_agrees_with_counting_instant_by_instant():
    random = np.random.default_rng(3)
    begin = np.sort(random.integers(0, 200, 80))
    end = begin + random.integers(1, 30, 80)
    living = np.array([((begin <= t) & (t < end)).sum() for t in range(240)])

    expected = [np.mean(1 / living[b:e]) for b, e in zip(begin, end, strict=True)]

    assert uniqueness(begin, end) == pytest.approx(expected)


def test_a_label_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="end after it begins"):
        uniqueness(np.array([3]), np.array([3]))
