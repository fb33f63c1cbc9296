"""Everything that is wrong with a row of bars is found, told once, and nothing else is."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bars import Bar
from market.quality import BAD, Candle, Inspection, Kind, _possible, impossible

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NONSENSE = ("0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "-0", "0.5")
# Mostly what may well be a bar, so that what makes it none is seen alone.
values = st.sampled_from([*map(Decimal, NONSENSE), *[Decimal(n) for n in (1, 2, 3)] * 10])


def candle(number, volume="1", **changes):
    one = Candle(NOON + number * MINUTE, *map(Decimal, ("2", "3", "1", "2")), Decimal(volume))
    return one._replace(**changes)


def inspected(candles, *, end=None, begin=None):
    inspection = Inspection(MINUTE, begin)
    kept = [one for line, one in enumerate(candles, 1) if inspection.look(one, line)]
    inspection.close(end)
    return inspection, kept


def ranges(inspection, kind):
    return [(one.start, one.end) for one in inspection.findings if one.kind is kind]


@given(values, values, values, values, values)
def test_a_bar_is_impossible_exactly_when_none_can_be_made_of_it(opened, high, low, close, volume):
    one = Candle(NOON, opened, high, low, close, volume)
    why = impossible(one)

    def build():
        return Bar(
            symbol="XRP/USD",
            interval=MINUTE,
            start=NOON,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            trades=None,
        )

    assert _possible(one) == (why is None)
    if why is None:
        build()
    else:
        with pytest.raises(ValueError, match=r".+"):
            build()


@given(st.sets(st.integers(0, 40)))
def test_gaps_are_exactly_the_bars_that_are_not_there(dropped):
    there = [n for n in range(41) if n not in dropped]

    inspection, kept = inspected(map(candle, there), begin=NOON, end=NOON + 41 * MINUTE)

    missing = {
        start + n * MINUTE
        for start, end in ranges(inspection, Kind.GAP)
        for n in range((end - start) // MINUTE)
    }
    assert missing == {NOON + n * MINUTE for n in dropped}
    assert len(kept) == len(there)
    assert inspection.bad == 0


@given(st.lists(st.integers(0, 12)))
def test_what_is_kept_is_in_order_and_the_rest_is_told(numbers):
    inspection, kept = inspected(map(candle, numbers))

    starts = [one.start for one in kept]
    assert starts == sorted(set(starts))
    assert len(kept) + inspection.bad == len(numbers) == inspection.bars
    assert {kind for kind in inspection.tallies if kind in BAD} <= {
        Kind.DUPLICATE,
        Kind.OUT_OF_ORDER,
    }


@given(st.lists(st.sampled_from("01")), st.sets(st.integers(0, 20)))
def test_quiet_bars_are_told_as_runs_that_no_gap_is_part_of(volumes, dropped):
    candles = [candle(n, v) for n, v in enumerate(volumes) if n not in dropped]

    inspection, _ = inspected(candles)

    quiet = {
        start + n * MINUTE
        for start, end in ranges(inspection, Kind.ZERO_VOLUME)
        for n in range((end - start) // MINUTE)
    }
    tally = inspection.tallies.get(Kind.ZERO_VOLUME)
    if tally is None or tally.findings <= inspection.keep:
        assert quiet == {one.start for one in candles if one.volume == 0}
    assert (tally.bars if tally else 0) == sum(one.volume == 0 for one in candles)


def test_a_bar_told_twice_is_a_duplicate_and_an_older_one_is_out_of_order():
    inspection, _ = inspected([candle(0), candle(1), candle(1), candle(3), candle(2)])

    told = [(one.kind, one.line) for one in inspection.findings]
    assert told == [(Kind.DUPLICATE, 3), (Kind.OUT_OF_ORDER, 5), (Kind.GAP, None)]


def test_a_bar_between_two_starts_is_off_the_grid_and_moves_nothing():
    shifted = candle(0, start=NOON + timedelta(seconds=30))

    inspection, kept = inspected([candle(0), shifted, candle(1)])

    assert [one.start for one in kept] == [NOON, NOON + MINUTE]
    assert [one.kind for one in inspection.findings] == [Kind.OFF_GRID]


def test_an_impossible_bar_leaves_no_gap_where_it_stands():
    inspection, _ = inspected([candle(0), candle(1, high=Decimal("0.5")), candle(2)])

    (found,) = inspection.findings
    assert (found.kind, found.line) == (Kind.IMPOSSIBLE, 2)
    assert found.why == "high 0.5 is below low 1"


def test_memory_does_not_grow_with_what_is_wrong():
    inspection, _ = inspected(candle(0) for _ in range(1_000))

    tally = inspection.tallies[Kind.DUPLICATE]
    assert (tally.findings, tally.bars, len(tally.first)) == (999, 999, 20)
    assert (tally.start, tally.end) == (NOON, NOON + MINUTE)
