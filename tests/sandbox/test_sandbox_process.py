"""Unmodified clients trade on the running exchange, and killing it loses nothing."""

import json
import subprocess
import sys
from decimal import Decimal
from zlib import crc32

import ccxt
import pytest

PLACES = {"XRP/USD": 5, "DOGE/USD": 7}


class Book:
    """A book kept the way Kraken's documentation tells clients to."""

    def __init__(self, symbol, depth):
        self.places, self.depth = PLACES[symbol], depth
        self.sides = {"bids": {}, "asks": {}}

    def apply(self, body):
        """Apply a message and tell whether its checksum is right."""
        for name, side in self.sides.items():
            for level in body[name]:
                side[level["price"]] = level["qty"]
                if level["qty"] == 0:
                    del side[level["price"]]
            best = sorted(side, reverse=name == "bids")[: self.depth]
            self.sides[name] = {price: side[price] for price in best}
        return self.checksum() == body["checksum"]

    def checksum(self):
        """Compute the checksum of the ten best levels."""
        text = ""
        for name in ("asks", "bids"):
            for price, quantity in list(self.sides[name].items())[:10]:
                for number, places in ((price, self.places), (quantity, 8)):
                    text += f"{number:.{places}f}".replace(".", "").lstrip("0")
        return crc32(text.encode())


def market_price(client):
    return client.fetch_ticker("XRP/USD")["bid"]


def test_ccxt_reads_the_market(sandbox):
    client = sandbox.new_client()
    markets = client.load_markets()

    assert markets["XRP/USD"]["id"] == "XXRPZUSD"
    assert client.fetch_status()["status"] == "ok"
    assert len(client.fetch_ohlcv("DOGE/USD", "1m")) == 720
    assert len(client.fetch_trades("XRP/USD", limit=50)) >= 50
    book = client.fetch_order_book("XRP/USD", 100)
    assert len(book["asks"]) == len(book["bids"]) == 100
    assert book["bids"][0][0] < book["asks"][0][0]
    assert client.fetch_trading_fee("XRP/USD")["taker"] == 0.002
    with pytest.raises(ccxt.ExchangeError, match="EQuery:Unknown asset pair"):
        client.publicGetTicker({"pair": "NOPE"})


def test_ccxt_trades_and_every_figure_agrees(sandbox):
    client = sandbox.new_client("trader")
    placed = client.create_order("XRP/USD", "market", "buy", 100)
    order = client.fetch_order(placed["id"])
    (trade,) = client.fetch_my_trades("XRP/USD")
    balance = client.fetch_balance()

    assert order["status"] == "closed"
    assert order["trades"][0]["id"] == trade["id"]
    assert balance["XRP"]["total"] == 100
    spent = Decimal(str(trade["cost"])) + Decimal(str(trade["fee"]["cost"]))
    assert Decimal(str(balance["USD"]["total"])) == 10000 - spent
    (entry,) = (e for e in client.fetch_ledger("USD") if e["type"] == "trade")
    assert entry["after"] == balance["USD"]["total"]


def test_ccxt_places_amends_and_cancels(sandbox):
    client = sandbox.new_client("patient")
    low = round(market_price(client) * 0.9, 5)
    placed = client.create_order("XRP/USD", "limit", "buy", 10, low, {"clientOrderId": "mine"})
    with pytest.raises(ccxt.ExchangeError, match="cl_ord_id not unique"):
        client.create_order("XRP/USD", "limit", "buy", 10, low, {"clientOrderId": "mine"})
    client.edit_order(placed["id"], "XRP/USD", "limit", "buy", 12, low)
    (opened,) = client.fetch_open_orders("XRP/USD", params={"clientOrderId": "mine"})

    assert (opened["amount"], opened["clientOrderId"]) == (12, "mine")
    assert client.fetch_balance()["USD"]["used"] > 12 * low
    client.cancel_order(placed["id"])
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(placed["id"])
    assert client.fetch_closed_orders("XRP/USD")[-1]["status"] == "canceled"
    assert client.fetch_balance()["USD"]["used"] == 0


def test_a_trial_order_is_checked_but_not_placed(sandbox):
    client = sandbox.new_client("careful")
    answer = client.privatePostAddOrder(
        {
            "pair": "XRPUSD",
            "type": "buy",
            "ordertype": "limit",
            "volume": "10",
            "price": "0.5",
            "validate": "true",
        }
    )

    assert "txid" not in answer["result"]
    assert client.fetch_open_orders() == []


@pytest.mark.parametrize(("symbol", "depth"), [("XRP/USD", 10), ("DOGE/USD", 25)])
def test_every_book_message_carries_the_right_checksum(sandbox, symbol, depth):
    stream, book = sandbox.public(), Book(symbol, depth)
    stream.subscribe("book", symbol=[symbol], depth=depth)
    snapshot = stream.text('"snapshot"', '"channel":"book"', '"data"')
    assert book.apply(json.loads(snapshot, parse_float=Decimal)["data"][0])
    for _ in range(100):
        sandbox.advance(2)
        update = stream.text('"update"', '"channel":"book"')
        assert book.apply(json.loads(update, parse_float=Decimal)["data"][0])
    stream.close()


def test_the_live_trades_are_the_history(sandbox):
    client = sandbox.new_client("reader")
    stream = sandbox.public()
    stream.subscribe("trade", symbol=["XRP/USD"])
    live = stream.wait('"snapshot"', '"data"')["data"]
    assert len(live) == 50
    while len(live) < 150:
        sandbox.advance(60)
        live += stream.wait('"update"', '"channel":"trade"')["data"]
    answer = client.publicGetTrades({"pair": "XRPUSD", "count": "200"})
    kept = {row[6]: row for row in answer["result"]["XXRPZUSD"]}

    numbers = [trade["trade_id"] for trade in live]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for trade in live[:]:
        assert float(kept[trade["trade_id"]][0]) == trade["price"]
        assert kept[trade["trade_id"]][3] == trade["side"][0]
    stream.close()


def test_fills_arrive_in_order_on_executions_and_balances(sandbox):
    client = sandbox.new_client("listener")
    stream = sandbox.private(client)
    stream.subscribe("executions", snap_trades=True)
    stream.subscribe("balances")
    assert stream.wait('"executions"', '"snapshot"', '"sequence"')["sequence"] == 1
    assert stream.wait('"balances"', '"snapshot"', '"sequence"')["sequence"] == 1
    stream.send("add_order", symbol="XRP/USD", side="buy", order_type="market", order_qty=30)
    answer = stream.wait('"add_order"')
    seen = [stream.wait('"executions"') for _ in range(4)]

    kinds = [message["data"][0]["exec_type"] for message in seen]
    assert kinds == ["pending_new", "new", "trade", "filled"]
    assert [message["sequence"] for message in seen] == [2, 3, 4, 5]
    assert {m["data"][0]["order_id"] for m in seen} == {answer["result"]["order_id"]}
    fill = client.fetch_my_trades()[-1]
    assert seen[2]["data"][0]["exec_id"] == fill["id"]
    stream.close()


def test_each_door_refuses_what_belongs_to_the_other(sandbox):
    public = sandbox.public()
    public.subscribe("executions", token="x")
    assert "Try ws-auth.kraken.com" in public.wait('"error"')["error"]
    public.subscribe("book", symbol=["XBT/USD"])
    assert public.wait('"error"')["error"] == "Currency pair not supported XBT/USD"
    public.send("ping")
    assert public.wait('"pong"')["req_id"] == 7
    private = sandbox.private(sandbox.new_client())
    private.token = "wrong"
    private.subscribe("executions")
    assert private.wait('"error"')["error"] == "ESession:Invalid session"
    private.token = None
    private.subscribe("book", symbol=["XRP/USD"])
    assert "Try ws.kraken.com" in private.wait('"error"')["error"]
    public.close()
    private.close()


def test_one_door_serves_both_kinds(sandbox):
    client = sandbox.new_client("undecided")
    stream = sandbox.private(client, "/v2")
    stream.subscribe("executions")
    assert stream.wait('"executions"', '"snapshot"', '"sequence"')["data"] == []
    stream.token = None
    stream.subscribe("book", symbol=["XRP/USD"])
    assert stream.wait('"book"', '"snapshot"', '"data"')["data"][0]["symbol"] == "XRP/USD"
    stream.close()


def test_the_ledger_of_the_whole_exchange_sums_to_nothing(sandbox):
    state = sandbox.ask("/admin/state")

    assert {Decimal(amount) for amount in state["sums"].values()} == {0}


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(start, tmp_path):
    options = ("--state", str(tmp_path / "state"), "--speed", "60", "--fees", "8")
    first = start(*options)
    client = first.new_client()
    low = round(market_price(client) * 0.8, 5)
    orders = [client.create_order("XRP/USD", "limit", "buy", 10, low)["id"] for _ in range(20)]
    bought = client.create_order("XRP/USD", "market", "buy", 40)["id"]
    before, trades = client.fetch_balance(), client.fetch_my_trades()
    clock = first.ask("/health")["time"]
    page = client.publicGetTrades({"pair": "XRPUSD", "since": str(int(clock) - 3600)})
    first.kill()

    again = start(*options)
    client.urls["api"] = {"public": again.http, "private": again.http}
    assert {order["id"] for order in client.fetch_open_orders()} == set(orders)
    assert client.fetch_order(bought)["status"] == "closed"
    assert client.fetch_my_trades() == trades
    assert client.fetch_balance()["total"] == before["total"]
    assert again.ask("/health")["time"] >= clock
    count = len(page["result"]["XXRPZUSD"])
    later = client.publicGetTrades(
        {"pair": "XRPUSD", "since": str(int(clock) - 3600), "count": str(count)}
    )
    assert later["result"] == page["result"]


def test_a_simulated_clock_moves_only_when_told_and_survives(start, tmp_path):
    options = ("--state", str(tmp_path / "state"), "--clock", "simulated")
    first = start(*options, "--start", "2026-01-01T00:00:00Z")
    assert first.ask("/health")["timestamp"] == "2026-01-01T00:00:00.000000Z"
    first.advance(90)
    first.kill()

    assert start(*options).ask("/health")["timestamp"] == "2026-01-01T00:01:30.000000Z"


def run(*options):
    command = [sys.executable, "-m", "sandbox", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr.strip()


def test_a_port_in_use_is_named_in_one_sentence(sandbox):
    port = sandbox.http.rpartition(":")[2]
    code, words = run("--port", port)

    assert code == 3
    assert words.startswith(f"port {port} on 127.0.0.1 cannot be used")
    assert "\n" not in words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--market", "moon"), "market must be synthetic"),
        (("--market", "replay:/nowhere/XRPUSD.csv"), "cannot be replayed"),
        (("--market", "replay:/nowhere.csv"), "must say which pair it is about"),
        (("--start", "yesterday"), "start must be an RFC 3339 time"),
        (("--start", "1999-01-01T00:00:00Z"), "start must not be before 2022-01-01"),
        (("--balance", "USD=-1"), "balance must look like USD=10000"),
        (("--balance", "USD=1e40"), "balance must look like USD=10000"),
        (("--state", "/nowhere/at/all"), "the state file /nowhere/at/all cannot be used"),
        (("--faults", "/nowhere"), "faults must be a JSON list of faults"),
        (("--fees", "13"), "13 is not in the range"),
    ],
)
def test_wrong_options_are_refused_in_words(options, words):
    code, said = run("--port", "0", *options)

    assert code == 2
    assert words in said
    assert "Traceback" not in said


def test_a_state_file_belongs_to_one_market(start, tmp_path):
    state = str(tmp_path / "state")
    start("--state", state, "--seed", "1").stop()
    code, words = run("--port", "0", "--state", state, "--seed", "2")

    assert code == 2
    assert "belongs to seed 1" in words
