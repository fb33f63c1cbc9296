"""A hold-out is untouched once: every look is on record before it is taken, and counted."""

from datetime import UTC, datetime, timedelta

import pytest

from registry.openings import Log, Look
from registry.settings import StudySettings
from registry.studies import open_storage, trials_ever

FIRST, LAST = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)


def look(days=0, **changed):
    told = {
        "market": "XRP/USD",
        "first": FIRST + timedelta(days=days),
        "last": LAST + timedelta(days=days),
        "data_hash": "a" * 64,
        "who": "manual",
        "run": "run-1",
    }
    return Look(**told | changed)


@pytest.fixture
def settings(tmp_path):
    return StudySettings(OPTUNA_STORAGE_URL=f"sqlite:///{tmp_path}/studies.db")


def test_a_look_is_on_record_with_who_when_where_and_what_was_seen(settings):
    log = Log(settings, "XRP/USD")

    opening = log.open(look())
    log.close(0.61)

    (entry,) = Log(settings, "XRP/USD").entries()
    assert (entry.look, entry.at, entry.log_loss) == (look(), opening.at, 0.61)
    assert entry.at.tzinfo is not None


def test_looks_at_the_same_bars_are_numbered_and_shared_bars_are_told_apart(settings):
    numbers = []
    for days in (0, 0, 1, 30, 0):
        log = Log(settings, "XRP/USD")
        opening = log.open(look(days))
        log.close(0.6)
        numbers.append((opening.number, opening.overlapping))

    assert numbers == [(1, 0), (2, 0), (1, 2), (1, 0), (3, 1)]


@pytest.mark.parametrize(
    ("days", "seen", "most"),
    [
        ((), 0.0, 0),
        ((5,), 0.0, 0),  # another stretch
        ((1,), 2 / 3, 1),  # a window that moved by a day of three
        ((1, 2), 2 / 3, 2),
        ((-2, 2), 2 / 3, 1),  # from either side
        ((1, 0, 0), 1.0, 3),
    ],
)
def test_of_moving_windows_it_is_told_how_much_was_seen_before_and_how_often(
    settings, days, seen, most
):
    for moved in days:
        Log(settings, "XRP/USD").open(look(moved))

    opening = Log(settings, "XRP/USD").open(look())

    assert (opening.seen, opening.most) == (pytest.approx(seen), most)


def test_a_look_that_broke_off_counts_like_another(settings):
    Log(settings, "XRP/USD").open(look())

    opening = Log(settings, "XRP/USD").open(look(run="run-2"))

    assert opening.number == 2
    assert [entry.log_loss for entry in Log(settings, "XRP/USD").entries()] == [None, None]


def test_a_look_is_a_trial_of_its_market_and_of_no_other(settings):
    Log(settings, "XRP/USD").open(look())
    Log(settings, "DOGE/USD").open(look(market="DOGE/USD"))

    assert trials_ever(open_storage(settings), "XRP/USD") == 1
    assert Log(settings, "DOGE/USD").open(look(market="DOGE/USD")).number == 2


def test_nothing_is_seen_that_was_not_opened(settings):
    with pytest.raises(ValueError, match="no look was opened"):
        Log(settings, "XRP/USD").close(0.6)
