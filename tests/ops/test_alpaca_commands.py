"""Alpaca is asked from the command line; whatever goes wrong is one sentence and a code."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from alpaca_server import KEY, SECRET, recorded, serving
from kraken_server import trading
from sqlalchemy import select
from sqlalchemy.orm import Session

from market.bars import Bar
from market.history import record_bars
from ops.cli import main
from sql.tables import OptionQuoteRow, PriceBarRow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOURS = ("--interval-seconds", 3600, "--from", "2026-03-02T12:00", "--to", "2026-03-02T16:00")
EVERY = pytest.mark.parametrize(
    "command",
    [
        ("ingest", "AAPL", "--provider", "alpaca", *HOURS),
        ("latest", "AAPL", "--provider", "alpaca"),
        ("options", "AAPL"),
    ],
    ids=lambda words: words[0],
)
HERE = "http://127.0.0.1:9"  # where nobody listens


@pytest.fixture
def friday(monkeypatch, tmp_path, database_url, capsys):
    """Run a command against an empty record and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    monkeypatch.setenv("APCA_REQUEST_INTERVAL_SECONDS", "0")

    def run(*arguments, url=HERE):
        monkeypatch.setenv("APCA_API_DATA_URL", url)
        with pytest.raises(SystemExit) as ending:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


def hour(number, **other):
    at = f"{NOON + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}"
    return {"t": at, "o": 5, "h": 6.25, "l": 4, "c": 5, "v": 70, "n": 3, "vw": 5} | other


def page(*rows, symbol="AAPL", following=None):
    return {"bars": {symbol: list(rows)}, "next_page_token": following}


def on_record(engine):
    with Session(engine) as session:
        rows = session.scalars(select(PriceBarRow).order_by(PriceBarRow.start))
        return [(row.start.hour, row.high, row.source) for row in rows]


def complaint(said):
    """Return the one sentence, without what progress told before it."""
    *_, last = said.strip().splitlines()
    return last


def test_bars_of_a_stock_are_ingested_page_by_page_and_once(friday, engine):
    pages = page(hour(0), following="there"), page(hour(2))
    asked_for = ("ingest", "AAPL", "--provider", "alpaca", *HOURS)

    with serving(*pages) as (found, asked):
        first = friday(*asked_for, url=found.api_data_url)
    with serving(page(hour(1), hour(2), hour(3))) as (found, again):
        second = friday(*asked_for, url=found.api_data_url)
    third = friday(*asked_for)

    assert first[:2] == (0, "AAPL: 2 bars on record, 2 of them new, 2 missing\n")
    assert [one[1].get("page_token") for one in asked] == [None, "there"]
    assert second[:2] == (0, "AAPL: 4 bars on record, 2 of them new, none missing\n")
    assert [(one[1]["start"], one[1]["end"]) for one in again] == [
        ("2026-03-02T13:00:00Z", "2026-03-02T15:59:59Z")
    ]
    assert third[:2] == (0, "AAPL: 4 bars on record, 0 of them new, none missing\n")
    assert on_record(engine) == [(12 + n, Decimal("6.25"), "alpaca-iex") for n in range(4)]


def test_pages_before_a_failure_are_kept_and_the_next_run_goes_on(friday, engine):
    asked_for = ("ingest", "AAPL", "--provider", "alpaca", *HOURS)

    with serving(page(hour(0), following="there"), (502, {}, "")) as (found, _):
        failed = friday(*asked_for, url=found.api_data_url)
    kept = on_record(engine)
    with serving(page(hour(1), hour(2), hour(3))) as (found, asked):
        done = friday(*asked_for, url=found.api_data_url)

    assert (failed[0], complaint(failed[2])) == (3, "Alpaca cannot answer (status 502)")
    assert [one[0] for one in kept] == [12]
    assert asked[0][1]["start"] == "2026-03-02T13:00:00Z"
    assert done[:2] == (0, "AAPL: 4 bars on record, 3 of them new, none missing\n")


@EVERY
def test_every_command_says_that_the_key_is_refused(friday, command):
    with serving((401, {}, {"message": f"unknown key {KEY}"})) as (found, _):
        code, output, said = friday(*command, url=found.api_data_url)

    assert (code, output) == (4, "")
    assert complaint(said) == (
        "Alpaca refused the key in APCA_API_KEY_ID and APCA_API_SECRET_KEY, or its "
        "subscription does not cover this: unknown key ***"
    )


@EVERY
@pytest.mark.parametrize("name", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
@pytest.mark.parametrize("value", [None, " "])
def test_every_command_says_that_there_is_no_key(friday, command, monkeypatch, name, value):
    monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)

    code, output, said = friday(*command)

    assert (code, output) == (2, "")
    assert said == f"{name} must be set to what Alpaca shows when a key is made\n"


@EVERY
def test_every_command_says_that_there_is_no_network(friday, command):
    code, output, said = friday(*command)

    assert (code, output) == (3, "")
    assert complaint(said) == "Alpaca did not answer: ConnectionError"


@EVERY
def test_every_command_says_that_a_symbol_is_malformed(friday, command):
    with serving((400, {}, {"message": "invalid symbol: AAPL"})) as (found, _):
        code, output, said = friday(*command, url=found.api_data_url)

    assert (code, output) == (4, "")
    assert complaint(said) == "Alpaca refused a question (400): invalid symbol: AAPL"


@EVERY
def test_every_command_says_that_nothing_is_known_of_a_symbol(friday, command):
    nothing = {"bars": {}, "snapshots": {}, "next_page_token": None}
    with serving(nothing) as (found, _):
        code, output, said = friday(*command, url=found.api_data_url)

    assert (code, output) == (1, "")
    assert complaint(said).startswith("Alpaca ")
    assert "AAPL" in complaint(said)


@EVERY
def test_every_command_says_that_an_answer_makes_no_sense(friday, command):
    with serving({"bars": [1], "snapshots": [1]}) as (found, _):
        code, output, said = friday(*command, url=found.api_data_url)

    assert (code, output) == (4, "")
    assert complaint(said).startswith("Alpaca sent what makes no sense")


def test_an_impossible_bar_is_refused_and_not_recorded(friday, engine):
    with serving(page(hour(0), hour(1, h=1))) as (found, _):
        code, _, said = friday(
            "ingest", "AAPL", "--provider", "alpaca", *HOURS, url=found.api_data_url
        )

    assert code == 4
    assert "high 1, low 4, close 5 cannot be one bar" in complaint(said)
    assert on_record(engine) == []


@pytest.mark.parametrize(
    "command",
    [
        ("ingest", "AAPL", "--provider", "alpaca", "--interval-seconds", 30),
        ("ingest", "AAPL", "--provider", "nobody"),
        ("latest", "AAPL240503P00155000", "--provider", "alpaca"),
    ],
)
def test_what_cannot_be_asked_for_is_wrong_usage(friday, command):
    assert friday(*command)[0] == 2


def test_the_latest_bar_is_shown_and_not_recorded(friday, engine):
    _, answer = recorded("stock__stock_latest_bar")

    with serving(answer) as (found, _):
        command = ("latest", "SPY", "--provider", "alpaca")
        plain = friday(*command, url=found.api_data_url)
        exact = friday(*command, "--json", url=found.api_data_url)

    assert plain[0] == 0
    assert "392.18" in plain[1].splitlines()[1]
    assert json.loads(exact[1])["close"] == "392.18"
    assert on_record(engine) == []


def test_a_chain_is_recorded_once_with_its_greeks(friday, engine):
    _, answer = recorded("option__get_option_chain")

    with serving(answer) as (found, _):
        first = friday("options", "AAPL", url=found.api_data_url)
        second = friday("options", "AAPL", url=found.api_data_url)
        exact = friday("options", "AAPL", "--json", url=found.api_data_url)

    assert first[0] == second[0] == 0
    assert first[1].splitlines()[-1] == "AAPL: 1 contracts, 1 quotes new, 1 with greeks"
    assert second[1].splitlines()[-1] == "AAPL: 1 contracts, 0 quotes new, 1 with greeks"
    assert json.loads(exact[1])[0]["bid"] == "0.32"
    with Session(engine) as session:
        (row,) = session.scalars(select(OptionQuoteRow))
    assert (row.contract, row.source) == ("AAPL240503P00155000", "alpaca-indicative")


def snapshots(*symbols, following=None, quoted=True):
    quote = {"t": "2026-03-02T15:00:00Z", "bp": 1, "bs": 2, "ap": 1.5, "as": 3}
    one = {"latestQuote": quote} if quoted else {"latestTrade": None}
    return {"snapshots": dict.fromkeys(symbols, one), "next_page_token": following}


def test_a_chain_of_several_pages_is_recorded_without_what_nobody_quotes(friday, engine):
    calls = [f"AAPL260320C00{strike}000" for strike in range(100, 130)]
    pages = (
        snapshots(*calls[:20], following="there"),
        snapshots("AAPL260320P00100000", following="on", quoted=False),
        snapshots(*calls[20:]),
    )

    with serving(*pages) as (found, asked):
        code, output, said = friday("options", "AAPL", url=found.api_data_url)

    assert code == 0
    assert [one[1].get("page_token") for one in asked] == [None, "there", "on"]
    assert said.splitlines() == ["  20 contracts", "  20 contracts", "  30 contracts"]
    assert output.splitlines()[-1] == "AAPL: 30 contracts, 30 quotes new, 0 with greeks"
    with Session(engine) as session:
        rows = session.scalars(select(OptionQuoteRow).order_by(OptionQuoteRow.strike)).all()
    assert [row.contract for row in rows] == calls
    assert (rows[0].ask, rows[0].delta) == (Decimal("1.5"), None)


def bar_of(hours, symbol="BTC/USD"):
    price = Decimal(2)
    return Bar(
        symbol=symbol,
        interval=timedelta(hours=1),
        start=NOON + timedelta(hours=hours),
        **dict.fromkeys(("open", "high", "low", "close"), price),
        volume=price,
        trades=1,
    )


@pytest.mark.parametrize("sources", [("live", "csv"), ("csv", "trades")])
def test_alpaca_does_not_fill_the_holes_of_kraken(friday, engine, sources):
    with Session(engine) as session, session.begin():
        for hours, source in enumerate(sources):
            record_bars(session, [bar_of(hours)], source)

    code, _, said = friday("ingest", "BTC/USD", "--provider", "alpaca", *HOURS)

    assert code == 2
    assert complaint(said).startswith("the bars of BTC/USD on record are of Kraken's market")
    assert [one[2] for one in on_record(engine)] == list(sources)


def test_kraken_does_not_fill_the_holes_of_alpaca(friday, engine, monkeypatch):
    with serving(page(hour(0), symbol="BTC/USD")) as (found, _):
        friday("ingest", "BTC/USD", "--provider", "alpaca", *HOURS, url=found.api_data_url)

    with trading() as (address, _):
        monkeypatch.setenv("KRAKEN_REST_URL", address)
        code, _, said = friday("ingest", "BTC/USD", *HOURS)

    assert code == 2
    assert complaint(said).startswith("the bars of BTC/USD on record are of Alpaca's market")
    assert [one[2] for one in on_record(engine)] == ["alpaca"]
