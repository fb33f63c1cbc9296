"""The published figures come out, and what is only luck is called luck."""

import numpy as np
import pytest
from r_numbers import rnorm

from registry import overfitting
from registry.overfitting import (
    deflated_sharpe,
    expected_best,
    independent_trials,
    probabilistic_sharpe,
    shortest_backtest,
    shortest_record,
    spread_of_trials,
)

DAYS, WEEKS, MONTHS = 252, 52, 12
NORMAL = {"skewness": 0, "kurtosis": 3}
RISK_FREE = 0.03 / 252


@pytest.mark.parametrize(
    ("sharpe", "moments", "expected", "within"),
    [
        (0.458, {"skewness": -2.448, "kurtosis": 10.164}, 0.9134, 1e-3),
        (1.585 / 12**0.5, {"skewness": -2.448, "kurtosis": 10.164}, 0.91323430688, 1e-9),
        (0.458, NORMAL, 0.9817, 1e-3),
    ],
)
def test_the_probabilistic_sharpe_ratio_is_that_of_the_paper(sharpe, moments, expected, within):
    assert probabilistic_sharpe(sharpe, 0, periods=24, **moments) == pytest.approx(
        expected, abs=within
    )


@pytest.mark.parametrize(
    ("trials", "moments", "expected"),
    [
        (100, {"skewness": -3, "kurtosis": 10}, 0.9003968344),
        (46, {"skewness": -3, "kurtosis": 10}, 0.9505017069),
        (88, NORMAL, 0.9504908167),
    ],
)
def test_the_deflated_sharpe_ratio_is_that_of_the_paper(trials, moments, expected):
    benchmark = (0.5 / 250) ** 0.5 * expected_best(trials)

    found = probabilistic_sharpe(2.5 / 250**0.5, benchmark, periods=1250, **moments)

    assert found == pytest.approx(expected, abs=1e-9)


def test_the_best_of_many_idle_trials_is_that_of_the_paper():
    assert expected_best(10) == pytest.approx(1.5745983014)
    assert expected_best(100) == pytest.approx(2.5306028932)
    assert expected_best(1) == 0.0
    assert (0.5 / 250) ** 0.5 * expected_best(100) == pytest.approx(0.1131720019)


@pytest.mark.parametrize(
    ("year", "moments", "years"),
    [
        (DAYS, NORMAL, 2.7310),
        (WEEKS, NORMAL, 2.8288),
        (MONTHS, NORMAL, 3.2398),
        (MONTHS, {"skewness": -0.72, "kurtosis": 5.78}, 4.9913),
        (250, NORMAL, 2.7311878017),
    ],
)
def test_the_shortest_track_record_is_that_of_the_paper(year, moments, years):
    periods = shortest_record(2 / year**0.5, 1 / year**0.5, **moments)

    assert periods / year == pytest.approx(years, abs=1e-4)


def test_no_record_is_long_enough_for_what_does_not_beat_the_benchmark():
    assert shortest_record(0.1, 0.1, **NORMAL) == float("inf")


def test_a_record_of_the_shortest_length_is_believed_just_so():
    periods = shortest_record(0.2, 0.05, skewness=-0.5, kurtosis=5)

    found = probabilistic_sharpe(0.2, 0.05, periods=periods, skewness=-0.5, kurtosis=5)

    assert found == pytest.approx(0.95)


def test_forty_five_trials_are_the_most_for_five_years():
    assert shortest_backtest(45, 1) == pytest.approx(4.9980870044)
    assert shortest_backtest(46, 1) > 5


def test_trials_that_do_the_same_count_as_one():
    assert independent_trials(100, 1.0) == 1
    assert independent_trials(100, 0.0) == independent_trials(100, -0.3) == 100
    assert independent_trials(100, 0.5) == 50.5


def test_r_draws_the_numbers_that_it_publishes():
    assert rnorm(42, 3) == pytest.approx([1.37095845, -0.56469817, 0.36312841], abs=5e-9)
    assert rnorm(123, 3) == pytest.approx([-0.56047565, -0.23017749, 1.55870831], abs=5e-9)


def test_the_unit_test_of_rs_package_pbo_comes_out():
    returns = rnorm(852, 200 * 40).reshape(200, 40)

    found = overfitting.overfitting(returns, parts=4, risk_free=RISK_FREE)

    # What the package prints as its slope is the intercept of chosen on later.
    slope, intercept = np.polyfit(found.later, found.chosen, 1)
    explained = np.corrcoef(found.later, found.chosen)[0, 1] ** 2
    assert (found.probability, found.loss) == (0.5, 0.5)
    assert intercept == pytest.approx(0.19817, abs=5e-6)
    assert 1 - (1 - explained) * 5 / 4 == pytest.approx(-0.23442, abs=5e-6)
    assert slope == pytest.approx(-0.0566778, abs=5e-8)


def test_the_vignette_of_rs_package_pbo_comes_out():
    returns = rnorm(765, 2400 * 100).reshape(100, 2400).T
    returns = returns / returns.std(axis=0, ddof=1) / 252**0.5
    returns -= returns.mean(axis=0)

    found = overfitting.overfitting(returns, parts=8, risk_free=RISK_FREE)

    assert len(found.chosen) == 70
    assert (found.probability, found.loss) == (1, 1)
    assert np.polyfit(found.later, found.chosen, 1) == pytest.approx(
        [-0.9737672, -0.00304559], abs=5e-8
    )
    assert found.slope == pytest.approx(-0.99801, abs=5e-6)


def test_a_strategy_better_than_all_others_is_no_overfitting():
    returns = np.random.default_rng(1).normal(0, 0.01, (320, 10))
    returns[:, 3] += 0.02

    found = overfitting.overfitting(returns, parts=16)

    assert (found.probability, found.loss) == (0.0, 0.0)
    assert len(found.chosen) == 12870


def test_noise_comes_out_around_one_half():
    random = np.random.default_rng(2)

    found = [
        overfitting.overfitting(random.normal(size=(160, 20)), parts=8).probability
        for _ in range(30)
    ]

    # The deviation of one is 0.2, so that of their mean is below 0.04.
    assert abs(np.mean(found) - 0.5) < 0.12


@pytest.mark.parametrize(("rows", "columns", "parts"), [(100, 10, 7), (14, 10, 8), (100, 1, 8)])
def test_what_cannot_be_halved_is_refused(rows, columns, parts):
    with pytest.raises(ValueError, match="even number of parts"):
        overfitting.overfitting(np.zeros((rows, columns)), parts=parts)


def test_a_strategy_that_never_trades_has_no_sharpe_ratio():
    assert deflated_sharpe(np.zeros(50), trials=20, spread=0.1) == 0.0
    assert overfitting.overfitting(np.zeros((40, 3)), parts=4).slope == 0.0


@pytest.mark.parametrize("given_up", [[], [0.0] * 30, [0.3, -0.3, 0.1]])
def test_trials_given_up_widen_the_spread_and_never_narrow_it(given_up):
    complete = [0.1, -0.1, 0.05, -0.05]

    spread = spread_of_trials(complete, given_up)

    assert spread >= np.std(complete, ddof=1)
    assert spread >= np.std(complete + given_up, ddof=1)


def test_one_trial_has_no_spread():
    assert spread_of_trials([0.1], []) == 0.0
