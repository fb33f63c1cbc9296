"""Every measurement of the trader runs and gives finite numbers; how fast is not judged here."""

import math
from importlib import import_module
from itertools import pairwise

import pytest

from ops.bench import up
from ops.bench.figures import Plan
from ops.bench.timing import milliseconds, on_schedule, percentile

RUNS = {
    "database": 2,
    "decision": 5,
    "execution": 10,
    "feed": 1,
    "memory": 1_000,
    "predict": 200,
    "reconnect": 1,
}


@pytest.mark.parametrize("name", RUNS)
def test_a_measurement_gives_finite_numbers_and_says_how(name):
    measured = import_module(f"ops.bench.{name}").measure(Plan(quick=True, runs=RUNS[name]))

    assert len({figure.name for figure in measured}) == len(measured) > 0
    for figure in measured:
        assert math.isfinite(figure.value)
        # A process may give memory back, too.
        assert figure.value >= 0 or figure.name == "growth of memory"
        assert figure.how


def test_a_stack_is_not_started_to_be_quick():
    assert up.measure(Plan(quick=True)) == []


def test_a_percentile_is_a_value_that_so_many_do_not_exceed():
    values = [float(n) for n in range(100, 0, -1)]

    assert percentile(values, 0.99) == 99
    assert percentile(values, 0.5) == 50
    assert percentile([3.0], 0.99) == 3


def test_times_are_told_in_milliseconds():
    figure = milliseconds("a call", [0.001, 0.002, 0.010], "by hand", goal=5.0)

    assert (figure.name, figure.value, figure.holds) == ("a call, p99", 10.0, False)
    assert figure.how == "by hand; 3 times, median 2 ms, longest 10 ms"


def test_a_schedule_does_not_wait_for_what_it_sets_off():
    due = []

    on_schedule(3, 0.001, lambda _, at: due.append(at) or sum(range(100_000)))

    assert [later - at for at, later in pairwise(due)] == pytest.approx([0.001, 0.001])
