"""Statements that go together are run in order, and each has its own values."""

import pytest
from sqlalchemy import event
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from sql.trip import Statement, run

MADE = Statement("CREATE TEMPORARY TABLE told (word text UNIQUE) ON COMMIT DROP", {})


def tell(word, returning=""):
    return Statement(
        f"INSERT INTO told VALUES (:word) ON CONFLICT DO NOTHING {returning}", {"word": word}
    )


COUNT = Statement("SELECT count(*) FROM told WHERE word <> :word", {"word": "c"})


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


def test_each_sees_what_those_before_it_wrote_and_the_last_one_answers(session):
    assert run(session, [MADE, tell("a"), tell("b:word"), tell("c"), COUNT]) == 2


def test_what_returns_nothing_gives_nothing(session):
    assert run(session, [MADE, tell("a")]) is None
    assert run(session, [tell("b", "RETURNING word")]) == "b"
    assert run(session, [tell("b", "RETURNING word")]) is None


def test_all_of_it_is_one_trip(session, engine):
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    run(session, [MADE, tell("a"), COUNT])

    assert len(statements) == 1


def test_one_that_fails_takes_the_others_with_it(session):
    with pytest.raises(ProgrammingError):
        run(session, [MADE, tell("a"), Statement("SELECT no_such_thing", {})])
    session.rollback()

    assert run(session, [Statement("SELECT to_regclass('told')", {})]) is None
