"""Statements that go together are run in order, and each has its own values."""

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, ProgrammingError
from sqlalchemy.orm import Session

from sql.trip import Statement, run


def tell(word, returning=""):
    return Statement(
        f"INSERT INTO told VALUES (:word) ON CONFLICT DO NOTHING {returning}", {"word": word}
    )


COUNT = Statement("SELECT count(*) FROM told WHERE word <> :word", {"word": "c"})


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        opened.execute(text("CREATE TEMPORARY TABLE told (word text UNIQUE)"))
        opened.commit()
        yield opened
        opened.rollback()
        opened.execute(text("DROP TABLE IF EXISTS told"))
        opened.commit()


def test_each_sees_what_those_before_it_wrote_and_the_last_one_answers(session):
    assert run(session, [tell("a"), tell("b:word"), tell("c"), COUNT]) == 2


def test_what_returns_nothing_gives_nothing(session):
    assert run(session, [tell("a")]) is None
    assert run(session, [tell("b", "RETURNING word")]) == "b"
    assert run(session, [tell("b", "RETURNING word")]) is None


def test_what_was_prepared_before_is_one_trip(session, engine):
    run(session, [tell("a"), COUNT])
    session.commit()
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    assert run(session, [tell("b"), COUNT]) == 2

    assert len(statements) == 1


def test_what_a_lost_connection_had_prepared_is_prepared_anew(session):
    run(session, [COUNT])
    session.rollback()
    session.connection().invalidate()
    session.rollback()

    assert run(session, [Statement("SELECT 1", {})]) == 1
    assert run(session, [Statement("SELECT 2", {})]) == 2


def test_one_that_fails_takes_the_others_with_it(session):
    with pytest.raises(ProgrammingError):
        run(session, [tell("a"), Statement("SELECT no_such_thing", {})])
    session.rollback()

    assert run(session, [COUNT]) == 0


def test_one_that_fails_as_it_runs_takes_the_others_with_it_and_can_run_later(session):
    inverse = "SELECT 1 / CAST(:number AS integer)"
    with pytest.raises(DataError):
        run(session, [tell("a"), Statement(inverse, {"number": 0})])
    session.rollback()

    assert run(session, [tell("a"), Statement(inverse, {"number": 1})]) == 1
