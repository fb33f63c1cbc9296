"""A day written in another zone is found by its neighbours' moves, and no other day is."""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from market.zones import agreed, shifts

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
COINBASE = Path(__file__).parents[3] / "shared" / "data" / "coinbase_15m"


def pair(days=6, interval=QUARTER, seed=7, own=0.4):
    """Return starts and the closes of two markets that move together."""
    bars = days * (DAY // interval)
    random = np.random.default_rng(seed)
    shared, a, b = (random.standard_t(4, bars) * 0.002 for _ in range(3))
    starts = [MIDNIGHT + n * interval for n in range(bars)]
    return starts, np.exp(np.cumsum(shared + own * a)), np.exp(np.cumsum(shared + own * b))


def displaced(closes, first, last, hours, interval=QUARTER):
    """Write the bars of a stretch under the times of so many hours before theirs."""
    by = hours * (HOUR // interval)
    moved = closes.copy()
    moved[first:last] = closes[first + by : last + by]
    return moved


@pytest.mark.parametrize("hours", [-8, -1, 2, 5])
def test_a_shifted_day_is_found_with_its_hours(hours):
    starts, ours, theirs = pair()
    moved = displaced(ours, 192, 288, hours)

    (found,) = shifts(starts, moved, (starts, theirs), QUARTER)

    assert (found.start, found.end) == (MIDNIGHT + 2 * DAY, MIDNIGHT + 3 * DAY)
    assert found.hours == hours
    assert found.unshifted < 0.3
    assert found.correlation > 0.5


def test_days_in_a_row_with_the_same_shift_are_one_finding():
    starts, ours, theirs = pair()

    (found,) = shifts(starts, displaced(ours, 96, 384, 5), (starts, theirs), QUARTER)

    assert (found.start, found.end) == (MIDNIGHT + DAY, MIDNIGHT + 4 * DAY)


@pytest.mark.parametrize("own", [0.4, 50.0])
def test_nothing_is_found_where_nothing_is_shifted(own):
    for seed in range(40):
        starts, ours, theirs = pair(seed=seed, own=own)
        assert shifts(starts, ours, (starts, theirs), QUARTER) == []


def test_one_neighbour_in_the_wrong_zone_accuses_nobody():
    starts, ours, theirs = pair()
    wrong = shifts(starts, ours, (starts, displaced(theirs, 192, 288, 5)), QUARTER)
    right = shifts(starts, ours, (starts, theirs), QUARTER)

    assert wrong
    assert agreed([wrong, right]) == []
    assert agreed([wrong, wrong]) == wrong
    assert agreed([]) == []


def test_moves_that_come_again_every_hour_accuse_nobody():
    (starts, ours, _), (_, _, theirs) = pair(seed=1), pair(seed=2)
    every_hour = np.tile([0.001, -0.002, 0.003, -0.0021], len(starts) // 4)
    own = (np.diff(np.log(closes), prepend=0.0) * 0.1 for closes in (ours, theirs))
    ours, theirs = (np.exp(np.cumsum(every_hour + noise)) for noise in own)

    assert shifts(starts, ours, (starts, theirs), QUARTER) == []


def test_independent_markets_that_move_on_and_on_accuse_nobody():
    for seed in range(20):
        random = np.random.default_rng(seed)
        starts = [MIDNIGHT + n * QUARTER for n in range(960)]
        swings = (random.standard_normal((2, 240)).repeat(4, axis=1)) * 0.002
        noise = random.standard_normal((2, 960)) * 0.0005
        ours, theirs = np.exp(np.cumsum(swings + noise, axis=1))

        assert shifts(starts, ours, (starts, theirs), QUARTER) == []


def test_flat_prices_and_intervals_that_divide_no_hour_accuse_nobody():
    starts, ours, theirs = pair()

    assert shifts(starts, np.ones(len(starts)), (starts, theirs), QUARTER) == []
    assert shifts(starts, ours, ([], []), QUARTER) == []
    assert shifts(starts, ours, (starts, theirs), 7 * QUARTER) == []


def recorded(name):
    path = COINBASE / name
    if not path.exists():
        pytest.skip(f"no recorded bars at {path}")
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    starts = [datetime.fromisoformat(row["datetime"]) for row in rows]
    starts = [at if at.tzinfo else at.replace(tzinfo=UTC) for at in starts]
    return starts, np.array([float(row["close"]) for row in rows])


def test_among_three_hundred_recorded_days_only_the_shifted_one_is_found():
    starts, ours = recorded("XRP_USD_15m.csv.gz")
    beside = recorded("DOGE_USD_15m.csv.gz")
    day = starts.index(datetime(2025, 6, 11, tzinfo=UTC))

    assert shifts(starts, ours, beside, QUARTER) == []
    (found,) = shifts(starts, displaced(ours, day, day + 96, 5), beside, QUARTER)

    assert (found.start, found.hours) == (datetime(2025, 6, 11, tzinfo=UTC), 5)
