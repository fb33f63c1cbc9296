"""A recorded log is a market: its books, trades and tickers come again, and clients trade on it."""

import asyncio
import json
from decimal import Decimal

import kraken.base_api
import pytest
from kraken.spot import SpotOrderBookClient, SpotWSClient
from running_sandbox import Running

from sandbox.errors import BadStart
from sandbox.recorded import is_log, read_recorded
from sandbox.synthetic import Synthetic

SIMULATED = ("--clock", "simulated", "--fees", "8")
PATIENCE = 20
UPDATES = 509


def stream_of(fixtures):
    return fixtures / "python-kraken-sdk" / "orderbook-v2.json"


def checksums(messages):
    return [message["data"][0]["checksum"] for message in messages]


def heard_by_the_sdk(sandbox, monkeypatch, updates):
    """Let the SDK's own book follow the market until so many updates came."""
    monkeypatch.setattr(kraken.base_api.SpotClient, "URL", sandbox.http)
    monkeypatch.setattr(SpotOrderBookClient, "WS_URL", sandbox.ws + "/public")
    monkeypatch.setattr(SpotWSClient, "WS_URL", sandbox.ws + "/public")
    heard, verdicts = [], []

    async def conversation():
        more = asyncio.Event()

        class Listener(SpotOrderBookClient):
            async def on_book_update(self, pair, message):
                assert "error" not in message
                heard.append(message)
                if message["type"] == "update":
                    verdicts.append(self.get(pair)["valid"])
                more.set()

        client = Listener(depth=10)
        await client.start()
        await client.add_book(["BTC/USD"])
        async with asyncio.timeout(PATIENCE):
            await more.wait()
            await asyncio.to_thread(sandbox.advance, 60)
            while len(verdicts) < updates:
                more.clear()
                await more.wait()
        await client.close()

    asyncio.run(conversation())
    return heard, verdicts


def test_a_recorded_stream_reaches_a_client_with_every_checksum(start, fixtures, monkeypatch):
    recorded = json.loads(stream_of(fixtures).read_text())
    sandbox = start("--market", f"replay:{stream_of(fixtures)}", *SIMULATED)

    heard, verdicts = heard_by_the_sdk(sandbox, monkeypatch, UPDATES)

    assert checksums(heard) == checksums([recorded["init"], *recorded["updates"]])
    assert len(verdicts) == UPDATES
    assert all(verdicts)
    assert heard[0]["data"][0]["bids"] == recorded["init"]["data"][0]["bids"]
    assert heard[0]["data"][0]["asks"] == recorded["init"]["data"][0]["asks"]
    assert [m["data"][0]["timestamp"] for m in heard[1:]] == [
        m["data"][0]["timestamp"] for m in recorded["updates"]
    ]


def test_a_recorded_book_moves_at_its_pace_and_is_the_one_rest_shows(start, fixtures):
    recorded = json.loads(stream_of(fixtures).read_text())
    sandbox = start("--market", f"replay:{stream_of(fixtures)}", *SIMULATED)
    stream = sandbox.public()
    stream.subscribe("book", symbol=["BTC/USD"], snapshot=False)
    stream.wait('"success":true')
    sandbox.advance(10)
    now = sandbox.ask("/health")["timestamp"]
    stream.send("ping")
    seen = []
    while '"pong"' not in (text := stream.socket.recv(timeout=5)):
        if '"update"' in text and '"book"' in text:
            seen.append(json.loads(text))
    due = [m for m in recorded["updates"] if m["data"][0]["timestamp"] <= now]
    assert 0 < len(due) < UPDATES
    assert checksums(seen) == checksums(due)

    client = sandbox.client()
    depth = client.publicGetDepth({"pair": "XBTUSD", "count": 500})["result"]["XXBTZUSD"]
    ticker = client.fetch_ticker("BTC/USD")
    spread = client.publicGetSpread({"pair": "XBTUSD"})["result"]["XXBTZUSD"]
    assert len(depth["bids"]) == len(depth["asks"]) == 10
    assert ticker["bid"] == float(depth["bids"][0][0]) == float(spread[-1][1])
    assert ticker["ask"] == float(depth["asks"][0][0]) == float(spread[-1][2])
    assert ticker["bid"] <= ticker["last"] <= ticker["ask"]
    assert client.fetch_ohlcv("BTC/USD", "1m")[-1][5] == 0
    assert len(client.fetch_order_book("DOGE/USD", 50)["bids"]) == 50
    stream.close()


def test_a_recorded_market_runs_by_the_real_clock_too(start, fixtures):
    recorded = json.loads(stream_of(fixtures).read_text())
    sandbox = start("--market", f"replay:{stream_of(fixtures)}", "--speed", "20")
    stream = sandbox.public()
    stream.subscribe("book", symbol=["BTC/USD"])
    seen = []
    while not seen or seen[-1]["data"][0]["checksum"] != checksums(recorded["updates"])[-1]:
        seen.append(stream.wait('"checksum"'))
    stream.close()

    assert 100 < len(seen) <= UPDATES + 1
    assert checksums(seen[1:]) == checksums(recorded["updates"])[-len(seen) + 1 :]


def test_clients_take_from_a_recorded_book_and_wait_in_it(start, fixtures):
    sandbox = start(
        "--market", f"replay:{stream_of(fixtures)}", *SIMULATED, "--balance", "USD=1000000"
    )
    client = sandbox.client()
    depth = client.publicGetDepth({"pair": "XBTUSD"})["result"]["XXBTZUSD"]
    taken = client.create_order("BTC/USD", "market", "buy", 9)
    fills = [fill for fill in client.fetch_my_trades() if fill["order"] == taken["id"]]

    assert sorted((fill["price"], fill["amount"]) for fill in fills) == [
        (29430.3, 8.25215653),
        (29430.4, 0.74784347),
    ]
    left = client.fetch_order_book("BTC/USD")["asks"][0]
    assert left[0] == float(depth["asks"][1][0])
    waits = client.create_order("BTC/USD", "limit", "sell", 0.5, 29430.4)
    assert client.fetch_order(waits["id"])["filled"] == 0
    sandbox.advance(60)
    assert client.fetch_order(waits["id"])["filled"] == 0.5
    whole = client.fetch_order_book("BTC/USD")["asks"]
    whale = client.create_order("BTC/USD", "market", "buy", 30)
    assert client.fetch_order(whale["id"])["filled"] == pytest.approx(
        sum(x[1] for x in whole), abs=0.01
    )
    assert client.fetch_order_book("BTC/USD")["asks"] == []
    assert client.fetch_ticker("BTC/USD")["ask"] == whole[0][0]
    assert {Decimal(v) for v in sandbox.ask("/admin/state")["sums"].values()} == {0}


def follow(sandbox, seconds):
    """Subscribe to a market and write down everything it tells."""
    stream = sandbox.public()
    for symbol in ("XRP/USD", "DOGE/USD"):
        stream.subscribe("book", symbol=[symbol], depth=25)
        stream.subscribe("trade", symbol=[symbol])
        stream.subscribe("ticker", symbol=[symbol], event_trigger="bbo")
    told = {"book": [], "trade": [], "ticker": []}
    for step in range(seconds // 20 + 1):
        sandbox.advance(20 if step else 0)
        stream.send("ping")
        while '"pong"' not in (text := stream.socket.recv(timeout=10)):
            channel = json.loads(text).get("channel")
            if channel in told:
                told[channel].append(text)
    stream.close()
    client = sandbox.client()
    book = client.fetch_order_book("XRP/USD", 25)
    trades = client.publicGetTrades({"pair": "XRPUSD", "count": 20})["result"]["XXRPZUSD"]
    rest = {
        "depth": [[row[:2] for row in book[side]] for side in ("bids", "asks")],
        "candles": client.fetch_ohlcv("XRP/USD", "1m")[-2:],
        "trades": [row[:2] + row[3:] for row in trades],
        "volume": client.fetch_ticker("XRP/USD")["baseVolume"],
    }
    return told, rest


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Give a log of six minutes, and what a client heard while it was made."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    made = Running(*SIMULATED, "--start", "2026-03-01T10:30:00Z", "--record", str(path))
    told, rest = follow(made, 360)
    made.stop()
    return path, told, rest


def test_what_was_recorded_is_told_again_letter_by_letter(start, log):
    path, told, rest = log
    again, rest_again = follow(start("--market", f"replay:{path}", *SIMULATED), 360)

    def of(messages, symbol):
        return [message for message in messages if symbol in message]

    for symbol in ("XRP/USD", "DOGE/USD"):
        books = of(told["book"], symbol)
        assert len(books) > 50
        assert of(again["book"], symbol)[1:] == books[1:]
        mine, theirs = (
            [
                trade
                for text in of(messages["trade"], symbol)[1:]
                for trade in json.loads(text)["data"]
            ]
            for messages in (told, again)
        )
        assert theirs == mine
    assert rest_again == rest
    last = [json.loads(messages["ticker"][-1])["data"][0] for messages in (told, again)]
    assert last[0] == last[1]


def test_a_log_cut_off_by_a_kill_is_a_market_all_the_same(log, tmp_path):
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(log[0].read_bytes()[:-40])
    market, left_out = read_recorded(str(cut), Synthetic(7, 0.0))

    assert set(market.chronicles) == {"XRP/USD", "DOGE/USD"}
    assert left_out == 0


def test_messages_out_of_order_are_left_out_and_trades_alone_are_a_market(fixtures):
    for name in ("recorded_live_messages.json", "kraken-async-rs/messages.jsonl"):
        path = str(fixtures / name)
        assert is_log(path)
        market, left_out = read_recorded(path, Synthetic(7, 0.0))
        assert left_out > 0
        assert len(market.trades.time) > 0


def test_a_broken_recording_is_left_out_until_the_next_snapshot(fixtures, tmp_path):
    recorded = json.loads(stream_of(fixtures).read_text())
    recorded["updates"][10]["data"][0]["checksum"] += 1
    path = tmp_path / "broken.json"
    path.write_text(json.dumps([recorded["init"], *recorded["updates"][:20], recorded["init"]]))
    market, left_out = read_recorded(str(path), Synthetic(7, 0.0))

    assert left_out == 10
    assert len(market.due) == 12


@pytest.mark.parametrize("text", ["{", "[]", '{"channel":"heartbeat"}', '["x", {"a": NaN}]'])
def test_a_log_that_says_nothing_is_refused_in_words(tmp_path, text):
    path = tmp_path / "log.json"
    path.write_text(text)
    with pytest.raises(BadStart, match="cannot be replayed"):
        read_recorded(str(path), Synthetic(7, 0.0))
