"""`friday history` tells who did what to production, and exits 1 if somebody edited that."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ops.cli import main
from serving import tenure
from sql import promotions

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def history(monkeypatch, tmp_path, database_url, capsys):
    """Run the command and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*options):
        with pytest.raises(SystemExit) as ending:
            main(["history", "XRP/USD", *options])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


@pytest.fixture
def entries(engine):
    """Let Anna promote version 2 against its gate, which the trader takes up and leaves."""
    told = {"symbol": "XRP/USD", "at": NOON}
    with Session(engine) as session, session.begin():
        evidence = {"semantic_version": "1.1.0", "override": "Anna: a short sample"}
        first = promotions.record(
            session,
            action=promotions.PROMOTED,
            from_version=1,
            to_version=2,
            who="Anna",
            reason="a short sample",
            evidence=evidence,
            **told,
        )
        tenure.record_deployment(
            session,
            version=2,
            semantic_version="1.1.0",
            action="deployed",
            reason="the registry has it as production",
            run_id="run",
            artifact_sha256="0",
            **told,
        )
        second = promotions.record(
            session,
            action=promotions.LEFT,
            from_version=2,
            to_version=1,
            who="trader",
            reason="its score is nan",
            evidence={},
            **told,
        )
    return first, second


@pytest.mark.usefixtures("entries")
def test_every_entry_is_shown_with_who_and_why_and_its_seal(history):
    code, output, complaint = history()

    assert (code, complaint) == (0, "")
    assert "1.1.0" in output
    assert "Anna: a short sample" in output
    assert "left by the trader" in output
    assert "the chain of 2 holds; its last seal is " in output


@pytest.mark.usefixtures("entries")
def test_a_machine_gets_all_of_it(history, engine):
    code, output, _ = history("--json")

    told = json.loads(output)
    with Session(engine) as session:
        last = promotions.last(session, "XRP/USD")
    assert code == 0
    assert [row["action"] for row in told["promotions"]] == ["promoted", "left"]
    assert told["deployments"][0]["semantic_version"] == "1.1.0"
    assert told["chain"] == {"holds": True, "last_seal": last.hash, "broken": None}


def test_an_edited_entry_is_named_and_the_answer_is_no(history, engine, entries):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE promotions DISABLE TRIGGER promotions_append_only"))
        connection.execute(
            text("UPDATE promotions SET who = 'nobody' WHERE id = :id"), {"id": entries[0]}
        )
        connection.execute(text("ALTER TABLE promotions ENABLE TRIGGER promotions_append_only"))

    code, output, complaint = history()

    assert code == 1
    assert f"entry {entries[0]} (2026-01-01 12:00:00, promoted, version 2)" in complaint
    assert "it was changed after it was written" in complaint
    assert "nobody" in output
    told = json.loads(history("--json")[1])
    assert told["chain"]["broken"]["id"] == entries[0]


def test_where_nothing_happened_nothing_is_wrong(history):
    code, output, _ = history()

    assert code == 0
    assert "no version of XRP/USD was ever promoted" in output
