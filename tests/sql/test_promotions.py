"""The history of promotions is only ever added to, and what was done to it shows."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from types import SimpleNamespace

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sql import chain, promotions
from sql.database import MIGRATIONS

NOON = datetime(2026, 1, 1, 12, 0, 0, 500, tzinfo=UTC)
ASLEEP = "SET LOCAL session_replication_role = replica"


def add(session, number=1, symbol="XRP/USD", **changed):
    given = {
        "symbol": symbol,
        "action": promotions.PROMOTED,
        "from_version": number - 1 or None,
        "to_version": number,
        "who": "Zoë",
        "reason": 'it is "better"\nby \u20ac 3',
        "evidence": {"gate": "passed", "rolled_back_from": number},
        "at": NOON + timedelta(minutes=number),
    }
    return promotions.record(session, **given | changed)


@pytest.fixture
def four(engine):
    with Session(engine) as session, session.begin():
        ids = [add(session, number) for number in (1, 2, 3, 4)]
        add(session, 1, symbol="DOGE/USD")
    return ids


def broken(engine, symbol="XRP/USD"):
    with Session(engine) as session:
        return chain.first_break(promotions.history(session, symbol))


def tamper(engine, statement, **values):
    with engine.begin() as connection:
        connection.execute(text(ASLEEP))
        connection.execute(text(statement), values)


def turn(engine, direction, revision):
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        getattr(command, direction)(config, revision)


def test_a_seal_is_the_hash_of_what_is_written_here():
    entry = SimpleNamespace(
        symbol="XRP/USD",
        action="promoted",
        from_version=None,
        to_version=3,
        who="Zoë",
        reason="first",
        evidence={"gate": "passed", "b": 1},
        at=datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    )
    written = (
        '{"action":"promoted","at":"2026-01-01T12:00:00.000000+00:00",'
        '"evidence":{"b":1,"gate":"passed"},"from_version":null,"previous":"00ff",'
        '"reason":"first","symbol":"XRP/USD","to_version":3,"who":"Zo\\u00eb"}'
    )

    assert chain.seal(entry, "00ff") == sha256(written.encode()).hexdigest()


def test_what_was_written_down_holds_and_every_market_has_a_chain_of_its_own(engine, four):
    with Session(engine) as session:
        rows = promotions.history(session, "XRP/USD")

        assert [row.id for row in rows] == four
        assert rows[0].previous_hash == chain.START
        assert rows[3].previous_hash == rows[2].hash
        assert promotions.history(session, "DOGE/USD")[0].previous_hash == chain.START
    assert broken(engine) is None
    assert chain.first_break([]) is None


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotions SET reason = 'another'",
        "UPDATE promotions SET hash = hash WHERE false",
        "DELETE FROM promotions",
        "TRUNCATE promotions CASCADE",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(engine, statement):
    with (
        pytest.raises(DBAPIError, match="promotions is only ever added to"),
        engine.begin() as connection,
    ):
        connection.execute(text(statement))

    assert broken(engine) is None


@pytest.mark.parametrize(
    "change",
    [
        "symbol = 'DOGE/USD', hash = hash",
        "action = 'rolled_back'",
        "from_version = 7",
        "to_version = NULL",
        "who = 'Zoe'",
        "reason = reason || ' '",
        """evidence = evidence || '{"gate": "refused"}'""",
        "at = at + interval '1 microsecond'",
        "previous_hash = repeat('0', 63) || '1'",
        "hash = repeat('0', 64)",
    ],
)
def test_a_changed_entry_is_found(engine, four, change):
    tamper(engine, f"UPDATE promotions SET {change} WHERE id = :id", id=four[1])

    found = broken(engine)

    assert found.id in {four[1], four[2]}  # of one moved elsewhere, the one that followed it


def test_an_entry_that_was_taken_out_is_found_by_the_one_after_it(engine, four):
    tamper(engine, "DELETE FROM promotions WHERE id = :id", id=four[1])

    assert broken(engine).id == four[2]


def test_a_first_entry_that_was_taken_out_is_found(engine, four):
    tamper(engine, "DELETE FROM promotions WHERE id = :id", id=four[0])

    assert broken(engine).id == four[1]


def test_an_entry_that_was_changed_and_sealed_anew_is_found_by_the_one_after_it(engine, four):
    with Session(engine) as session, session.begin():
        session.execute(text(ASLEEP))
        row = promotions.history(session, "XRP/USD")[1]
        row.who = "somebody else"
        row.hash = chain.seal(row, row.previous_hash)

    assert broken(engine).id == four[2]


def test_entries_in_another_order_are_found(engine, four):
    tamper(engine, "UPDATE promotions SET id = id + 1000 WHERE id = :id", id=four[1])

    assert broken(engine).id == four[2]


def test_who_writes_at_the_same_time_waits_and_the_chain_does_not_fork(engine):
    def write(number):
        with Session(engine) as session, session.begin():
            add(session, number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1, 13)))

    with Session(engine) as session:
        assert len(promotions.history(session, "XRP/USD")) == 12
    assert broken(engine) is None


def test_what_is_wanted_is_what_was_last_asked_for_and_not_what_was_refused(engine):
    with Session(engine) as session, session.begin():
        assert promotions.wanted(session, "XRP/USD") is None
        add(session, 2)
        add(session, 3, action=promotions.REFUSED)
        add(session, 1, action=promotions.LEFT)
        assert promotions.wanted(session, "XRP/USD") == 2
        add(session, 2, action=promotions.CLEARED, to_version=None)
        assert promotions.wanted(session, "XRP/USD") is None
        assert promotions.last(session, "XRP/USD").action == promotions.CLEARED


def test_entries_from_before_the_chain_are_sealed_on_the_way_there_and_survive_the_way_back(engine):
    turn(engine, "downgrade", "0003")
    with engine.begin() as connection:
        for symbol, evidence in (
            ("XRP/USD", '{"gate": "passed", "gate_reason": "every check passed \u00fc"}'),
            ("DOGE/USD", "{}"),
            ("XRP/USD", '{"rolled_back_from": 3}'),
        ):
            connection.execute(
                text(
                    "INSERT INTO promotions (symbol, from_version, to_version, who, reason,"
                    " evidence, at) VALUES (:symbol, NULL, 1, 'Zoë', 'because', :evidence, :at)"
                ),
                {"symbol": symbol, "evidence": evidence, "at": NOON},
            )

    turn(engine, "upgrade", "head")

    with Session(engine) as session, session.begin():
        rows = promotions.history(session, "XRP/USD")
        assert [row.action for row in rows] == [promotions.PROMOTED, promotions.ROLLED_BACK]
        add(session, 4)
        add(session, 5, action=promotions.REFUSED)
    assert broken(engine) is None
    assert broken(engine, "DOGE/USD") is None
    turn(engine, "downgrade", "0003")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM promotions")).scalar() == 4
