"""A trader is healthy only as long as it goes on saying so."""

from datetime import timedelta

import pytest
from orders_of_ours import NOON
from sqlalchemy import text
from sqlalchemy.orm import Session

from ops import health
from sql.database import limit_waiting
from trader import record

PID = 4711


class Clock:
    """A clock that stands still until it is put forward."""

    seconds = 0.0

    def now(self):
        """Tell the time."""
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def probe(engine, clock):
    return health.trader(engine, clock.now)


def say(engine, seconds):
    with Session(engine) as session, session.begin():
        record.record_trader_status(
            session,
            account="kraken",
            process_id=PID,
            state="trading",
            detail={},
            at=NOON + timedelta(seconds=seconds),
        )


def test_a_trader_that_says_nothing_for_half_a_minute_is_not_healthy(engine, clock, probe):
    say(engine, 0)
    assert probe(PID) == "trading"

    clock.seconds = 30.0
    assert probe(PID) == "trading"
    clock.seconds = 30.1
    assert probe(PID) is None

    say(engine, 1)
    assert probe(PID) == "trading"


def test_what_another_process_said_is_no_sign_of_this_one(engine, probe):
    say(engine, 0)

    assert probe(PID + 1) is None


def test_a_record_that_does_not_answer_keeps_nobody_waiting(engine, probe):
    say(engine, 0)

    limit_waiting(1.0)
    try:
        with engine.begin() as somebody:
            somebody.execute(text("LOCK TABLE trader_status"))
            assert probe(PID) is None
    finally:
        limit_waiting(None)

    assert probe(PID) == "trading"
