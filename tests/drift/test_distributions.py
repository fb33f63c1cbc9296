"""The test of a window keeps its size on values that resemble their neighbours."""

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from drift.distributions import alarms, compare, distance, inflation, usual_distance

DAY = 288


def series(phi, n, rng):
    """Return an AR(1) series of unit variance."""
    noise = rng.standard_normal(n + 500) * np.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise)[500:]


def test_the_distance_is_scipys():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0, 1, 300), rng.normal(0.3, 1, 80)

    assert distance(one, two) == pytest.approx(stats.ks_2samp(one, two).statistic)


def test_ties_make_no_distance():
    mostly_zero = np.concatenate((np.zeros(900), np.ones(100)))

    assert distance(mostly_zero, mostly_zero[::2]) == pytest.approx(0.0)


def test_the_textbook_test_has_seven_times_its_size_on_autocorrelated_values():
    rng = np.random.default_rng(2)

    alarmed = [
        stats.ks_2samp(series(0.7, 500, rng), series(0.7, 500, rng)).pvalue < 0.05
        for _ in range(400)
    ]

    # .38 is the reference value; .03 is three standard errors at 2,500, here at 400
    assert np.mean(alarmed) == pytest.approx(0.38, abs=0.075)


@pytest.mark.parametrize(("phi", "expected"), [(0.0, 1.15), (0.9, 13.0)])
def test_history_tells_how_much_neighbours_resemble_each_other(phi, expected):
    rng = np.random.default_rng(3)

    found = [inflation(series(phi, DAY * 60, rng), DAY) for _ in range(15)]

    assert np.median(found) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_forty_still_features_rarely_alarm_together(phi):
    rng = np.random.default_rng(4)

    alarmed = []
    for _ in range(25):
        columns = [series(phi, DAY * 31, rng) for _ in range(40)]
        shifts = [compare(str(n), x[:-DAY], x[-DAY:]) for n, x in enumerate(columns)]
        alarmed.append(bool(alarms(shifts)))

    # at most .05 and three standard errors at 25 windows
    assert np.mean(alarmed) <= 0.05 + 0.13


def test_a_shift_of_half_a_deviation_is_found_where_values_are_independent():
    rng = np.random.default_rng(5)
    reference = rng.standard_normal(DAY * 30)

    shifts = [
        compare("moved", reference, rng.standard_normal(DAY) + 0.5),
        compare("wider", reference, rng.standard_normal(DAY) * 2),
        *[compare(f"still {n}", reference, rng.standard_normal(DAY)) for n in range(20)],
    ]

    assert alarms(shifts) == ["moved", "wider"]


def test_a_slow_feature_is_called_not_testable():
    slow = series(0.995, DAY * 40, np.random.default_rng(6))

    found = compare("volatility", slow[:-DAY], slow[-DAY:])

    assert found.p_value is None
    assert "independent ones, fewer than 10" in found.reason


@pytest.mark.parametrize(
    ("reference", "current", "reason"),
    [
        (np.arange(5000.0), np.arange(49.0), "49 values of x in the window"),
        (np.arange(500.0), np.arange(100.0), "holds 5.0 such windows, expected at least 17"),
        (np.ones(5000), np.ones(100), "never varied"),
        (np.full(5000, np.nan), np.full(100, np.nan), "0 values"),
    ],
)
def test_too_little_to_go_by_is_said_and_never_alarms(reference, current, reason):
    found = compare("x", reference, current)

    assert reason in found.reason
    assert alarms([found]) == []


def test_the_usual_distance_covers_most_windows_of_history():
    rng = np.random.default_rng(8)
    reference = series(0.9, DAY * 40, rng)

    limit = usual_distance(reference, DAY)

    away = [
        stats.wasserstein_distance(reference, series(0.9, DAY, rng)) / reference.std()
        for _ in range(100)
    ]
    assert np.mean(np.array(away) > limit) <= 0.2
    assert limit > 0.1


def test_no_columns_make_no_alarm():
    assert alarms([]) == []


def rare(days, rng):
    """Return a column that is 1 but for spells of half a day, every ten days or so."""
    column = np.ones(DAY * days)
    for at in np.flatnonzero(rng.random(len(column)) < 0.1 / DAY):
        column[at : at + DAY // 2] = 0.0
    return column


def test_a_column_that_is_usually_at_its_top_is_judged_like_one_usually_at_its_bottom():
    column = rare(100, np.random.default_rng(9))

    above, below = inflation(column, DAY), inflation(-column, DAY)

    assert above > 50
    assert above == pytest.approx(below)


def test_rare_spells_away_from_the_top_are_no_drift():
    rng = np.random.default_rng(10)

    alarmed = 0
    for _ in range(200):
        column = rare(31, rng)
        alarmed += bool(alarms([compare("rare", column[:-DAY], column[-DAY:])]))

    assert alarmed <= 0.05 * 200
