"""However a stretch of trades is asked for, it is the same part of the same history."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.instruments import BY_SYMBOL
from sandbox.market import HOUR_NS, join
from sandbox.synthetic import Synthetic
from sandbox.tape import OwnPrint, Tape

FIRST = 492_000
START, HOURS = FIRST * HOUR_NS, 3
moments = st.integers(START, START + HOURS * HOUR_NS - 1)


def tape_with(times):
    tape = Tape(Synthetic(7, 0.015), BY_SYMBOL["XRP/USD"])
    given_ids = [
        tape.add(OwnPrint("XRP/USD", time, 200_000, 10**9, bought=True, market=False))
        for time in times
    ]
    return tape, given_ids


def rows(prints):
    columns = (prints.time, prints.price, prints.identity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def everything(tape):
    return join([tape.hour(FIRST + hour) for hour in range(HOURS)])


@settings(max_examples=40, deadline=None)
@given(st.sets(moments, min_size=1, max_size=30), moments, moments, st.integers(1, 40))
def test_a_stretch_is_a_part_of_the_whole(times, first, second, count):
    tape, _ = tape_with(sorted(times))
    after, until = sorted((first, second))
    whole = rows(everything(tape))

    assert rows(tape.between(after, until)) == [row for row in whole if after < row[0] <= until]
    before = [row for row in whole if row[0] <= until]
    if len(before) >= count:
        assert rows(tape.latest(until, count)) == before[-count:]


@given(st.sets(moments, min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_a_fill_keeps_the_trade_id_it_was_given(times):
    tape, identities = tape_with(sorted(times))
    whole = everything(tape)
    places = np.searchsorted(whole.time, sorted(times), side="right") - 1

    assert whole.identity[places].tolist() == identities
    assert (np.diff(whole.identity) == 1).all()


@pytest.mark.parametrize("count", [1, 7])
def test_the_last_trades_are_found_without_fills_too(count):
    tape, _ = tape_with([])
    whole = rows(everything(tape))

    assert rows(tape.latest(START + HOURS * HOUR_NS - 1, count)) == whole[-count:]
