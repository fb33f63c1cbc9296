"""A model that is right about itself is seldom called wrong, however often one looks."""

import numpy as np
import pytest

from experiments.calibration import TOLERANCE, Calibration

# A year of minute bars whose outcomes, ten bars long, do not overlap.
YEAR = 365 * 24 * 60 // 10
BASE = 0.45


def lives(count, outcomes, wrong, seed=0, piece=100):
    """Return of each life what was found, and after how many outcomes, or None.

    Args:
        count: Lives of a model.
        outcomes: Of each.
        wrong: What the true chance is where the model says p, as a function.
        seed: Of all of them.
        piece: How many outcomes are taken at once.
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        said = 1 / (1 + np.exp(-rng.normal(np.log(BASE / (1 - BASE)), 0.25, outcomes)))
        rose = (rng.random(outcomes) < wrong(said)).astype(float)
        found.append(caught(said, rose, piece))
    return found


def caught(said, rose, piece):
    state = Calibration()
    for start in range(0, len(said), piece):
        part = slice(start, start + piece)
        state = state.after(said[part], rose[part], base_rate=BASE)
        if state.fault(100):
            return state.outcomes
    return None


def overconfident(said):
    """Return the base rate: whatever the model says, it knows nothing."""
    return np.full_like(said, BASE)


CASES = {
    "right": lambda said: said,
    "two points too high": lambda said: said - TOLERANCE,
    "five points too high": lambda said: said - 0.05,
    "ten points too high": lambda said: said - 0.10,
    "ten points too low": lambda said: said + 0.10,
    "no edge at all": overconfident,
}


@pytest.mark.parametrize("case", ["right", "two points too high"])
def test_a_model_that_is_right_within_the_tolerance_is_seldom_called_wrong_in_a_year(case):
    found = lives(25, YEAR, CASES[case], piece=YEAR)

    assert sum(after is not None for after in found) <= 1


@pytest.mark.parametrize(
    ("case", "at_most"),
    [
        ("five points too high", 20_000),
        ("ten points too high", 3_000),
        ("ten points too low", 3_000),
        ("no edge at all", 20_000),
    ],
)
def test_a_model_that_is_wrong_is_found(case, at_most):
    found = lives(10, at_most, CASES[case])

    assert None not in found


def test_parts_come_to_the_same_as_the_whole():
    rng = np.random.default_rng(1)
    said, rose = rng.uniform(0.2, 0.8, 50), rng.integers(0, 2, 50).astype(float)
    whole = Calibration().after(said, rose, base_rate=0.5)
    state = Calibration()
    for at in range(50):
        state = state.after(said[at : at + 1], rose[at : at + 1], base_rate=0.5)

    np.testing.assert_allclose(state.wealth, whole.wealth)
    assert (state.outcomes, state.highest) == (50, pytest.approx(whole.highest))
    assert whole.after(said[:0], rose[:0], base_rate=0.5) is whole


def test_the_fault_says_what_it_knows():
    state = Calibration().after(np.full(200, 0.9), np.zeros(200), base_rate=0.5)

    assert Calibration().fault(100) is None
    assert "wrong by more than 0.02: after 200 outcomes" in state.fault(100)
    assert state.fault(float("inf")) is None


def test_the_longest_odds_can_be_said():
    state = Calibration().after(np.full(5_000, 0.99), np.zeros(5_000), base_rate=0.5)

    assert "odds against it were 1.01e+304 to 1" in state.fault(100)
