"""A mirror shows another exchange's market as its own, and lets clients trade on it with paper."""

import json
import time

import pytest
from running_sandbox import Running

from sandbox.book import checksum
from sandbox.errors import BadStart
from sandbox.source import Source

SYMBOLS = ("BTC/USD", "DOGE/USD", "XRP/USD")
PATIENCE = 30
RICH = ("--balance", "USD=10000000", "--balance", "XRP=10000000")
FAST = ("--seed", "11", "--fees", "8", *RICH)


def eventually(true):
    """Ask again and again until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline
    return found


def mode(sandbox):
    return sandbox.ask("/health")["mode"]


def online(sandbox):
    eventually(lambda: mode(sandbox) == "online")


@pytest.fixture(scope="module")
def source():
    """Run the exchange that is mirrored."""
    running = Running(*FAST)
    yield running
    running.end()


@pytest.fixture(scope="module")
def mirror(source):
    """Run a mirror of it."""
    running = Running("--market", f"mirror:{source.http}", "--fees", "8", "--seed", "3")
    online(running)
    yield running
    assert running.stop() == 0


def rows(sandbox, method, pair="XRPUSD", **query):
    result = getattr(sandbox.client(), f"publicGet{method}")({"pair": pair, **query})["result"]
    return next(value for name, value in result.items() if name != "last")


def trades(sandbox, pair, count=200):
    return [row[:2] + row[3:] for row in rows(sandbox, "Trades", pair, count=count)]


def book(sandbox, pair):
    found = rows(sandbox, "Depth", pair, count=100)
    return [[row[:2] for row in found[side][:20]] for side in ("bids", "asks")]


def same(source, mirror, ask):
    """Wait until both answer the same; the market may move between the questions."""
    eventually(lambda: ask(source) == ask(mirror))


@pytest.mark.parametrize("pair", ["XBTUSD", "XDGUSD", "XRPUSD"])
def test_books_and_trades_are_the_source_s(source, mirror, pair):
    same(source, mirror, lambda at: book(at, pair))
    same(source, mirror, lambda at: trades(at, pair))
    same(source, mirror, lambda at: rows(at, "AssetPairs", pair))


def test_tickers_and_candles_are_the_source_s(source, mirror):
    same(source, mirror, lambda at: rows(at, "Ticker", "XRPUSD"))
    for interval in (1, 15, 60):
        same(source, mirror, lambda at, i=interval: rows(at, "OHLC", "XRPUSD", interval=i))


class Book:
    """A client's copy of a book, kept from messages."""

    def __init__(self):
        self.sides = {"bids": {}, "asks": {}}
        self.right = []

    def hear(self, text):
        """Apply one message and note whether its checksum is right."""
        message = json.loads(text, parse_float=str)
        (row,) = message["data"]
        for side, levels in self.sides.items():
            if message["type"] == "snapshot":
                levels.clear()
            for level in row[side]:
                price, lots = (int(level[name].replace(".", "")) for name in ("price", "qty"))
                levels[price] = lots
            for price in [price for price, lots in levels.items() if not lots]:
                del levels[price]
            best = sorted(levels, reverse=side == "bids")[:10]
            self.sides[side] = {price: levels[price] for price in best}
        bids, asks = (list(self.sides[side].items()) for side in ("bids", "asks"))
        self.right.append(checksum(bids, asks) == row["checksum"])


def test_every_message_of_the_mirror_is_right_and_of_the_source(source, mirror):
    heard = {}
    streams = {"source": source.public(), "mirror": mirror.public()}
    for name, stream in streams.items():
        stream.subscribe("trade", symbol=["XRP/USD"])
        stream.wait('"trade"', '"snapshot"', '"data"')
        stream.subscribe("book", symbol=["XRP/USD"])
        heard[name] = (Book(), [], [])
    client = source.new_client("mover")
    for side in ("buy", "sell", "buy", "sell"):
        client.create_order("XRP/USD", "market", side, 50)
    last = client.fetch_trades("XRP/USD")[-1]["id"]
    for name, stream in streams.items():
        copy, sums, told = heard[name]
        while not told or told[-1][0] < int(last):
            text = stream.socket.recv(timeout=10)
            if text.startswith('{"channel":"book"'):
                copy.hear(text)
                sums.append(json.loads(text)["data"][0]["checksum"])
            elif '"channel":"trade"' in text and '"update"' in text:
                told += [
                    (row["trade_id"], row["price"], row["qty"], row["side"], row["timestamp"])
                    for row in json.loads(text)["data"]
                ]
        stream.close()

    for copy, _, _ in heard.values():
        assert len(copy.right) > 2
        assert all(copy.right)
    assert heard["mirror"][2][-4:] == heard["source"][2][-4:]
    assert len(set(heard["source"][1]) & set(heard["mirror"][1])) > 1


def test_orders_on_the_mirror_fill_and_leave_the_source_alone(source, mirror):
    client = mirror.new_client("paper")
    before = source.ask("/admin/state")["trades"]
    bought = client.create_order("XRP/USD", "market", "buy", 40)
    assert client.fetch_order(bought["id"])["status"] == "closed"
    ask = client.fetch_ticker("XRP/USD")["ask"]
    assert client.fetch_my_trades()[-1]["price"] == pytest.approx(ask, rel=1e-3)

    bid = client.fetch_ticker("XRP/USD")["bid"]
    waits = client.create_order("XRP/USD", "limit", "buy", 10, round(bid * 0.9995, 5))
    waits = client.fetch_order(waits["id"])
    assert client.fetch_order(waits["id"])["status"] == "open"
    through = "XRP/USD", "limit", "sell", 200000, round(waits["price"] * 0.9996, 5)
    source.new_client("seller").create_order(*through, {"timeInForce": "IOC"})
    eventually(lambda: client.fetch_order(waits["id"])["status"] == "closed")
    filled = client.fetch_order(waits["id"])
    assert filled["status"] == "closed"
    assert filled["average"] == filled["price"]
    assert source.ask("/admin/state")["trades"] > before
    same(source, mirror, lambda at: trades(at, "XRPUSD"))


def test_a_book_that_goes_wrong_is_asked_for_anew(source, mirror):
    form = {"kind": "wrong_checksum", "channel": "book", "symbol": "XRP/USD", "times": 1}
    source.ask("/admin/faults", form)
    client = source.new_client("breaker")
    client.create_order("XRP/USD", "market", "buy", 50)
    eventually(lambda: source.ask("/admin/faults")["strokes"])
    online(mirror)
    same(source, mirror, lambda at: book(at, "XRPUSD"))


def test_a_source_that_dies_leaves_the_mirror_up_and_comes_back(start, tmp_path):
    state = ("--state", str(tmp_path / "source"))
    source = start(*FAST, *state)
    port = source.http.rpartition(":")[2]
    mirror = start("--market", f"mirror:{source.http},{source.ws}/public/v2", "--fees", "8")
    online(mirror)
    client = mirror.client()
    bid = client.fetch_ticker("XRP/USD")["bid"]
    waits = client.create_order("XRP/USD", "limit", "buy", 10, round(bid * 0.8, 5))
    stream = mirror.public()
    source.kill()

    eventually(lambda: mode(mirror) == "cancel_only")
    assert '"cancel_only"' in stream.text('"status"', '"cancel_only"')
    for order in (("market", "buy", 10), ("limit", "buy", 10, 1.0)):
        with pytest.raises(Exception, match="cancel_only"):
            client.create_order("XRP/USD", *order)
    assert len(client.fetch_order_book("XRP/USD", 100)["bids"]) == 100
    assert client.fetch_open_orders()[0]["id"] == waits["id"]
    missed = trades(mirror, "XRPUSD", 1)

    source = start(*FAST, *state, "--port", port)
    online(mirror)
    same(source, mirror, lambda at: book(at, "XRPUSD"))
    same(source, mirror, lambda at: trades(at, "XRPUSD"))
    numbers = [row[-1] for row in trades(mirror, "XRPUSD")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert missed[0][-1] in numbers
    client.cancel_order(waits["id"])
    assert client.create_order("XRP/USD", "market", "buy", 10)["id"]
    stream.close()


@pytest.mark.parametrize(
    ("text", "rest", "socket"),
    [
        ("http://127.0.0.1:8790/", "http://127.0.0.1:8790", "ws://127.0.0.1:8790/v2"),
        ("https://api.kraken.com", "https://api.kraken.com", "wss://ws.kraken.com/v2"),
        ("http://a:1,ws://b:2/public/v2", "http://a:1", "ws://b:2/public/v2"),
    ],
)
def test_the_websocket_s_address_follows_from_the_other(text, rest, socket):
    assert Source.read(text) == Source(rest, socket)


@pytest.mark.parametrize("text", ["", "moon", "ftp://x", "http://x,http://x"])
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(BadStart, match="a mirror needs an address"):
        Source.read(text)
