"""Platt's sigmoid is the one that scikit-learn finds, only sooner, and never a number gone wild."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from registry.evaluation import calibration_slope, fit_calibration


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 30.0),
    st.floats(-30.0, 30.0),
    st.floats(-2.0, 2.0),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_fit_is_the_one_that_scikit_learn_ends_at(seed, scale, centre, truth, weighed):
    random = np.random.default_rng(seed)
    margins = random.normal(centre, scale, 400)
    odds = truth * (margins - centre) / scale + random.normal(0, 0.1)
    y = (random.random(400) < 1 / (1 + np.exp(-odds))).astype("int8")
    weight = random.uniform(0.1, 2.0, 400) if weighed else None

    found = fit_calibration(margins, y, weight)

    theirs = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky")
    theirs.fit((margins - centre).reshape(-1, 1) / scale, y, sample_weight=weight)
    assert found.slope * scale == pytest.approx(theirs.coef_[0, 0], abs=1e-5)
    assert found.intercept + found.slope * centre == pytest.approx(theirs.intercept_[0], abs=1e-5)


@pytest.mark.parametrize("margin", [0.0, -7.25, 1e6])
def test_margins_that_are_all_the_same_have_no_slope_and_say_the_share_of_ones(margin):
    y = (np.arange(900) % 3 == 0).astype("int8")

    found = fit_calibration(np.full(900, margin, dtype=np.float32), y)

    assert found.slope == 0.0
    assert found.apply(np.array([margin]))[0] == pytest.approx(1 / 3)


def test_labels_that_a_margin_parts_give_a_steep_slope_and_a_number():
    margins = np.linspace(-1, 1, 1000)

    found = fit_calibration(margins, (margins > 0).astype("int8"))

    said = found.apply(margins)
    assert np.isfinite([found.slope, found.intercept]).all()
    assert said[0] < 0.001
    assert said[-1] > 0.999


def test_probabilities_that_are_twice_too_sure_have_half_the_slope():
    random = np.random.default_rng(1)
    odds = random.normal(0, 1, 50_000)
    y = (random.random(50_000) < 1 / (1 + np.exp(-odds))).astype("int8")

    assert calibration_slope(1 / (1 + np.exp(-2 * odds)), y) == pytest.approx(0.5, abs=0.01)
