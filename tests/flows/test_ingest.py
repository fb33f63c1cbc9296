"""The ingest flow completes the record, says so in an artifact, and may be run again."""

from datetime import UTC, datetime, timedelta

import pytest
from alpaca_server import KEY, SECRET, serving
from kraken_server import FIRST, trading
from prefect.client.orchestration import get_client

from flows.ingest import ingest
from market.errors import ExchangeRefused
from market.history import read_bars


@pytest.fixture
def exchange(monkeypatch, database_url):
    """Serve a market of two trades a minute; yields the failures to come."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KRAKEN_REQUEST_INTERVAL_SECONDS", "0")
    with trading() as (address, failures):
        monkeypatch.setenv("KRAKEN_REST_URL", address)
        yield failures


@pytest.mark.usefixtures("prefect_server")
def test_a_day_is_ingested_once_and_shown(exchange, engine):
    exchange.append(502)

    first = ingest("XRP/USD", days=1)
    second = ingest("XRP/USD", days=1)

    assert (first.bars, first.new, first.gaps) == (1440, 1440, ())
    assert (second.bars, second.new) == (1440, 0)
    bars = read_bars(engine, "XRP/USD", timedelta(minutes=1))
    assert set(bars["volume"]) == {3.0}
    assert bars.index[0] == datetime.fromtimestamp(FIRST, UTC)
    with get_client(sync_client=True) as client:
        shown = [one for one in client.read_artifacts() if one.key == "ingest-xrp-usd"]
    assert len(shown) == 2
    assert all("1440 bars on record" in one.description for one in shown)


@pytest.mark.usefixtures("prefect_server", "exchange")
def test_an_unknown_market_fails_at_once():
    with pytest.raises(ExchangeRefused, match="Unknown asset pair"):
        ingest("ABC/USD", days=1)


@pytest.mark.usefixtures("prefect_server")
def test_a_stock_is_ingested_from_the_provider_that_was_chosen(monkeypatch, database_url):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    row = {"t": "2026-03-02T12:00:00Z", "o": 5, "h": 6, "l": 4, "c": 5, "v": 70, "n": 3}
    until = datetime(2026, 3, 3, tzinfo=UTC)

    with serving({"bars": {"AAPL": [row]}, "next_page_token": None}) as (found, asked):
        monkeypatch.setenv("APCA_API_DATA_URL", found.api_data_url)
        done = ingest("AAPL", provider="alpaca", interval_seconds=3600, days=1, until=until)

    assert (done.bars, done.new, done.requests, len(asked)) == (1, 1, 1, 1)
    assert len(done.gaps) == 2


@pytest.mark.usefixtures("prefect_server", "exchange")
def test_a_provider_that_is_none_fails_at_once():
    with pytest.raises(ValueError, match="kraken or alpaca, not from 'nobody'"):
        ingest("XRP/USD", provider="nobody", days=1)
