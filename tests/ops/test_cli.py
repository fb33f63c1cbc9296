"""A command answers truly, and a bad input gets one sentence and a documented code."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from paper_exchange import PaperExchange, serving
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from ops.cli import COMMANDS
from trader import record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "sandbox"])
def test_every_command_explains_itself(friday, command):
    code, output, _ = friday(command, "--help")

    assert code == 0
    assert "Usage: friday" in output


def test_the_sandbox_explains_itself():
    friday = [sys.executable, "-c", "from ops.cli import main; main()", "sandbox", "--help"]

    answer = subprocess.run(friday, capture_output=True, text=True, check=True)

    assert "--seed" in answer.stdout


@pytest.mark.parametrize("command", ["orders", "fills", "positions", "pnl"])
def test_an_empty_record_is_said_to_be_empty(friday, command):
    code, output, complaint = friday(command)

    assert (code, complaint) == (0, "")
    assert "no order" in output or "nothing has traded" in output


def test_json_is_json(friday):
    code, output, _ = friday("orders", "--json")

    assert (code, json.loads(output)) == (0, [])


def test_an_unknown_order_is_an_answer_of_no(friday):
    code, _, complaint = friday("why", "nonsense")

    assert code == 1
    assert complaint == "no order is known under nonsense; friday orders lists them\n"


def test_an_unknown_command_is_wrong_usage(friday):
    code, _, complaint = friday("fly")

    assert code == 2
    assert "No such command 'fly'" in complaint


def test_halting_needs_a_reason(friday):
    code, _, complaint = friday("halt")

    assert code == 2
    assert "--reason" in complaint


def test_a_blank_is_no_reason(friday):
    code, _, complaint = friday("halt", "--reason", "  ")

    assert code == 2
    assert "a reason in words" in complaint


@pytest.mark.parametrize(
    "name", ["", " ", "../etc", "XRP/USD/EUR", "XRP/", "XRP USD", "XRP/USD'--"]
)
def test_what_cannot_be_a_markets_name_is_wrong_usage(friday, name, tmp_path):
    (tmp_path / "bars.csv").write_text(
        "datetime,open,high,low,close,volume\n2026-01-01,1,1,1,1,1\n"
    )

    for command in ("history", "gaps", "pnl"):
        code, _, complaint = friday(command, name)
        assert (code, "expected a market such as XRP/USD" in complaint) == (2, True)
    assert friday("import", "csv", str(tmp_path / "bars.csv"), "--symbol", name)[0] == 2


def test_a_markets_name_may_be_written_small(friday):
    code, output, _ = friday("history", "xrp/usd")

    assert (code, "no version of XRP/USD" in output) == (0, True)


@pytest.mark.parametrize("cost", ["nan", "-0.1", "inf", "1", "much"])
def test_a_cost_that_is_no_fraction_is_wrong_usage(friday, cost):
    code, _, complaint = friday("retrain", "XRP/USD", "--cost", cost)

    assert (code, "expected a fraction" in complaint) == (2, True)


def test_a_negative_limit_is_wrong_usage(friday):
    assert friday("fills", "--limit", "-1")[0] == 2


def test_a_halt_stands_until_somebody_resumes(friday, engine):
    assert friday("halt", "--reason", "drill")[0] == 0
    with Session(engine) as session:
        assert record.current_halt(session).reason == "drill"

    code, output, _ = friday("resume", "--reason", "drill over")

    assert (code, "lifted: drill" in output) == (0, True)
    with Session(engine) as session:
        assert record.current_halt(session) is None


def test_a_halt_raised_while_somebody_resumes_stands_and_is_told(friday, engine):
    friday("halt", "--reason", "drill")

    def raise_another(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE halts"):
            with Session(engine) as session, session.begin():
                record.halt(session, reason_code="reconciliation", reason="r", who="flow", at=NOON)

    event.listen(Engine, "before_cursor_execute", raise_another)
    try:
        code, output, complaint = friday("resume", "--reason", "drill over")
    finally:
        event.remove(Engine, "before_cursor_execute", raise_another)

    assert (code, "lifted: drill" in output) == (4, True)
    assert "raised meanwhile" in complaint
    with Session(engine) as session:
        assert [halt.reason_code for halt in record.current_halts(session)] == ["reconciliation"]


def test_flattening_reduces_and_says_so_if_nothing_may_be_sold(friday, engine):
    code, output, _ = friday("flatten", "--reason", "going home")
    assert (code, "sells what is held" in output) == (0, True)
    with Session(engine) as session:
        assert record.current_halt(session).reason_code == "flatten"

    friday("halt", "--reason", "look first")
    code, _, complaint = friday("flatten", "--reason", "going home")

    assert code == 4
    assert "look first" in complaint


def test_profit_can_be_had_as_json(friday):
    code, output, _ = friday("pnl", "XRP/USD", "--json")

    assert (code, json.loads(output)) == (0, [])


def test_a_halt_is_written_while_the_trader_hangs_in_the_midst_of_writing(friday, engine):
    with Session(engine) as hanging, hanging.begin():
        record.halt(hanging, reason_code="daily_loss", reason="r", who="trader", at=NOON)

        assert friday("halt", "--reason", "it hangs")[0] == 0

        with Session(engine) as session:
            assert record.current_halt(session).reason == "it hangs"


def test_a_difference_that_a_command_finds_halts_trading(friday, engine, monkeypatch):
    account = PaperExchange()
    with serving(account) as client:
        monkeypatch.setenv("KRAKEN_REST_URL", client._client.urls["api"]["public"])
        monkeypatch.setenv("KRAKEN_API_KEY", "key")
        monkeypatch.setenv("KRAKEN_API_SECRET", "c2VjcmV0")
        monkeypatch.setenv("KRAKEN_REQUEST_INTERVAL_SECONDS", "0")
        assert friday("reconcile")[0] == 0
        account.balances["ZUSD"] += 1

        code, _, complaint = friday("reconcile")

    assert (code, "trading is halted" in complaint) == (1, True)
    with Session(engine) as session:
        assert record.current_halt(session).reason_code == "reconciliation"


def test_resuming_what_was_not_halted_is_an_answer_of_no(friday):
    assert friday("resume", "--reason", "why not")[0] == 1


@pytest.mark.parametrize(
    ("url", "code", "expected"),
    [
        ("mysql://root@localhost/friday", 2, "must be postgresql://"),
        ("nonsense", 2, "must be postgresql://"),
        ("postgresql://nobody:secret-word@127.0.0.1:1/friday", 3, "cannot use PostgreSQL at"),
    ],
)
def test_a_wrong_database_url_is_one_sentence_without_the_password(
    friday, monkeypatch, url, code, expected
):
    monkeypatch.setenv("DATABASE_URL", url)

    found, output, complaint = friday("orders")

    assert (found, output, complaint.count("\n")) == (code, "", 1)
    assert expected in complaint
    assert "secret-word" not in complaint


def test_without_a_stack_and_a_database_url_it_says_what_to_run(friday, monkeypatch):
    monkeypatch.delenv("DATABASE_URL")

    code, _, complaint = friday("orders")

    assert code == 2
    assert "DATABASE_URL is not set" in complaint
    assert "run friday up" in complaint


def test_a_malformed_variable_is_named(friday, monkeypatch):
    monkeypatch.setenv("KRAKEN_REQUEST_INTERVAL_SECONDS", "soon")

    code, _, complaint = friday("ingest", "XRP/USD")

    assert code == 2
    assert complaint.startswith("KRAKEN_REQUEST_INTERVAL_SECONDS: input should be a valid number")


def test_a_file_with_a_bad_row_is_refused_whole(friday, tmp_path):
    file = tmp_path / "bars.csv"
    file.write_text(
        "datetime,open,high,low,close,volume\n"
        "2026-01-01 00:00:00,1,2,1,2,5\n"
        "2026-01-01 00:15:00,1,0.5,1,2,5\n"
    )

    code, _, complaint = friday("import", "csv", str(file), "--symbol", "XRP/USD")

    assert code == 2
    assert "line 3" in complaint
    assert friday("gaps", "XRP/USD")[0] == 1


def test_a_page_that_could_not_be_written_is_told_before_the_backtest_begins(friday, tmp_path):
    page = tmp_path / "absent" / "page.html"

    code, _, complaint = friday("backtest", "XRP/USD", "--report", str(page))

    assert code == 2
    assert f"there is no folder {page.parent}" in complaint
