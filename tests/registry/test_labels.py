"""A position ends at the first barrier it touches, and pays its cost before it is a gain."""

from datetime import UTC, datetime, timedelta

import markets
import numpy as np
import pandas as pd
import pytest

from registry.labels import WARM_UP, label, triple_barrier

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def closes(after):
    """Give prices that move by 10 bp up and down for a while, then stand at 100, then `after`."""
    before = 100 * np.exp(np.where(np.arange(400) % 2 == 0, 0.0, 0.001))
    prices = [*before, 100.0, *after]
    return pd.Series(prices, index=pd.date_range(START, periods=len(prices), freq=MINUTE))


def entered(after, **changed):
    terms = {"interval": MINUTE, "horizon": 4, "cost": 0.002, "width": 1.0}
    table = triple_barrier(closes(after), **(terms | changed))
    return table.loc[START + 400 * MINUTE]


# A minute's volatility is 10 bp, that of four minutes 20 bp: the barriers lie at 40 bp and -20 bp.
@pytest.mark.parametrize(
    ("after", "minutes", "forward_return", "y"),
    [
        ([100.1, 100.5, 99.0, 99.0], 2, 0.005, 1),
        ([99.9, 99.7, 101.0, 101.0], 2, -0.003, 0),
        ([100.1, 100.2, 100.3, 100.3], 4, 0.003, 1),
        ([100.1, 100.1, 100.1, 100.1], 4, 0.001, 0),
        ([100.0, 100.0, 100.0, 100.5], 4, 0.005, 1),
        ([100.5, 99.0, 99.0, 99.0], 1, 0.005, 1),
    ],
    ids=["upper", "lower", "horizon, a gain", "horizon, less than cost", "last", "first"],
)
def test_the_first_barrier_touched_ends_the_position(after, minutes, forward_return, y):
    row = entered(after)

    assert (row["ended"] - row["decided"]) == minutes * MINUTE
    assert row["forward_return"] == pytest.approx(forward_return)
    assert row["y"] == y


def test_barriers_out_of_reach_give_the_label_of_the_horizon():
    bars = markets.walk(3, days=1)

    wide = triple_barrier(bars["close"], interval=MINUTE, horizon=10, cost=0.001, width=1e6)
    plain = label(bars["close"], interval=MINUTE, horizon=10, cost=0.001)

    pd.testing.assert_frame_equal(wide, plain.loc[wide.index], check_freq=False)
    assert len(wide) == len(plain) - WARM_UP


def test_a_missing_bar_is_needed_only_until_the_position_has_ended():
    known = closes([100.5, 100.0, 100.0, 100.0])
    ended_before = triple_barrier(
        known.drop(known.index[402]), interval=MINUTE, horizon=4, cost=0.002, width=1.0
    )
    open_still = triple_barrier(
        known.drop(known.index[401]), interval=MINUTE, horizon=4, cost=0.002, width=1.0
    )

    assert START + 400 * MINUTE in ended_before.index
    assert START + 400 * MINUTE not in open_still.index


def test_the_barriers_are_as_wide_as_was_known_at_the_entry():
    calm = entered([100.1, 100.5, 99.0, 99.0])
    wild = entered([100.1, 100.5, 150.0, 50.0])

    assert (wild["ended"], wild["y"]) == (calm["ended"], calm["y"])


@pytest.mark.parametrize(
    "changed", [{"horizon": 0}, {"cost": -0.1}, {"width": 0.0}, {"width": float("nan")}]
)
def test_an_impossible_question_is_refused(changed):
    with pytest.raises(ValueError, match="expected"):
        entered([100.0] * 4, **changed)
