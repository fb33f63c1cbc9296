"""The statistics agree with their published values and hold their promises on noise."""

import numpy as np
import pytest

from experiments.sequential import (
    confidence_sequence,
    log_betting,
    log_mixture_ratio,
    margin,
    sample_ratio_p_value,
    tuning,
)

LOOKS = [100, 1000, 10_000]


def test_the_tuning_constant_is_lamberts():
    assert tuning(0.05) == pytest.approx(8.211968062068253, rel=1e-12)


def test_the_two_sided_margin_has_its_reference_values():
    found = margin(LOOKS, deviation=1.0, alpha=0.05, aim=1000)

    assert found == pytest.approx([0.3823218333, 0.0959789980, 0.0324631075], abs=1e-10)


def test_the_one_sided_margin_has_its_reference_values():
    found = margin(LOOKS, deviation=1.0, alpha=0.05, aim=1000, one_sided=True)

    assert found == pytest.approx([0.3632182742, 0.0878643694, 0.0299548829], abs=1e-10)


def test_the_sequence_agrees_with_the_ville_library():
    units = np.random.default_rng(0).standard_normal(3000) * 0.5 + 0.03

    path = confidence_sequence(units, alpha=0.05, aim=1000)

    assert (path.high[-1] - path.low[-1]) / 2 == pytest.approx(0.0281382776, abs=1e-10)


def test_the_running_deviation_is_numpys():
    units = np.random.default_rng(1).standard_normal(50) + 1e6

    path = confidence_sequence(units, alpha=0.05, aim=50)

    expected = margin(50, deviation=units.std(ddof=1), alpha=0.05, aim=50)
    assert path.mean[-1] - path.low[-1] == pytest.approx(float(expected), rel=1e-6)


def test_the_mixture_ratio_has_its_reference_value():
    found = np.exp(log_mixture_ratio(1000, 0.1, variance=2.0, mixture=0.01))

    assert float(found) == pytest.approx(3.2787216275, abs=1e-9)


def test_the_p_value_reaches_alpha_exactly_where_the_interval_leaves_zero():
    units = np.random.default_rng(3).standard_normal(400) + 0.25

    path = confidence_sequence(units, alpha=0.05, aim=197)

    first = int(np.argmax(path.p_value <= 0.05))
    assert first == int(np.argmax((path.low > 0) | (path.high < 0)))
    assert 10 < first < 399


@pytest.mark.parametrize("units", [[], [0.1], [0.2] * 30])
def test_too_few_or_unvarying_units_conclude_nothing(units):
    path = confidence_sequence(units, alpha=0.05, aim=100)

    assert (path.p_value == 1).all()
    assert np.isinf(path.low).all()


def test_a_unit_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        confidence_sequence([0.1, np.nan], alpha=0.05, aim=100)


@pytest.mark.parametrize(
    ("looks", "expected"), [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248)]
)
def test_the_harness_reproduces_the_published_cost_of_peeking(looks, expected):
    steps = np.random.default_rng(7).standard_normal((10_000, looks))
    z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, looks + 1))

    rejected = (np.abs(z) > 1.959964).any(axis=1).mean()

    # Armitage, McPherson and Rowe (1969); three standard errors at 10,000 replications
    assert rejected == pytest.approx(expected, abs=0.013)


def test_a_look_at_every_unit_keeps_the_promise_on_noise():
    rng = np.random.default_rng(11)

    false = [
        confidence_sequence(rng.standard_normal(335), alpha=0.05, aim=197).p_value[-1] <= 0.05
        for _ in range(1000)
    ]

    assert np.mean(false) <= 0.05


def test_the_planned_effect_is_found_within_the_cap_four_times_in_five():
    rng = np.random.default_rng(13)

    found = [
        confidence_sequence(rng.standard_normal(335) + 0.2, alpha=0.05, aim=197).p_value[-1] <= 0.05
        for _ in range(1000)
    ]

    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_betting_on_a_fair_coin_rarely_pays():
    rng = np.random.default_rng(17)

    rich = [
        log_betting(rng.choice([-1.0, 1.0], 500), bound=1.0).max() >= np.log(20) for _ in range(500)
    ]

    assert np.mean(rich) <= 0.05


def test_betting_on_a_loaded_coin_pays_on_either_side():
    tosses = np.random.default_rng(19).choice([-1.0, 1.0], 1000, p=[0.4, 0.6])

    assert log_betting(tosses, bound=1.0)[-1] > np.log(20)
    assert log_betting(-tosses, bound=1.0)[-1] > np.log(20)


def test_a_score_beyond_the_bound_is_refused():
    with pytest.raises(ValueError, match="bound"):
        log_betting([0.5, 1.5], bound=1.0)


@pytest.mark.parametrize(
    ("counts", "expected"), [((502, 498), 1.0), ((560, 440), 0.00469), ((600, 400), 3.75e-8)]
)
def test_the_sample_ratio_has_its_reference_values(counts, expected):
    assert sample_ratio_p_value(counts, (0.5, 0.5)) == pytest.approx(expected, rel=2e-3)
