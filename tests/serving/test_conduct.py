"""A model is judged by what it says: a probability, in time, and not one for everything."""

import math

import numpy as np
import pytest

from serving.conduct import LOOKED_AT, SAME, Answer, Conduct, ask

BUDGET = 0.02


def row(number):
    return np.array([float(number), 1.0, np.nan])


def answer(probability=0.5, seconds=0.001, error=""):
    return Answer(probability=probability, seconds=seconds, error=error)


def faults(answers, rows=None):
    conduct = Conduct()
    rows = rows or [row(number) for number in range(len(answers))]
    return [
        conduct.fault(one, asked, budget=BUDGET) for one, asked in zip(answers, rows, strict=True)
    ]


def test_varied_scores_in_time_are_no_fault():
    assert not any(faults([answer(0.4 + n / 10_000) for n in range(2 * SAME)]))


@pytest.mark.parametrize("probability", [math.nan, math.inf, -math.inf, 0.0, 1.0, -0.1, 1.1])
def test_what_is_no_probability_is_a_fault_at_once(probability):
    assert "no probability" in faults([answer(probability)])[0]


def test_an_error_is_a_fault_at_once_with_its_cause():
    assert faults([answer(math.nan, error="booster is empty")]) == [
        "it cannot score: booster is empty"
    ]


def test_being_slow_twice_is_forgiven_and_three_times_in_five_is_not():
    late, timely = answer(0.5, 0.021), answer(0.6)

    assert not any(faults([late, timely, timely, late, timely, timely, late, timely, late]))
    assert "3 of its last 5" in faults([late, timely, late, timely, late])[-1]


def test_claims_of_certainty_are_a_fault_at_the_third_in_five():
    found = faults([answer(1 - 1e-6 if n % 2 else 1e-6) for n in range(3)])

    assert found[:2] == [None, None]
    assert "all but certain" in found[2]
    assert LOOKED_AT == 5


def test_one_score_for_everything_is_nonsense_and_for_one_row_it_is_right():
    assert "240 different bars" in faults([answer()] * SAME)[-1]
    assert not any(faults([answer()] * (SAME - 1)))
    assert not any(faults([answer()] * (2 * SAME), [row(1)] * (2 * SAME)))


class Raising:
    """An object that is no model."""

    timed = None


def test_whatever_a_model_raises_is_an_answer():
    assert "not callable" in ask(Raising(), row(1)).error
