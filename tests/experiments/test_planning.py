"""Terms are fixed before the first outcome, and impossible ones cannot be built."""

from datetime import timedelta

import pytest

from experiments.planning import Terms, fixed_units, terms


def test_the_fixed_plan_is_the_normal_approximation():
    # (1.959964 + 0.841621)^2 / 0.2^2 = 196.2
    assert fixed_units(effect=0.2, deviation=1.0) == 197


def test_the_fixed_plan_scales_with_the_square_of_the_deviation():
    assert fixed_units(effect=0.01, deviation=0.1) == 785


def test_the_cap_is_eighteen_tenths_of_what_a_single_look_needs():
    agreed = terms(horizon_bars=10, interval=timedelta(hours=1))

    assert agreed.planned_units == 197
    assert agreed.cap_units == 355
    assert agreed.block_bars == 80


@pytest.mark.parametrize(("horizon_bars", "planned", "cap"), [(10, 252, 355), (2, 1260, 1260)])
def test_no_plan_is_shorter_than_a_fortnight_and_no_cap_than_the_plan(horizon_bars, planned, cap):
    agreed = terms(horizon_bars=horizon_bars, interval=timedelta(minutes=1))

    assert (agreed.planned_units, agreed.cap_units) == (planned, cap)


def test_a_block_shorter_than_eight_horizons_is_refused():
    with pytest.raises(ValueError, match="at least 8 horizons"):
        Terms(
            metric="log_loss",
            horizon_bars=10,
            block_bars=79,
            alpha=0.05,
            planned_units=10,
            cap_units=17,
        )


def test_an_effect_of_nothing_cannot_be_planned_for():
    with pytest.raises(ValueError, match="nothing to plan"):
        fixed_units(effect=0.0, deviation=1.0)
