"""A model that lost its edge is noticed, one that kept it is left alone."""

import numpy as np
import pytest

from drift.performance import (
    TOLERANCE,
    cusum,
    log_likelihood_ratio,
    log_miscalibration,
    threshold,
)


def probabilities(n, rng):
    """Return the scores of a timid but right model (AUC about .57)."""
    return 1 / (1 + np.exp(-rng.normal(0, 0.25, n)))


def outcomes(probability, rng):
    return (rng.random(len(probability)) < probability).astype(float)


def test_the_ratio_is_the_difference_of_two_log_losses():
    found = log_likelihood_ratio(np.array([0.8, 0.8]), np.array([1.0, 0.0]), base_rate=0.5)

    assert found == pytest.approx([np.log(0.5 / 0.8), np.log(0.5 / 0.2)])


def test_the_sum_never_falls_below_zero_and_climbs_from_there():
    assert cusum(np.array([-1.0, 2.0, -0.5, -3.0, 1.0])) == pytest.approx([0, 2, 1.5, 0, 1])


def test_an_empty_history_has_an_empty_path():
    assert len(cusum(np.array([]))) == 0


def test_a_bold_model_gets_a_higher_threshold_than_a_timid_one():
    rng = np.random.default_rng(3)
    scores = probabilities(500, rng)
    bold = 1 / (1 + (1 / scores - 1) ** 3)

    limits = [threshold(p, base_rate=0.5, observations=2000, paths=100) for p in (scores, bold)]

    assert 3 <= limits[0] < limits[1]


def test_the_threshold_is_the_same_every_time():
    scores = probabilities(500, np.random.default_rng(3))

    one, two = (threshold(scores, base_rate=0.5, observations=500, paths=50) for _ in range(2))

    assert one == two


def test_a_right_model_alarms_in_about_a_tenth_of_the_spans():
    rng = np.random.default_rng(5)
    scores = probabilities(4000, rng)
    limit = threshold(scores, base_rate=0.5, observations=2000, paths=300)

    false = []
    for _ in range(200):
        p = rng.choice(scores, 2000)
        ratios = log_likelihood_ratio(p, outcomes(p, rng), base_rate=0.5)
        false.append(cusum(ratios).max() > limit)

    assert np.mean(false) == pytest.approx(0.1, abs=0.08)


def test_an_edge_that_vanishes_is_noticed_within_published_time():
    rng = np.random.default_rng(7)

    delays = []
    for _ in range(30):
        p = probabilities(4000, rng)
        ratios = log_likelihood_ratio(p, (rng.random(4000) < 0.5).astype(float), base_rate=0.5)
        delays.append(int(np.argmax(cusum(ratios) > 5)))

    # methods: median delay 494 at h = 5 for an edge of AUC about .57
    assert np.median(delays) == pytest.approx(494, rel=0.3)


def test_a_calibrated_model_rarely_looks_miscalibrated():
    rng = np.random.default_rng(9)

    false = []
    for _ in range(300):
        p = probabilities(1000, rng)
        false.append(log_miscalibration(p, outcomes(p, rng), tolerance=0).max() >= np.log(20))

    assert np.mean(false) <= 0.05


def test_a_model_at_the_edge_of_the_tolerance_rarely_looks_miscalibrated():
    rng = np.random.default_rng(13)

    false = []
    for _ in range(300):
        p = probabilities(1000, rng)
        rose = outcomes(p + TOLERANCE, rng)
        false.append(log_miscalibration(p, rose).max() >= np.log(20))

    assert 0 < np.mean(false) <= 0.05


def test_a_bias_of_fifteen_points_is_found_within_a_week():
    rng = np.random.default_rng(11)
    p = probabilities(1000, rng)

    assert log_miscalibration(p, outcomes(p + 0.15, rng)).max() > np.log(2700)
