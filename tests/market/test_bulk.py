"""An import by COPY writes every bar once, to the last digit, and may be killed at any time."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from market import bulk
from market.bar_columns import columns_of
from market.bars import Bar
from market.history import last_bars, record_bars
from sql import months
from sql.amounts import Amounts

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
WHOLE = text("SELECT * FROM market.price_bars ORDER BY symbol, interval_seconds, start")
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
# Every price of an import that is killed follows from its bar's number.
KILLED = """
import sys
from sql.database import DatabaseSettings, open_engine
from market import bulk
sys.path.insert(0, sys.argv[2])
from test_bulk import many
bulk.CHUNK = 2_000
bulk.copy_columns(
    open_engine(DatabaseSettings(DATABASE_URL=sys.argv[1])), many(100_000), "killed",
    lambda done: print(done, flush=True),
)
"""
prices = st.decimals("0.000000000000000001", "99999999999.999999999999999999", places=18)


def a_bar(number, close="2.10000", **changes):
    price = Decimal(close)
    bar = Bar(
        symbol="XRP/USD",
        interval=MINUTE,
        start=JUNE + number * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal("0.00000001"),
        trades=1,
        bought=Decimal("0.000000004"),
    )
    return replace(bar, **changes)


def many(count):
    (columns,) = columns_of([a_bar(0)])
    spread = columns.take(np.zeros(count, dtype=np.int64))
    prices = Amounts(np.arange(1, count + 1), np.zeros(count, dtype=np.int64))
    start = spread.start[0] + np.arange(count) * 60_000_000
    sides = dict.fromkeys(("open", "high", "low", "close"), prices)
    return [replace(spread, start=start, **sides)]


@pytest.fixture
def june(engine):
    with Session(engine) as session, session.begin():
        months.ensure(session, "price_bars", [JUNE])


def on_record(engine, symbol="XRP/USD", interval=MINUTE):
    with Session(engine) as session:
        return [bar for bar, _ in last_bars(session, symbol, interval, 1_000_000)]


def wait_until_somebody_waits(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(WAITING):
            pass


def test_bars_come_back_to_the_last_digit_whatever_is_known_of_them(engine):
    bars = [
        a_bar(0, "0.000000000000000001"),
        a_bar(1, "123456789012345678.123456789012345678", volume=Decimal("1E+17")),
        a_bar(2, "10000", trades=None, bought=None),
        a_bar(3, "9999.0001", trades=None),
        a_bar(4, "100000000.5", bought=None, volume=Decimal(0)),
        a_bar(5, trades=2**31 - 1, bought=Decimal(0)),
        a_bar(6, "1.00000000010", symbol="DOGE/USD"),
        a_bar(60, interval=HOUR),
    ]

    new = bulk.copy_bars(engine, bars, "test")

    assert new == 8
    assert on_record(engine) == bars[:6]
    assert on_record(engine, "DOGE/USD") == [bars[6]]
    assert on_record(engine, interval=HOUR) == [bars[7]]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(prices, prices, prices, prices, prices), min_size=1, max_size=20))
def test_what_copy_writes_is_what_an_insert_writes(engine, drawn):
    bars = [
        a_bar(n, open=o, close=c, high=max(o, c, h), low=min(o, c, h), volume=v, bought=min(b, v))
        for n, (o, h, c, v, b) in enumerate(drawn)
    ]
    found = []
    for write in (record_bars, lambda session, *given: bulk.copy_bars(session.bind, *given)):
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM market.price_bars"))
        with Session(engine) as session, session.begin():
            assert write(session, bars, "test") == len(bars)
        with engine.connect() as connection:
            found.append([row[:-1] for row in connection.execute(text(f"{WHOLE}"))])

    assert str(found[0]) == str(found[1])


def test_what_is_on_record_stays_as_it_is(engine):
    with Session(engine) as session, session.begin():
        record_bars(session, [a_bar(1, "9"), a_bar(3, "9")], "before")

    new = bulk.copy_bars(engine, [a_bar(n) for n in (3, 2, 1, 0, 2)], "test")
    again = bulk.copy_bars(engine, [a_bar(n) for n in range(4)], "test")

    assert (new, again) == (2, 0)
    assert [bar.close for bar in on_record(engine)] == [
        Decimal(n) for n in ("2.1", "9", "2.1", "9")
    ]


def test_of_a_bar_given_twice_the_first_counts(engine):
    bulk.copy_bars(engine, [a_bar(1, "5"), a_bar(0), a_bar(1, "6")], "test")

    assert [bar.close for bar in on_record(engine)] == [Decimal("2.1"), Decimal(5)]


def test_incomplete_bars_are_not_written_down(engine):
    assert bulk.copy_bars(engine, [a_bar(0, complete=False)], "test") == 0
    assert on_record(engine) == []


def test_bars_of_many_years_find_room(engine):
    bars = [
        a_bar(0, start=datetime(year, 12, 31, 23, 59, tzinfo=UTC)) for year in range(2010, 2027)
    ]

    assert bulk.copy_bars(engine, bars, "test") == 17
    assert on_record(engine) == bars


def test_progress_counts_every_bar_that_was_dealt_with(engine, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 10)
    told = []

    bulk.copy_bars(engine, [a_bar(n) for n in range(25)], "test", told.append)

    assert told == [10, 20, 25]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"volume": Decimal("1E-19")}, "more than 18 decimals"),
        ({"volume": Decimal("1E+18")}, "too large"),
    ],
)
def test_an_amount_that_would_be_rounded_is_refused(engine, changes, reason):
    with pytest.raises(ValueError, match=reason):
        bulk.copy_bars(engine, [a_bar(0), a_bar(1, bought=None, **changes)], "test")
    assert on_record(engine) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"low": "high"},
        {"high": "low"},
        {"low": "nothing"},
        {"volume": "nothing"},
        {"start": "late"},
    ],
)
def test_columns_cannot_hold_what_could_not_be_a_bar(changes):
    (good,) = columns_of(
        [
            a_bar(
                0, "2", open=Decimal("2.5"), high=Decimal(3), low=Decimal(1), bought=Decimal("1e-9")
            )
        ]
    )
    nothing = replace(good.open, whole=good.open.whole * 0, fraction=good.open.fraction * 0)
    values = {"high": good.high, "low": good.low, "nothing": nothing, "late": good.start + 1}

    with pytest.raises(ValueError, match="cannot be a bar"):
        replace(good, **{name: values[value] for name, value in changes.items()})


def test_two_imports_at_once_write_every_bar_once(engine, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 500)
    (bars,) = many(5_000)
    backwards = bars.take(np.arange(5_000)[::-1])

    with ThreadPoolExecutor(3) as pool:
        new = sum(
            pool.map(
                lambda part: bulk.copy_columns(engine, [part], "test"), [bars, backwards, bars]
            )
        )

    assert new == 5_000
    assert [bar.close for bar in on_record(engine)] == list(range(1, 5_001))


@pytest.mark.usefixtures("june")
def test_a_bar_that_somebody_else_is_writing_is_waited_for(engine):
    with ThreadPoolExecutor(1) as pool, Session(engine) as session:
        record_bars(session, [a_bar(1, "9")], "live")
        copied = pool.submit(bulk.copy_bars, engine, [a_bar(n) for n in range(3)], "test")
        wait_until_somebody_waits(engine)
        session.commit()

        assert copied.result() == 2
    assert [bar.close for bar in on_record(engine)] == [Decimal(n) for n in ("2.1", "9", "2.1")]


@contextmanager
def importing(database_url):
    here = __file__.rpartition("/")[0]
    command = [sys.executable, "-c", KILLED, database_url, here]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("chunks", [1, 7])
def test_an_import_killed_amid_its_work_is_resumed_without_loss_or_duplicates(
    engine, database_url, chunks
):
    with importing(database_url) as process:
        told = [int(process.stdout.readline()) for _ in range(chunks)]
    kept = [bar.close for bar in on_record(engine)]

    new = bulk.copy_columns(engine, many(100_000), "resumed")

    assert told[-1] <= len(kept) < 100_000
    assert kept == list(range(1, len(kept) + 1))
    assert new == 100_000 - len(kept)
    assert [bar.close for bar in on_record(engine)] == list(range(1, 100_001))


@pytest.mark.usefixtures("june")
def test_of_a_chunk_that_was_half_written_when_its_import_was_killed_nothing_stays(
    engine, database_url
):
    with Session(engine) as session:
        record_bars(session, [a_bar(5_000)], "live")
        with importing(database_url) as process:
            told = [int(process.stdout.readline()) for _ in range(2)]
            wait_until_somebody_waits(engine)  # amid the COPY of the third chunk
        session.rollback()

    new = bulk.copy_columns(engine, many(100_000), "resumed")

    assert told == [2_000, 4_000]
    assert new == 96_000
    assert [bar.close for bar in on_record(engine)] == list(range(1, 100_001))
