"""Public history is read as the exchange spells it, and its refusals are told apart."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from market.errors import ExchangeRefused, ExchangeUnreachable
from market.instruments import Side
from market.public_data import PublicData
from trader.settings import ExchangeSettings

MINUTE = timedelta(minutes=1)
# As recorded from Kraken on 2026-09-25.
OHLC = """{"error":[],"result":{"BTC/USD":[
[1790348400,"84001.9","84075.9","83351.5","83777.5","83714.6","159.04484404",9205],
[1790352000,"83777.6","84097.0","83706.0","83732.6","83909.9","177.10097004",7919]],
"last":1790348400}}"""
TRADES = """{"error":[],"result":{"BTC/USD":[
["83930.30000","0.00005100",1790359840.9392912,"s","l","",109118758],
["83928.00000","0.00044682",1790359841.1382287,"b","m","",109118759]],
"last":"1790359841138228746"}}"""


@contextmanager
def exchange(status=200, body=""):
    """Answer every request alike; yields the market's client and the requests made."""
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(urlsplit(self.path))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield PublicData(ExchangeSettings(rest_url=url, request_interval_seconds=0)), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def error(text):
    return json.dumps({"error": [text], "result": None})


def test_trades_keep_every_digit():
    with exchange(body=TRADES) as (data, asked):
        (first, second), following = data.trades("BTC/USD", 1790359840000000000)

    assert (first.trade_id, first.side, str(first.price)) == (109118758, Side.SELL, "83930.30000")
    assert second.quantity == Decimal("0.00044682")
    assert second.at == datetime.fromtimestamp(1790359841.138229, UTC)
    assert following == 1790359841138228746
    assert asked[0].path == "/0/public/Trades"
    assert parse_qs(asked[0].query) == {
        "pair": ["BTC/USD"],
        "since": ["1790359840000000000"],
        "count": ["1000"],
    }


def test_candles_come_with_their_number_of_trades():
    with exchange(body=OHLC) as (data, asked):
        first, _ = data.candles("BTC/USD", 60 * MINUTE, datetime.fromtimestamp(1790348400, UTC))

    assert (first.start.timestamp(), first.trades) == (1790348400, 9205)
    assert (first.open, first.close) == (Decimal("84001.9"), Decimal("83777.5"))
    assert first.volume == Decimal("159.04484404")
    assert parse_qs(asked[0].query)["interval"] == ["60"]


def test_the_exchanges_time_has_a_zone():
    with exchange(body='{"error":[],"result":{"unixtime":1762820224}}') as (data, _):
        assert data.now() == datetime.fromtimestamp(1762820224, UTC)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, "bad gateway"),
        (524, ""),
        (200, "<html>"),
        (200, ""),
        (200, error("EService:Unavailable")),
        (200, error("EGeneral:Too many requests")),
    ],
)
def test_an_exchange_that_cannot_answer_may_be_asked_again(status, body):
    with exchange(status, body) as (data, _), pytest.raises(ExchangeUnreachable):
        data.now()


def test_an_exchange_that_is_not_there_may_be_asked_again():
    data = PublicData(ExchangeSettings(rest_url="http://127.0.0.1:9", request_interval_seconds=0))

    with pytest.raises(ExchangeUnreachable):
        data.now()


@pytest.mark.parametrize(
    "body",
    [
        error("EQuery:Unknown asset pair"),
        TRADES.replace('"83930.30000"', '"-1"'),
        TRADES.replace('"s"', '"x"'),
        TRADES.replace(',"",109118758', ""),
        '{"error":[],"result":{}}',
    ],
)
def test_an_exchange_that_says_no_or_nonsense_is_not_asked_again(body):
    with exchange(body=body) as (data, _), pytest.raises(ExchangeRefused):
        data.trades("BTC/USD", 0)


def test_an_impossible_bar_is_refused():
    body = OHLC.replace('"83351.5"', '"99999.9"')

    with (
        exchange(body=body) as (data, _),
        pytest.raises(ExchangeRefused, match="cannot be one bar"),
    ):
        data.candles("BTC/USD", MINUTE, datetime.fromtimestamp(0, UTC))
