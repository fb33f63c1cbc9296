"""Bars are written down once and exactly, and what is missing is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from market.bars import Bar
from market.history import (
    closes_beside,
    gaps,
    last_bars,
    read_bars,
    record_bars,
    recording,
    settle_outcomes,
)
from sql.tables import OutcomeRow
from sql.trip import run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


def a_bar(number, close="2.10000", **changes):
    price = Decimal(close)
    bar = Bar(
        symbol="XRP/USD",
        interval=MINUTE,
        start=NOON + number * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal("0.00000001"),
        trades=1,
        bought=Decimal("0.000000004"),
    )
    return replace(bar, **changes)


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


def test_a_bar_comes_back_to_the_last_digit(session):
    record_bars(session, [a_bar(0, "0.1234567")], "test")

    ((found, _),) = last_bars(session, "XRP/USD", MINUTE, 5)

    assert found == a_bar(0, "0.1234567")


def test_the_closes_beside_a_bar_are_those_of_the_neighbours_bars_before(engine):
    peer = [a_bar(n, str(n + 1), symbol="DOGE/USD") for n in (0, 1)]
    with Session(engine) as session:
        record_bars(session, [a_bar(1), a_bar(2), *peer], "test")
        session.commit()
        live = [closes_beside(session, "XRP/USD", MINUTE, NOON + n * MINUTE) for n in (1, 2)]
        warming = [beside for _, beside in last_bars(session, "XRP/USD", MINUTE, 2)]

    table = read_bars(engine, "XRP/USD", MINUTE)

    assert live == warming == [(Decimal(1), None), (Decimal(2), None)]
    assert list(table["peer"]) == [1.0, 2.0]
    assert table["leader"].isna().all()


def test_a_bar_written_on_a_trip_is_the_bar_that_is_written_alone(session):
    run(session, [*recording(a_bar(0, "0.1234567")), *recording(a_bar(0, "9"))])
    record_bars(session, [a_bar(1, "0.1234567")], "test")

    first, second = (bar for bar, _ in last_bars(session, "XRP/USD", MINUTE, 2))
    assert first == a_bar(0, "0.1234567")
    assert replace(second, start=first.start) == first


def test_a_bar_told_twice_counts_once_and_stays_as_it_was(session):
    first = record_bars(session, [a_bar(0), a_bar(1)], "test")
    second = record_bars(session, [a_bar(1, "9"), a_bar(2)], "test")

    assert (first, second) == (2, 1)
    assert [bar.close for bar, _ in last_bars(session, "XRP/USD", MINUTE, 2)] == [
        Decimal("2.1")
    ] * 2


def test_incomplete_bars_are_not_written_down(session):
    assert record_bars(session, [a_bar(0, complete=False)], "test") == 0


def test_the_last_bars_are_the_newest_of_their_market_oldest_first(session):
    others = [a_bar(9, symbol="DOGE/USD"), a_bar(15, interval=QUARTER)]
    record_bars(session, [a_bar(n) for n in (2, 0, 1)] + others, "test")

    found = last_bars(session, "XRP/USD", MINUTE, 2)

    assert [bar.start for bar, _ in found] == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_bars_are_read_for_training_as_floats_in_order_of_utc_time(engine):
    with Session(engine) as session:
        record_bars(session, [a_bar(n, str(n + 1)) for n in (3, 1, 2, 0)], "test")
        session.commit()

    table = read_bars(engine, "XRP/USD", MINUTE, NOON + MINUTE, NOON + 3 * MINUTE)

    assert list(table.columns) == [
        *["open", "high", "low", "close", "volume", "bought", "trades"],
        *["peer", "leader"],
    ]
    assert str(table.index.tz) == "UTC"
    assert list(table.index) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert list(table["close"]) == [2.0, 3.0]
    assert set(table.dtypes.astype(str)) == {"float64"}


def test_a_market_without_bars_reads_as_an_empty_table(engine):
    table = read_bars(engine, "XRP/USD", MINUTE)

    assert table.empty
    assert str(table.index.tz) == "UTC"
    assert set(table.dtypes.astype(str)) == {"float64"}


def test_gaps_are_the_whole_intervals_without_a_bar(session):
    record_bars(session, [a_bar(n) for n in (1, 2, 5)], "test")
    late = NOON + timedelta(seconds=1)

    assert gaps(session, "XRP/USD", MINUTE, NOON, NOON + 8 * MINUTE) == [
        (NOON, NOON + MINUTE),
        (NOON + 3 * MINUTE, NOON + 5 * MINUTE),
        (NOON + 6 * MINUTE, NOON + 8 * MINUTE),
    ]
    assert gaps(session, "XRP/USD", MINUTE, late, late + 3 * MINUTE) == []


def test_an_outcome_is_the_return_to_the_bar_exactly_that_much_later(session):
    record_bars(session, [a_bar(0, "2"), a_bar(1, "3"), a_bar(2, "3"), a_bar(4, "9")], "test")

    new = settle_outcomes(session, "XRP/USD", MINUTE, 2, NOON + 10 * MINUTE)
    again = settle_outcomes(session, "XRP/USD", MINUTE, 2, NOON + 10 * MINUTE)

    assert (new, again) == (2, 0)
    found = session.execute(
        select(OutcomeRow.bar_start, OutcomeRow.forward_return).order_by(OutcomeRow.bar_start)
    ).all()
    assert [tuple(row) for row in found] == [(NOON, 0.5), (NOON + 2 * MINUTE, 2.0)]


def test_there_is_no_outcome_before_the_later_bar_has_ended(session):
    record_bars(session, [a_bar(0, "2"), a_bar(1, "3")], "test")

    early = settle_outcomes(session, "XRP/USD", MINUTE, 1, NOON + timedelta(seconds=119))
    due = settle_outcomes(session, "XRP/USD", MINUTE, 1, NOON + timedelta(seconds=120))

    assert (early, due) == (0, 1)
