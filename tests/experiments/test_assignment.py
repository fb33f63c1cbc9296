"""A unit's arm never changes, arms are filled by their weights, and salts are independent."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from experiments.assignment import arm, position

START = datetime(2026, 1, 1, tzinfo=UTC)
BLOCKS = [START + timedelta(hours=hour) for hour in range(4000)]


def test_a_position_is_stable_across_processes():
    assert position("salt", "XRP/USD", START) == pytest.approx(0.45890588995894055, abs=1e-15)


def test_positions_are_even_and_within_the_unit_interval():
    positions = np.array([position("salt", "XRP/USD", block) for block in BLOCKS])

    assert positions.min() >= 0
    assert positions.max() < 1
    assert positions.mean() == pytest.approx(0.5, abs=0.02)
    assert positions.std() == pytest.approx(12**-0.5, abs=0.01)


def test_two_salts_of_equal_length_are_uncorrelated():
    one = np.array([position("salt-a", "XRP/USD", block) for block in BLOCKS])
    two = np.array([position("salt-b", "XRP/USD", block) for block in BLOCKS])

    assert abs(np.corrcoef(one, two)[0, 1]) < 0.05


def test_arms_are_filled_by_their_weights():
    arms = [arm(position("salt", "DOGE/USD", block), (0.2, 0.3, 0.5)) for block in BLOCKS]

    assert np.bincount(arms) / len(arms) == pytest.approx([0.2, 0.3, 0.5], abs=0.03)


def test_widening_the_first_arm_moves_none_of_its_units():
    positions = [position("salt", "XRP/USD", block) for block in BLOCKS]
    before = [arm(at, (0.1, 0.9)) for at in positions]
    after = [arm(at, (0.3, 0.7)) for at in positions]

    assert all(later == 0 for now, later in zip(before, after, strict=True) if now == 0)


def test_the_end_of_the_interval_falls_to_the_last_arm_that_gets_anything():
    assert arm(1 - 2**-53, (0.1,) * 10) == 9
    assert arm(0.5, (1.0, 0.0)) == 0


def test_shares_that_are_none_are_refused():
    with pytest.raises(ValueError, match="shares of one"):
        arm(0.5, (0.5, 0.6))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        position("salt", "XRP/USD", datetime(2026, 1, 1))  # noqa: DTZ001
