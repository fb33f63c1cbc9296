"""Challenger and champion are compared on the same bars, and only on those new to both."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from registry.rivalry import compare

START = datetime(2026, 11, 1, tzinfo=UTC)
BLOCK = pd.Timedelta(minutes=80)
RANDOM = np.random.default_rng(8)
TRUTH = RANDOM.uniform(0.1, 0.9, 2400)
TABLE = pd.DataFrame(
    {
        "decided": pd.date_range(START, periods=2400, freq="min"),
        "y": (RANDOM.uniform(size=2400) < TRUTH).astype("int8"),
    }
)
BASE = np.full(2400, 0.5)


def test_the_better_of_two_is_found_and_by_the_mean_of_its_gains():
    found = compare(TABLE, TRUTH, BASE, since=START, block=BLOCK)

    y = TABLE["y"].to_numpy()
    gain = np.log(np.where(y == 1, TRUTH, 1 - TRUTH)).mean() - np.log(0.5)
    assert (found.blocks, found.rows) == (30, 2400)
    assert found.gain == pytest.approx(gain)
    assert 0 < found.low < found.gain < found.high


def test_a_worse_one_is_shown_to_be_worse():
    assert compare(TABLE, BASE, TRUTH, since=START, block=BLOCK).high < 0


def test_two_of_the_same_are_equal():
    found = compare(TABLE, TRUTH, TRUTH, since=START, block=BLOCK)

    assert (found.gain, found.low, found.high) == (0.0, 0.0, 0.0)


def test_bars_that_taught_the_champion_do_not_count():
    since = START + timedelta(minutes=800)
    memory = TRUTH.copy()
    memory[:800] = np.where(TABLE["y"][:800] == 1, 0.999, 0.001)

    fresh = compare(TABLE, TRUTH, memory, since=since, block=BLOCK)

    assert (fresh.rows, fresh.gain) == (1600, 0.0)


def test_too_few_blocks_compare_nothing():
    since = START + timedelta(minutes=2400 - 9 * 80)

    assert compare(TABLE, TRUTH, BASE, since=since, block=BLOCK) is None
