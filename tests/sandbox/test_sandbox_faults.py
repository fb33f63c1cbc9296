"""Every fault can be asked for, strikes where it was told to, and leaves its id in the log."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from http.client import IncompleteRead

import ccxt
import ccxt.pro
import pytest
import requests
from websockets.exceptions import ConnectionClosed

from sandbox.faults import Faults

LOW = 1.0
UNAVAILABLE = "EService:Unavailable"
INTERNAL = "EGeneral:Internal error"


@pytest.fixture
def fault(sandbox):
    """Give a function that asks for a fault; none is left when the test ends."""

    def ask(kind, **more):
        return sandbox.ask("/admin/faults", {"kind": kind, **more})["id"]

    yield ask
    request = urllib.request.Request(sandbox.http + "/admin/faults", method="DELETE")
    with urllib.request.urlopen(request, timeout=10):
        pass


def strikes(sandbox, name):
    return [each for each in sandbox.ask("/admin/faults")["struck"] if each["id"] == name]


def place(client):
    return client.create_order("XRP/USD", "limit", "buy", 10, LOW)


@pytest.mark.parametrize(
    ("form", "raises", "lives"),
    [
        ({"kind": "drop_before"}, ccxt.NetworkError, False),
        ({"kind": "drop_after"}, ccxt.NetworkError, True),
        ({"kind": "status", "status": 502}, ccxt.ExchangeNotAvailable, False),
        ({"kind": "status", "status": 520, "after": True}, ccxt.ExchangeNotAvailable, True),
        ({"kind": "status", "status": 524, "after": True}, ccxt.ExchangeError, True),
        ({"kind": "error", "text": UNAVAILABLE}, ccxt.ExchangeNotAvailable, False),
        ({"kind": "error", "text": UNAVAILABLE, "after": True}, ccxt.ExchangeNotAvailable, True),
        ({"kind": "error", "text": INTERNAL, "after": True}, ccxt.ExchangeNotAvailable, True),
        ({"kind": "short"}, ccxt.NetworkError, True),
        ({"kind": "truncated"}, None, True),
        ({"kind": "empty"}, None, True),
    ],
)
def test_an_order_may_live_although_its_answer_did_not(sandbox, fault, form, raises, lives):
    client = sandbox.new_client(f"unlucky {form}")
    client.load_markets()
    name = fault(method="AddOrder", **form)
    if raises is None:
        assert place(client)["id"] is None
    else:
        with pytest.raises(raises) as raised:
            place(client)
        assert type(raised.value) is raises

    assert len(client.fetch_open_orders("XRP/USD")) == lives
    assert [strike["where"] for strike in strikes(sandbox, name)] == ["AddOrder"]


def test_a_short_answer_promises_more_than_it_gives(sandbox, fault):
    fault("short", method="Time")
    with urllib.request.urlopen(sandbox.http + "/0/public/Time", timeout=10) as answer:
        promised = int(answer.headers["Content-Length"])
        with pytest.raises(IncompleteRead) as broken:
            answer.read()

    assert (answer.status, len(broken.value.partial)) == (200, promised // 2)


@pytest.mark.parametrize("kind", ["delay", "delay_before"])
def test_an_answer_may_come_late(sandbox, fault, kind):
    client = sandbox.new_client("slow")
    client.load_markets()
    client.timeout = 100
    name = fault(kind, method="AddOrder", seconds=0.5)
    with pytest.raises(ccxt.RequestTimeout):
        place(client)
    assert len(strikes(sandbox, name)) == 1


def test_an_event_may_come_twice_or_never_or_with_a_wrong_number(sandbox, fault):
    client = sandbox.new_client("disturbed")
    stream = sandbox.private(client)
    stream.subscribe("executions")
    stream.wait('"snapshot"', '"sequence"')
    fault("duplicate", channel="executions")
    place(client)
    numbers = [stream.wait('"sequence"')["sequence"] for _ in range(3)]
    assert numbers == [2, 2, 3]
    fault("missing", channel="executions")
    place(client)
    assert stream.wait('"sequence"')["sequence"] == 5
    fault("sequence_gap", channel="executions")
    place(client)
    assert [stream.wait('"sequence"')["sequence"] for _ in range(2)] == [7, 8]
    fault("reordered", channel="executions")
    place(client)
    assert [stream.wait('"sequence"')["sequence"] for _ in range(2)] == [10, 9]
    fault("late", channel="executions", seconds=0.1)
    place(client)
    assert [stream.wait('"sequence"')["sequence"] for _ in range(2)] == [12, 11]
    stream.close()


def test_a_fill_may_be_reported_twice_under_two_numbers(sandbox, fault):
    client = sandbox.new_client("told twice")
    stream = sandbox.private(client)
    stream.subscribe("executions")
    stream.wait('"snapshot"', '"sequence"')
    name = fault("repeated", channel="executions")
    client.create_order("XRP/USD", "market", "buy", 10)
    told = [stream.wait('"sequence"') for _ in range(5)]
    stream.close()

    assert [message["sequence"] for message in told] == [2, 3, 4, 5, 6]
    kinds = [message["data"][0]["exec_type"] for message in told]
    assert kinds == ["pending_new", "new", "trade", "trade", "filled"]
    assert told[2]["data"] == told[3]["data"]
    assert len(strikes(sandbox, name)) == 1


def test_a_request_over_the_websocket_may_be_lost_or_fail_after_all(sandbox, fault):
    client = sandbox.new_client("losing")
    stream = sandbox.private(client)
    order = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "order_qty": 10}
    fault("drop_before", method="add_order")
    stream.send("add_order", **order, limit_price=LOW)
    fault("error", method="add_order", text="EService:Unavailable", after=True)
    stream.send("add_order", **order, limit_price=LOW)
    assert stream.wait('"add_order"')["error"] == "EService:Unavailable"
    fault("missing", method="add_order")
    stream.send("add_order", **order, limit_price=LOW)
    stream.send("ping")
    assert "pong" in stream.text('"req_id"')
    assert len(client.fetch_open_orders()) == 2
    stream.close()


def book_after(sandbox, stream):
    sandbox.advance(60)
    message = stream.text('"channel":"book"', '"update"')
    return json.loads(message, parse_float=Decimal)["data"][0]


def test_a_book_may_be_wrong_or_crossed(sandbox, fault):
    stream = sandbox.public()
    stream.subscribe("book", symbol=["XRP/USD"])
    stream.text('"snapshot"', '"data"')
    name = fault("wrong_checksum", channel="book", symbol="XRP/USD")
    book_after(sandbox, stream)
    assert len(strikes(sandbox, name)) == 1
    fault("crossed_book", symbol="XRP/USD")
    crossed = book_after(sandbox, stream)
    best_bid = max(level["price"] for level in crossed["bids"] if level["qty"])
    answer = sandbox.ask("/0/public/Depth?pair=XRPUSD&count=1")["result"]["XXRPZUSD"]
    assert best_bid > Decimal(answer["asks"][0][0])
    stream.close()


def test_a_trade_may_go_missing(sandbox, fault):
    stream = sandbox.public()
    stream.subscribe("trade", symbol=["XRP/USD"])
    last = stream.wait('"snapshot"', '"data"')["data"][-1]["trade_id"]
    fault("missing", channel="trade")
    sandbox.advance(60)
    sandbox.advance(60)
    assert stream.wait('"trade"', '"update"')["data"][0]["trade_id"] > last + 1
    stream.close()


def test_a_feed_may_stall_with_or_without_heartbeats(sandbox, fault):
    stream = sandbox.public()
    stream.subscribe("trade", symbol=["XRP/USD"])
    stream.text('"snapshot"', '"data"')
    fault("stall", times=0)
    sandbox.advance(60)
    assert json.loads(stream.socket.recv(timeout=5)) == {"channel": "heartbeat"}
    fault("silence", times=0)
    with pytest.raises(TimeoutError):
        stream.socket.recv(timeout=1.3)
    stream.close()


@pytest.mark.parametrize("code", [1001, 1012])
def test_a_connection_is_closed_with_a_code(sandbox, fault, code):
    stream = sandbox.public()
    stream.text('"status"')
    name = fault("close", code=code)
    with pytest.raises(ConnectionClosed) as closed:
        stream.socket.recv(timeout=5)

    assert closed.value.rcvd.code == code
    assert strikes(sandbox, name)


def test_a_connection_is_cut_without_a_word(sandbox, fault):
    stream = sandbox.public()
    stream.text('"status"')
    fault("abort")
    with pytest.raises(ConnectionClosed) as closed:
        stream.socket.recv(timeout=5)

    assert closed.value.rcvd is None


def test_tokens_expire(sandbox, fault):
    stream = sandbox.private(sandbox.new_client("expired"))
    fault("token_expiry")
    stream.subscribe("executions")

    assert stream.wait('"error"')["error"] == "ESession:Invalid session"
    stream.close()


def test_open_orders_may_lag_behind_an_amendment(sandbox, fault):
    client = sandbox.new_client("lagging")
    placed = place(client)
    fault("open_orders_lag", seconds=5, times=0)
    client.edit_order(placed["id"], "XRP/USD", "limit", "buy", 12, LOW)

    assert client.fetch_open_orders()[0]["amount"] == 10
    sandbox.advance(6)
    assert client.fetch_open_orders()[0]["amount"] == 12


def test_maintenance_is_announced_and_ends(sandbox, fault):
    stream = sandbox.public()
    stream.text('"online"')
    client = sandbox.new_client("waiting")
    client.load_markets()
    fault("maintenance")
    assert stream.wait('"status"')["data"][0]["system"] == "maintenance"
    with pytest.raises(ccxt.ExchangeNotAvailable):
        place(client)
    requests.delete(sandbox.http + "/admin/faults", timeout=5)
    assert stream.wait('"status"')["data"][0]["system"] == "online"
    assert place(client)["id"]
    stream.close()


def test_the_clock_may_be_wrong(sandbox, fault):
    client = sandbox.client()
    before = client.fetch_time()
    fault("clock_skew", seconds=30, times=0)

    assert client.fetch_time() == before + 30_000


def test_the_wrong_clock_is_wrong_on_the_websocket_and_for_deadlines(sandbox, fault):
    client = sandbox.new_client("skewed")
    stream = sandbox.public()
    stream.subscribe("trade", symbol=["XRP/USD"])
    stream.text('"snapshot"', '"data"')
    order = {"pair": "XRPUSD", "type": "buy", "ordertype": "limit", "volume": "10", "price": "1"}
    deadline = now(sandbox, 5)
    name = fault("clock_skew", seconds=30)
    assert [each["where"] for each in strikes(sandbox, name)] == ["30 seconds"]
    with pytest.raises(ccxt.ExchangeError, match="EService:Deadline elapsed"):
        client.privatePostAddOrder(order | {"deadline": deadline})
    assert client.privatePostAddOrder(order | {"deadline": now(sandbox, 35)})["result"]["txid"]
    sandbox.advance(60)
    traded = stream.wait('"trade"', '"update"')["data"][-1]["timestamp"]
    stream.send("ping")
    answered = stream.wait('"pong"')["time_out"]

    assert traded > now(sandbox, 0)
    assert answered[:19] == now(sandbox, 30)[:19]
    assert client.publicGetSystemStatus()["result"]["timestamp"][:19] == now(sandbox, 30)[:19]
    stream.close()


def now(sandbox, later):
    moment = datetime.fromisoformat(sandbox.ask("/health")["timestamp"])
    return f"{moment + timedelta(seconds=later):%Y-%m-%dT%H:%M:%S.%fZ}"


def test_trades_may_be_left_out_of_the_feed_but_not_of_the_history(sandbox, fault):
    stream, client = sandbox.public(), sandbox.client()
    stream.subscribe("trade", symbol=["XRP/USD"])
    last = stream.wait('"snapshot"', '"data"')["data"][-1]["trade_id"]
    name = fault("trade_id_gap", symbol="XRP/USD")
    sandbox.advance(60)
    sandbox.advance(60)
    heard = stream.wait('"trade"', '"update"')["data"]
    missing = range(last + 1, heard[0]["trade_id"])
    answer = client.publicGetTrades(
        {"pair": "XRPUSD", "since": sandbox.ask("/health")["time"] - 130}
    )

    assert len(missing) > 0
    assert {*missing} <= {trade[6] for trade in answer["result"]["XXRPZUSD"]}
    assert [strike["where"] for strike in strikes(sandbox, name)] == ["trade XRP/USD"]
    stream.close()


def test_a_call_may_be_overtaken_by_another_of_the_same_key(sandbox, fault):
    client = sandbox.new_client("racing")
    client.fetch_balance()
    fault("nonce_race", method="Balance", seconds=0.05)
    with pytest.raises(ccxt.InvalidNonce):
        client.privatePostBalance()
    assert client.privatePostBalance()["error"] == []
    window = sandbox.ask("/admin/keys", {"account": "racing", "window": 10_000})
    tolerant = sandbox.client(window["key"], window["secret"])
    fault("nonce_race", method="Balance", seconds=0.05)

    assert tolerant.privatePostBalance()["error"] == []


def test_a_race_of_nonces_is_lost_to_whoever_calls_meanwhile(sandbox, fault):
    minted = sandbox.ask("/admin/keys", {"account": "racing"})
    slow, quick = (sandbox.client(minted["key"], minted["secret"]) for _ in range(2))
    name = fault("nonce_race", method="Balance", seconds=0.5)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(slow.privatePostBalance)
        while not strikes(sandbox, name):
            pass
        assert quick.privatePostOpenOrders()["error"] == []
        with pytest.raises(ccxt.InvalidNonce):
            late.result(timeout=10)


def test_a_squeeze_lowers_the_limits_until_it_is_over(sandbox, fault):
    client = sandbox.new_client("squeezed")
    client.load_markets()
    name = fault("rate_limit", share=0.25, **{"for": 3600})
    for _ in range(5):
        client.privatePostBalance()
    with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
        client.privatePostBalance()
    sandbox.advance(2)
    client.privatePostBalance()
    stream = sandbox.private(sandbox.new_client("counted"))
    stream.subscribe("executions")
    assert stream.wait('"maxratecount"')["result"]["maxratecount"] == 45
    assert sandbox.ask("/admin/state")["share"] == 0.25
    sandbox.advance(3600)
    for _ in range(30):
        client.privatePostBalance()
    assert sandbox.ask("/admin/state")["share"] is None
    assert [strike["where"] for strike in strikes(sandbox, name)] == ["0.25 of the limits left"]
    stream.close()


def test_an_answer_over_the_websocket_may_be_late_or_lost_and_a_request_too(sandbox, fault):
    client = sandbox.new_client("patient")
    stream = sandbox.private(client)
    order = {"symbol": "XRP/USD", "side": "buy", "order_type": "limit", "order_qty": 10}
    fault("drop_after", method="add_order")
    stream.send("add_order", **order, limit_price=LOW)
    stream.send("ping")
    assert stream.wait('"req_id"')["method"] == "pong"
    assert len(client.fetch_open_orders()) == 1
    fault("delay", method="add_order", seconds=0.1)
    stream.send("add_order", **order, limit_price=LOW)
    stream.send("ping")
    assert [stream.wait('"req_id"')["method"] for _ in range(2)] == ["pong", "add_order"]
    assert len(client.fetch_open_orders()) == 2
    fault("delay_before", method="add_order", seconds=0.3)
    stream.send("add_order", **order, limit_price=LOW)
    stream.send("ping")
    assert stream.wait('"req_id"')["method"] == "pong"
    assert len(client.fetch_open_orders()) == 2
    assert stream.wait('"req_id"')["method"] == "add_order"
    assert len(client.fetch_open_orders()) == 3
    stream.close()


def test_only_the_connections_that_hear_a_channel_may_be_cut(sandbox, fault):
    books, trades = sandbox.public(), sandbox.public()
    books.subscribe("book", symbol=["XRP/USD"])
    books.text('"book"', '"snapshot"', '"data"')
    trades.subscribe("trade", symbol=["XRP/USD"])
    trades.text('"trade"', '"snapshot"', '"data"')
    fault("close", channel="book")
    with pytest.raises(ConnectionClosed):
        books.text("never")
    trades.send("ping")
    assert trades.wait('"pong"')
    trades.close()


@pytest.mark.parametrize(("name", "code"), [("going_away", 1001), ("restart", 1012)])
def test_a_close_has_a_name_for_each_code(sandbox, fault, name, code):
    stream = sandbox.public()
    stream.text('"status"')
    fault(name)
    with pytest.raises(ConnectionClosed) as closed:
        stream.socket.recv(timeout=5)

    assert closed.value.rcvd.code == code


@pytest.mark.parametrize(
    ("name", "raises", "lives"),
    [
        ("502", ccxt.ExchangeNotAvailable, False),
        ("520", ccxt.ExchangeNotAvailable, True),
        ("524", ccxt.ExchangeError, True),
        ("unavailable", ccxt.ExchangeNotAvailable, True),
        ("internal_error", ccxt.ExchangeNotAvailable, True),
    ],
)
def test_a_failure_has_a_name_of_its_own(sandbox, fault, name, raises, lives):
    client = sandbox.new_client(f"named {name}")
    client.load_markets()
    identity = fault(name, method="AddOrder")
    with pytest.raises(raises) as raised:
        place(client)

    assert type(raised.value) is raises
    assert len(client.fetch_open_orders()) == lives
    assert [strike["name"] for strike in strikes(sandbox, identity)] == [name]


@pytest.mark.parametrize(
    "form", [{}, {"kind": "flood"}, {"kind": "empty", "times": -1}, {"kind": "close", "code": 7}]
)
def test_a_fault_nobody_knows_is_refused(sandbox, form):
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox.ask("/admin/faults", form)

    assert refused.value.code == 400
    assert json.loads(refused.value.read())["error"]


def test_faults_strike_by_chance_but_the_same_way_for_the_same_seed():
    def history(seed):
        faults = Faults(seed)
        faults.add({"kind": "missing", "times": 0, "chance": 0.3})
        return [faults.take({"missing"}, 0) is not None for _ in range(50)]

    assert history(1) == history(1) != history(2)
    assert 5 < sum(history(1)) < 25
