"""The ingest flow completes the record, says so in an artifact, and may be run again."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from alpaca_server import KEY, SECRET, serving
from prefect.client.orchestration import get_client

from flows.ingest import ingest
from market.errors import ExchangeRefused
from market.history import read_bars

FIRST = 1_790_000_040  # a whole minute
NOW = FIRST + 86_400 + 30


def trade(number):
    price = f"{2 + number % 5 / 100:.5f}"
    return [price, "1.50000000", FIRST + 30 * number + 0.25, "b", "l", "", number + 1]


def answer(path, query):
    """Speak for a market with a trade every thirty seconds since FIRST."""
    if path.endswith("Time"):
        return {"unixtime": NOW}
    if query["pair"] != ["XRP/USD"]:
        return None
    since = int(query["since"][0])
    if path.endswith("Trades"):
        trades = [trade(n) for n in range(2881) if trade(n)[2] * 1e9 > since][:1000]
        return {"XRP/USD": trades, "last": str(int(trades[-1][2] * 100) * 10**7)}
    rows = []
    for minute in range(1440 - 719, 1441):
        prices = [float(trade(n)[0]) for n in (2 * minute, 2 * minute + 1)]
        first, last = (f"{price:.5f}" for price in prices)
        row = [first, f"{max(prices):.5f}", f"{min(prices):.5f}", last, "0", "3.0", 2]
        rows.append([FIRST + 60 * minute, *row])
    return {"XRP/USD": [row for row in rows if row[0] > since], "last": NOW}


@pytest.fixture
def exchange(monkeypatch, database_url):
    """Serve the market above, after as many failures as asked for; yields that list."""
    failures = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            result = None if failures else answer(url.path, parse_qs(url.query))
            errors = [] if result else ["EQuery:Unknown asset pair"]
            body = json.dumps({"error": errors, "result": result})
            status, body = (failures.pop(), "") if failures else (200, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KRAKEN_REST_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("KRAKEN_REQUEST_INTERVAL_SECONDS", "0")
    yield failures
    server.shutdown()
    server.server_close()
    thread.join()


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
