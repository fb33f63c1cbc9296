"""A file of candles or trades is repeated as it says, and clients trade on it."""

import gzip

import pytest

from sandbox.candles import candles
from sandbox.errors import BadStart
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.replay import read_replay
from sandbox.synthetic import Synthetic

XRP = BY_SYMBOL["XRP/USD"]
FIRST = 1_767_225_600  # 2026-01-01
MINUTE = 60
ROWS = [
    (FIRST + number * MINUTE, 2 + step, 2 + step + 0.002, 2 + step - 0.001, 2 + step + 0.001, 40)
    for number, step in enumerate([0.01 * (number % 17) for number in range(240)])
]


def written(tmp_path, kind):
    if kind == "header":
        lines = ["datetime,open,high,low,close,volume"]
        lines += [",".join(map(str, row)) for row in ROWS]
    elif kind == "dump":
        lines = [",".join(map(str, (*row, 4))) for row in ROWS]
    else:
        lines = [f"{time}.{n},{price},{volume}" for n, (time, price, *_, volume) in enumerate(ROWS)]
    path = tmp_path / f"XRPUSD_{kind}.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("kind", ["header", "dump"])
def test_candles_come_out_as_they_went_in(tmp_path, kind):
    exchange = Exchange(read_replay(written(tmp_path, kind), Synthetic(7, 0.015)), 8)
    now = (FIRST + len(ROWS) * MINUTE) * 10**9
    made = candles(exchange.tapes["XRP/USD"], 1, now)
    told = [c for c in made if c.count]

    assert len(told) == len(ROWS)
    for candle, (time, *prices, volume) in zip(told, ROWS, strict=True):
        assert candle.begin == time * 10**9
        found = (candle.open, candle.high, candle.low, candle.close)
        assert found == tuple(round(price * 10**5) for price in prices)
        assert candle.volume == volume * 10**8


def test_trades_are_numbered_without_a_gap_across_hours(tmp_path):
    exchange = Exchange(read_replay(written(tmp_path, "sales"), Synthetic(7, 0.015)), 8)
    found = exchange.tapes["XRP/USD"].between((FIRST - 1) * 10**9, (FIRST + 10**6) * 10**9)

    assert list(found.identity) == list(range(1, len(ROWS) + 1))
    assert list(found.price) == [round(row[1] * 10**5) for row in ROWS]


def test_a_client_trades_on_a_replayed_market(start, tmp_path):
    path = written(tmp_path, "header")
    sandbox = start("--market", f"replay:{path}", "--clock", "simulated", "--fees", "8")
    assert sandbox.ask("/health")["timestamp"].startswith("2026-01-01T01:00:00")
    client = sandbox.client()
    ticker = client.fetch_ticker("XRP/USD")
    assert ticker["bid"] < ticker["last"] < ticker["ask"]
    stream = sandbox.public()
    stream.subscribe("trade", symbol=["XRP/USD"])
    seen = stream.wait('"snapshot"', '"data"')["data"]
    client.create_order("XRP/USD", "market", "buy", 50)
    placed = client.create_order("XRP/USD", "limit", "sell", 50, 2.16)
    for _ in range(4):
        sandbox.advance(600)
        seen += stream.wait('"trade"', '"update"')["data"]

    numbers = [trade["trade_id"] for trade in seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert client.fetch_order(placed["id"])["status"] == "closed"
    assert len(client.fetch_ohlcv("DOGE/USD", "1m")) > 50
    sandbox.advance(10 * 3600)
    assert client.fetch_ticker("XRP/USD")["last"] == pytest.approx(ROWS[-1][4])
    stream.close()


@pytest.mark.parametrize(
    "text", ["", "a,b,c\n1,2,3\n", "time,price,volume\n", "1,2\n", "1767225600,x,1\n", "1,2,3,4\n"]
)
def test_a_file_that_says_nothing_is_refused_in_words(tmp_path, text):
    path = tmp_path / "XRPUSD.csv"
    path.write_text(text)
    with pytest.raises(BadStart, match="cannot be replayed"):
        read_replay(str(path), Synthetic(7, 0.015))
