"""Only one trader holds an account, and a dead one holds it no longer."""

import pytest
from sqlalchemy import create_engine, text

from sql.errors import LeaseLost, LeaseTaken
from sql.lease import Lease


def test_a_second_trader_of_the_account_is_refused(engine):
    _holder = Lease(engine, "kraken")

    with pytest.raises(LeaseTaken, match="'kraken'"):
        Lease(engine, "kraken")


def test_another_account_has_a_lease_of_its_own(engine):
    _holder = Lease(engine, "kraken")

    Lease(engine, "another").check()


def test_a_released_lease_can_be_taken_at_once(engine):
    Lease(engine, "kraken").release()

    Lease(engine, "kraken").check()


def test_a_standby_takes_the_lease_once_its_holder_is_gone(engine):
    holder, pauses = Lease(engine, "kraken"), []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            holder.release()

    Lease.wait(engine, "kraken", pause).check()

    assert len(pauses) >= 3


def test_a_standby_waits_for_a_record_that_is_away():
    away, pauses = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none"), []

    class Enough(Exception):
        pass

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            raise Enough

    with pytest.raises(Enough):
        Lease.wait(away, "kraken", pause)


def test_a_lease_whose_connection_died_is_lost_and_free(engine):
    lease = Lease(engine, "kraken")
    cut(engine)

    with pytest.raises(LeaseLost):
        lease.check()
    Lease(engine, "kraken").check()


def test_a_lost_lease_stays_lost_however_often_it_is_checked(engine):
    lease = Lease(engine, "kraken")
    cut(engine)

    for _ in range(3):
        with pytest.raises(LeaseLost):
            lease.check()


def cut(engine):
    """End the connection that holds a lease."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        )
