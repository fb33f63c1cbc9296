"""A backtest of a registered version is one command, and what it lacks it says in a sentence."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from mlflow_server import running_mlflow
from sqlalchemy.orm import Session

from market import history
from market.bars import Bar
from market.instruments import Instrument, Side
from ops.backtesting import figures
from ops.backtesting.paper import Traded
from ops.bench.teaching import MINUTE, market, teach
from ops.cli import main
from registry import registration
from registry.settings import ModelRegistrySettings
from registry.store import open_registry, version
from sql import trip
from sql.database import DatabaseSettings, open_engine
from trader import record
from trader.strategy import nothing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
XRP = Instrument(
    symbol="XRP/USD",
    exchange_id="XRPUSD",
    base="XRP",
    quote="USD",
    price_decimals=5,
    quantity_decimals=8,
    cost_decimals=5,
    quantity_min=Decimal(2),
    cost_min=Decimal("0.5"),
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0004"),
)


@pytest.fixture(scope="module")
def taught():
    bars = market(1, 3).round(8)
    return bars, teach(bars, 1)


@pytest.fixture(scope="module")
def mlflow_address(tmp_path_factory):
    """Run MLflow's own server for this file."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(scope="module")
def registry(mlflow_address):
    return open_registry(ModelRegistrySettings(MLFLOW_TRACKING_URI=mlflow_address))


@pytest.fixture(scope="module")
def registered(registry, taught):
    return registration.register(registry, taught[1], trigger="test").version


@pytest.fixture
def friday(monkeypatch, tmp_path, database_url, mlflow_address, capsys):
    """Run the command and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main(["backtest", "XRP/USD", *arguments])
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


@pytest.fixture
def recorded(database_url, taught):
    """Put the bars and the market on record."""
    with Session(open_engine(DatabaseSettings(DATABASE_URL=database_url))) as session:
        record.record_instruments(session, [XRP], NOON)
        history.record_bars(session, as_bars(taught[0]), "csv")
        session.commit()
        yield session


def as_bars(table):
    return [
        Bar(
            symbol="XRP/USD",
            interval=MINUTE,
            start=at.to_pydatetime(),
            trades=None,
            **{name: Decimal(repr(value)) for name, value in row.items()},
        )
        for at, row in table.iterrows()
    ]


@pytest.mark.usefixtures("recorded")
def test_a_registered_version_is_played_shown_and_kept(friday, registry, registered, tmp_path):
    page = tmp_path / "backtest.html"

    code, output, complaint = friday(
        "--version", str(registered), "--report", str(page), "--json", "--slippage", "0"
    )

    assert (code, complaint) == (0, "")
    found = json.loads(output)
    assert found["version"] == registered
    assert found["money"]["equity"] - 10_000 == pytest.approx(found["money"]["profit"])
    assert sum(found["bars_by_decision"].values()) == found["bars"] > 500
    assert found["from"] == found["trained_until"]
    assert len(found["trips"]) >= found["money"]["trips"] > 0
    fees = sum(Decimal(one["fee"]) for one in found["orders"])
    assert float(fees) == pytest.approx(found["money"]["fees"])
    assert any("assumed to be 0.10%" in sentence for sentence in found["sources"])

    html = page.read_text()
    assert html.count("data:image/png;base64,") == 4
    assert not re.search(r"""(src|href)=["']?(http|//)""", html)
    assert html.count("<tr class=") == len(found["trips"])

    kept = version(registry, "XRP/USD", registered)
    assert "after" in kept.tags["backtest"]
    stored = [one.path for one in registry.list_artifacts(kept.run_id, "backtests")]
    assert sorted(path.split(".")[-1] for path in stored) == ["html", "json"]


def test_the_book_on_record_is_measured(friday, recorded, registered, taught):
    at = taught[0].index[-50].to_pydatetime()
    quote = {"symbol": "XRP/USD", "at": at.isoformat(), "bid": "1.999", "ask": "2.001"}
    decision = record.decision(
        nothing(Decimal(0), "no_edge", "no edge"),
        stamp=record.stamp(recorded),
        symbol="XRP/USD",
        bar_start=at,
        inputs={"quote": quote, "risk": {"bid_depth": "5000", "ask_depth": "4000"}},
        at=at + MINUTE,
    )
    trip.run(recorded, [decision])
    recorded.commit()

    code, output, _ = friday("--version", str(registered), "--no-store")

    assert code == 0
    assert "measured from the book at 1 decisions on record, 0.1000% on average" in output
    assert "worth 4,000 on either side, as recorded" in output


@pytest.mark.usefixtures("recorded", "registered")
def test_a_market_without_a_production_model_says_so(friday):
    code, output, complaint = friday()

    assert (code, output) == (1, "")
    assert complaint == "XRP/USD has no production model; name one with --version\n"


@pytest.mark.usefixtures("recorded", "registered")
def test_an_unknown_version_says_so(friday):
    code, output, complaint = friday("--version", "99")

    assert (code, output) == (1, "")
    assert complaint == "the registry does not have XRP/USD version 99\n"


def test_a_hole_in_the_bars_is_refused_or_gone_over(friday, recorded, registered, taught):
    gone = taught[0].index[-300].to_pydatetime()
    key = ("XRP/USD", 60, gone)
    recorded.delete(recorded.get(history.PriceBarRow, key))
    recorded.commit()

    code, output, complaint = friday("--version", str(registered))
    over, told, _ = friday("--version", str(registered), "--despite-holes", "--json", "--no-store")

    assert (code, output, complaint.count("\n")) == (1, "", 1)
    assert f"1 bars of XRP/USD are missing, the first after {gone - MINUTE:%Y-%m-%d %H:%M}" in (
        complaint
    )
    assert over == 0
    assert json.loads(told)["bars_by_decision"]["cold"] == 89


@pytest.mark.usefixtures("recorded")
def test_too_few_bars_or_none_are_refused(friday, registered, taught):
    late = taught[0].index[-20]

    code, output, complaint = friday(
        "--version", str(registered), "--from", f"{late:%Y-%m-%dT%H:%M}"
    )

    assert (code, output) == (1, "")
    assert complaint.startswith("20 bars of XRP/USD are on record from")
    assert complaint.endswith("and a backtest needs 100\n")


@pytest.mark.usefixtures("recorded")
def test_a_window_that_ends_before_it_begins_is_refused(friday, registered):
    code, _, complaint = friday(
        "--version", str(registered), "--from", "2026-01-03", "--to", "2026-01-02"
    )

    assert code == 1
    assert complaint.startswith("0 bars of XRP/USD")


def test_a_market_that_nobody_described_is_refused(friday, recorded, registered):
    recorded.execute(record.InstrumentRow.__table__.delete())
    recorded.commit()

    code, output, complaint = friday("--version", str(registered))

    assert (code, output) == (1, "")
    assert "XRP/USD is not on record" in complaint


def test_fees_that_nobody_knows_must_be_given(friday, recorded, registered):
    record.record_instruments(recorded, [replace(XRP, taker_fee=None)], NOON)
    recorded.commit()

    code, _, complaint = friday("--version", str(registered))
    given, output, _ = friday("--version", str(registered), "--taker-fee", "0.004", "--no-store")

    assert code == 1
    assert complaint == (
        "the fees of XRP/USD are not on record; give --maker-fee and --taker-fee\n"
    )
    assert given == 0
    assert "taker 0.4000%" in output


@pytest.mark.parametrize("wrong", ["-0.1", "1", "much", "nan"])
def test_a_fee_that_is_no_fraction_is_wrong_usage(friday, wrong):
    code, output, complaint = friday("--taker-fee", wrong)

    assert (code, output) == (2, "")
    assert "expected a fraction" in complaint


def traded(number, side, quantity, price, code="edge"):
    return Traded(
        number=number,
        at=NOON + timedelta(minutes=number),
        side=Side(side),
        ordered=Decimal(quantity),
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal("0.01"),
        code=code,
        reason="",
    )


def test_trades_make_trips_from_flat_to_flat():
    made = [
        traded(0, "buy", 100, "2.0"),
        traded(2, "buy", 50, "2.2", "add"),
        traded(5, "sell", 149, "2.1", "horizon"),
        traded(9, "buy", 10, "2.0"),
    ]

    one, other = figures.trips(made, Decimal(2), MINUTE, Decimal("2.5"))

    assert (one.quantity, one.bars, one.why_in, one.why_out) == (150, 5, "edge", "horizon")
    assert one.bought == Decimal(310) / 150
    # 149 at 2.1 and one, too little to be sold, at 2.5; 310 were paid, and three fees.
    assert one.net == Decimal("312.9") + Decimal("2.5") - 310 - Decimal("0.03")
    assert (other.closed, other.sold, other.why_out) == (None, None, None)
    assert other.net == 25 - 20 - Decimal("0.01")
