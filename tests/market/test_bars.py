"""Bars hold every trade of their interval once, close on time, and say when they cannot."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bars import Bar, BarBuilder, interval_start, resample
from market.instruments import Side, Trade

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def trade(number, seconds, price="2", quantity="1"):
    return Trade(
        symbol="XRP/USD",
        trade_id=number,
        at=NOON + timedelta(seconds=seconds),
        side=Side.BUY,
        price=Decimal(price),
        quantity=Decimal(quantity),
    )


def a_builder(**options):
    return BarBuilder("XRP/USD", MINUTE, **options)


def test_a_bar_is_the_first_highest_lowest_and_last_price_and_all_the_volume():
    builder = a_builder(begin=NOON)
    for number, price in enumerate(["2.0", "2.2", "1.9", "2.1"]):
        assert builder.add(trade(number, number, price)) == []

    assert builder.advance(NOON + MINUTE) == [
        Bar(
            symbol="XRP/USD",
            interval=MINUTE,
            start=NOON,
            open=Decimal("2.0"),
            high=Decimal("2.2"),
            low=Decimal("1.9"),
            close=Decimal("2.1"),
            volume=Decimal(4),
            trades=4,
            bought=Decimal(4),
        )
    ]


def test_a_trade_lost_before_the_first_one_may_be_of_its_bar():
    builder = a_builder(begin=NOON, last_trade_id=1)

    assert builder.add(trade(3, 90)) == []

    assert [bar.complete for bar in builder.advance(NOON + 3 * MINUTE)] == [False, True]


def test_a_bar_closes_at_the_boundary_and_not_before():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 0))

    assert builder.advance(NOON + timedelta(seconds=59.999)) == []
    assert len(builder.advance(NOON + MINUTE)) == 1
    assert builder.advance(NOON + MINUTE) == []


def test_a_trade_on_the_boundary_belongs_to_the_bar_it_begins():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 59, "2"))

    (first,) = builder.add(trade(2, 60, "3"))
    (second,) = builder.advance(NOON + 2 * MINUTE)

    assert first.close == 2
    assert second.open == 3


def test_quiet_intervals_repeat_the_last_close_without_volume():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 0, "2"))

    bars = builder.add(trade(2, 200, "3"))

    assert [bar.start for bar in bars] == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]
    assert [(bar.open, bar.close, bar.volume, bar.trades) for bar in bars[1:]] == [(2, 2, 0, 0)] * 2


def test_the_first_bar_is_incomplete_when_trading_went_on_before():
    builder = a_builder()
    builder.add(trade(1, 30))

    bars = builder.advance(NOON + 2 * MINUTE)

    assert [bar.complete for bar in bars] == [False, True]


def test_every_bar_that_may_hold_a_missing_trade_is_incomplete():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 0))

    across = builder.add(trade(3, 130))
    here = builder.advance(NOON + 3 * MINUTE)
    after = builder.advance(NOON + 4 * MINUTE)

    assert [bar.complete for bar in across] == [False, False]
    assert [bar.complete for bar in here] == [False]
    assert [bar.complete for bar in after] == [True]


def test_a_gap_inside_a_bar_makes_only_that_bar_incomplete():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 0))
    builder.add(trade(3, 1))
    assert not builder.complete

    assert [bar.complete for bar in builder.advance(NOON + 2 * MINUTE)] == [False, True]


def test_a_gap_between_two_histories_is_noticed_too():
    builder = a_builder(begin=NOON, last_trade_id=7)

    builder.add(trade(9, 0))

    assert not builder.complete


def test_a_late_trade_is_counted_and_not_merged():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 0))
    builder.advance(NOON + MINUTE)

    builder.add(trade(2, 59, "9"))

    assert builder.late == 1
    assert builder.advance(NOON + 2 * MINUTE)[0].high == 2


def test_a_trade_told_twice_counts_once():
    builder = a_builder(begin=NOON)
    builder.add(trade(1, 0))
    builder.add(trade(1, 0))

    assert builder.advance(NOON + MINUTE)[0].trades == 1


def test_history_without_an_earlier_close_starts_with_its_first_trade():
    bars = resample([trade(1, 70)], "XRP/USD", MINUTE, NOON, NOON + 3 * MINUTE)

    assert [bar.start for bar in bars] == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_history_with_an_earlier_close_is_without_a_hole():
    end = NOON + 3 * MINUTE

    bars = resample([trade(1, 70)], "XRP/USD", MINUTE, NOON, end, close=Decimal(5))

    assert [bar.close for bar in bars] == [5, 2, 2]
    assert all(bar.complete for bar in bars)


def test_a_builder_begins_where_a_bar_does():
    with pytest.raises(ValueError, match="not where a bar"):
        a_builder(begin=NOON + timedelta(seconds=1))


@pytest.mark.parametrize(
    "changes",
    [{"high": "1"}, {"low": "3"}, {"low": "0"}, {"close": "NaN"}, {"volume": "-1"}],
)
def test_an_impossible_bar_cannot_be_built(changes):
    numbers = {"open": "2", "high": "2", "low": "2", "close": "2", "volume": "1"} | changes
    values = {name: Decimal(number) for name, number in numbers.items()}

    with pytest.raises(ValueError, match="XRP/USD"):
        Bar(symbol="XRP/USD", interval=MINUTE, start=NOON, trades=1, **values)


STREAMS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=40
)


@given(STREAMS, st.lists(st.integers(0, 3600), max_size=10))
def test_when_the_clock_is_read_changes_nothing(steps, readings):
    trades, seconds = [], 0
    for number, (wait, price, quantity) in enumerate(steps):
        seconds += wait
        trades.append(trade(number, seconds, str(price), str(quantity)))
    end = interval_start(trades[-1].at, MINUTE) + 2 * MINUTE
    builder, bars = a_builder(begin=NOON), []
    for one in trades:
        for second in sorted(readings):
            if NOON + timedelta(seconds=second) <= one.at:
                bars += builder.advance(NOON + timedelta(seconds=second))
        bars += builder.add(one)
    bars += builder.advance(end)

    assert bars == resample(trades, "XRP/USD", MINUTE, NOON, end)
    assert sum(bar.volume for bar in bars) == sum(one.quantity for one in trades)
    assert sum(bar.trades for bar in bars) == len(trades)
    assert all(a.end == b.start for a, b in itertools.pairwise(bars))
