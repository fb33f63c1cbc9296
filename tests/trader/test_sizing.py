"""Stakes agree with what is published of Kelly's rule, and with brute force."""

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.sizing import Appetite, Volatility, budget, kelly, shrunk, size

sensible = st.floats(0.01, 0.99)
returns = st.floats(0.001, 0.5)


@given(p=sensible, gain=returns, loss=returns)
def test_no_other_stake_makes_money_grow_faster(p, gain, loss):
    stake = min(kelly(p, gain, loss), 0.999 / loss)

    def growth(part):
        return p * log(1 + part * gain) + (1 - p) * log(1 - part * loss)

    assert all(growth(stake) >= growth(stake * x) - 1e-12 for x in (0.0, 0.5, 0.9, 0.99))
    if stake == 0:
        assert growth(0.001) <= 1e-12


def test_an_even_bet_at_six_in_ten_is_worth_a_fifth():
    assert kelly(0.6, 1.0, 1.0) == pytest.approx(0.2)  # Kelly 1956: p - q


def test_no_edge_is_worth_nothing_and_no_risk_everything():
    assert kelly(0.5, 1.0, 1.0) == 0.0
    assert kelly(0.9, -0.01, 0.02) == 0.0
    assert kelly(0.5, 0.01, 0.0) == float("inf")


@pytest.mark.parametrize(("part", "share"), [(1.0, 1.0), (0.5, 0.75), (0.25, 0.4375)])
def test_a_part_of_the_stake_keeps_the_published_share_of_the_growth(part, share):
    p, move = 0.505, 0.01
    full = kelly(p, move, move)

    def growth(stake):
        return p * log(1 + stake * move) + (1 - p) * log(1 - stake * move)

    assert growth(part * full) / growth(full) == pytest.approx(share, abs=2e-4)


@pytest.mark.parametrize(("part", "chance"), [(1.0, 0.5), (0.5, 0.125), (0.25, 0.0078125)])
def test_a_part_of_the_stake_falls_to_half_as_rarely_as_published(part, chance):
    # Log wealth drifts at c - c^2/2 with deviation c, in units of the full stake's growth.
    rng, step = np.random.default_rng(7), 0.01
    drift, deviation = (part - part**2 / 2) * step, part * sqrt(step)
    wealth, lowest = np.zeros(4000), np.zeros(4000)
    for _ in range(3000):
        wealth += rng.normal(drift, deviation, 4000)
        np.minimum(lowest, wealth, out=lowest)

    found = float((lowest <= log(0.5) + 0.5826 * deviation).mean())
    assert found == pytest.approx(chance, abs=4 * sqrt(chance / 4000) + 0.01)


def test_a_probability_is_pulled_to_the_base_rate():
    assert shrunk(0.9, 0.5, 0.5) == pytest.approx(0.7)
    assert shrunk(0.2, 0.2, 0.5) == pytest.approx(0.2)


def test_the_budget_is_the_target_by_the_market_s_volatility_and_never_more_than_all():
    assert budget(0.04, Appetite()) == pytest.approx(0.5)
    assert budget(0.01, Appetite()) == 1.0
    assert budget(0.0, Appetite()) == 1.0
    assert budget(None, Appetite()) == 0.0


@given(p=sensible, base=sensible, gain=st.floats(-0.1, 0.5), loss=st.floats(-0.1, 0.5))
def test_a_share_is_between_nothing_and_the_budget(p, base, gain, loss):
    found = size(p, base_rate=base, gain=gain, loss=loss, volatility=0.05, appetite=Appetite())

    assert 0 <= found.share <= found.budget <= 1


@pytest.mark.parametrize("wrong", [{"kelly_part": 0.0}, {"trust": 1.5}, {"daily_volatility": -1}])
def test_what_is_no_appetite_is_refused(wrong):
    with pytest.raises(ValueError, match="appetite"):
        Appetite(**wrong)


def test_volatility_is_the_exponentially_weighted_deviation():
    moves = np.random.default_rng(1).normal(0, 0.01, 300)
    found = Volatility()
    for close in np.exp(np.r_[0.0, moves].cumsum()):
        found.update(float(close))

    weights = 0.995 ** np.arange(300)[::-1]
    expected = sqrt((weights * moves**2).sum() / weights.sum())
    assert found.over(60, 60) == pytest.approx(expected)
    assert found.over(86_400, 60) == pytest.approx(expected * sqrt(1440))


def test_volatility_is_unknown_before_two_bars():
    found = Volatility()
    found.update(exp(1))

    assert found.over(60, 60) is None
