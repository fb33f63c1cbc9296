"""Kraken is asked from the command line, and what is found wrong is mended by what is advised."""

import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest
from kraken_server import FIRST, trading
from sqlalchemy import text

from ops.cli import main

BEGIN = datetime.fromtimestamp(FIRST, UTC)
DAY = ("--from", f"{BEGIN:%Y-%m-%dT%H:%M}", "--to", f"{BEGIN + timedelta(days=1):%Y-%m-%dT%H:%M}")


@pytest.fixture
def friday(monkeypatch, tmp_path, database_url, capsys):
    """Run a command against an empty record and a Kraken of one market."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KRAKEN_REQUEST_INTERVAL_SECONDS", "0")

    def run(*arguments):
        with pytest.raises(SystemExit) as ending:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    with trading() as (address, failures):
        monkeypatch.setenv("KRAKEN_REST_URL", address)
        run.failures = failures
        yield run


def test_bars_are_ingested_once(friday):
    first = friday("ingest", "XRP/USD", *DAY)
    second = friday("ingest", "XRP/USD", *DAY)

    assert first[:2] == (0, "XRP/USD: 1440 bars on record, 1440 of them new, none missing\n")
    assert second[:2] == (0, "XRP/USD: 1440 bars on record, 0 of them new, none missing\n")


def test_what_the_gaps_command_advises_mends_what_it_found(friday, engine):
    friday("ingest", "XRP/USD", *DAY)
    wrong = {
        "lost": (5, "DELETE FROM market.price_bars WHERE start = :at"),
        "impossible": (7, "UPDATE market.price_bars SET volume = 'NaN' WHERE start = :at"),
        "shifted": (9, "UPDATE market.price_bars SET start = start + '7 s' WHERE start = :at"),
    }
    with engine.begin() as connection:
        for minute, statement in wrong.values():
            connection.execute(text(statement), {"at": BEGIN + timedelta(minutes=minute)})

    found = json.loads(friday("gaps", "XRP/USD", *DAY, "--json")[1])["found"]
    for one in found:
        deleted, _, command = one["mended_by"].rpartition("friday ")
        if "delete them" in (deleted or command):
            with engine.begin() as connection:
                statement = "DELETE FROM market.price_bars WHERE start = :at"
                connection.execute(text(statement), {"at": datetime.fromisoformat(one["from"])})
    for one in found:
        if "friday ingest" in one["mended_by"]:
            words = one["mended_by"].partition("friday ")[2].partition(" (")[0]
            assert friday(*shlex.split(words))[0] == 0

    kinds = [one["kind"] for one in found]
    assert kinds == ["impossible", "off the grid", "gap", "gap"]
    assert "no bar is missing or wrong" in friday("gaps", "XRP/USD", *DAY)[1]


def test_the_latest_bar_is_shown(friday):
    code, output, _ = friday("latest", "XRP/USD", "--json")

    told = json.loads(output)
    assert (code, told["symbol"], told["trades"]) == (0, "XRP/USD", 2)
    assert told["start"].startswith(f"{BEGIN + timedelta(days=1):%Y-%m-%d}")


@pytest.mark.parametrize("command", [("ingest", "ABC/USD", *DAY), ("latest", "ABC/USD")])
def test_an_unknown_market_and_a_silent_exchange_are_told_apart(friday, command):
    unknown = friday(*command)
    friday.failures += [503] * 9
    silent = friday(*command)

    assert (unknown[0], silent[0]) == (4, 3)
    assert "Unknown asset pair" in unknown[2].splitlines()[-1]
    assert "the exchange did not answer" in silent[2].splitlines()[-1]
