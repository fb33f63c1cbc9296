"""A backtest is timed by the bars it plays, from their prices to what came of them."""

import pytest

from ops.bench import backtest
from ops.bench.figures import Plan


@pytest.fixture(scope="module")
def taught():
    return backtest.taught(Plan(quick=True))


def test_the_whole_takes_as_long_as_its_parts_on_a_market_that_is_traded(taught):
    model, bars = taught

    whole, computed, asked, decided, scored = backtest.figures(bars, model, 1, judged=True)

    seconds = sum(1 / part.value for part in (computed, asked, decided))
    assert 1 / whole.value == pytest.approx(seconds)
    assert scored.value > decided.value
    assert (whole.goal, scored.goal) == (backtest.LIVE, backtest.AT_ONCE)
    assert "2,880 one-minute bars" in whole.how
    # Where nothing is traded only the shortest way through the rules would be timed.
    assert " 0 orders" not in whole.how
    assert " 0 round trips" not in scored.how


def test_a_small_part_is_told_and_not_judged(taught):
    model, bars = taught

    assert not any(one.goal for one in backtest.figures(bars, model, 1, judged=False))
