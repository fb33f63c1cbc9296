"""The log of calls, messages and events holds no secret and is the same bytes every time."""

import json
import time

from running_sandbox import KEY, SECRET

OPTIONS = ("--clock", "simulated", "--start", "2026-03-01T10:30:00Z", "--fees", "8", "--seed", "3")


def session(start, path):
    sandbox = start(*OPTIONS, "--record", str(path))
    client = sandbox.client()
    client.load_markets()
    client.create_order("XRP/USD", "market", "buy", 300)
    for hour in range(3):
        bid = client.fetch_ticker("XRP/USD")["bid"]
        low = client.price_to_precision("XRP/USD", bid * 0.995)
        placed = client.create_order("XRP/USD", "limit", "buy", 20 + hour, low)
        client.create_order("XRP/USD", "market", "sell", 10, None, {"trailingPercent": 1})
        sandbox.advance(1800)
        if client.fetch_order(placed["id"])["status"] == "open":
            client.edit_order(placed["id"], "XRP/USD", "limit", "buy", 60, low)
        sandbox.advance(1800)
    public = sandbox.public()
    public.subscribe("book", symbol=["XRP/USD", "DOGE/USD"])
    public.subscribe("trade", symbol=["XRP/USD", "BTC/USD"])
    for symbol in ("XRP/USD", "BTC/USD"):
        public.wait('"trade"', '"snapshot"', '"data"', symbol)
    client.create_order("XRP/USD", "limit", "buy", 10, 0.5)
    sandbox.advance(60)
    stream = sandbox.private(client)
    stream.send("cancel_all")
    stream.wait('"cancel_all"')
    stream.socket.send('{"token": "' + stream.token)
    stream.wait("Malformed")
    public.send("ping")
    public.wait("pong")
    stream.close()
    public.close()
    sandbox.stop()
    return path.read_bytes(), stream.token


def test_the_same_seed_and_the_same_calls_give_the_same_bytes(start, tmp_path):
    first, token = session(start, tmp_path / "first")
    second, _ = session(start, tmp_path / "second")

    assert first == second
    lines = [json.loads(line) for line in first.splitlines()]
    assert {"AddOrder", "AmendOrder", "Ticker", "cancel_all"} <= {x.get("call") for x in lines}
    kinds = {line["execution"]["exec_type"] for line in lines if "execution" in line}
    assert {"pending_new", "new", "trade", "filled", "canceled", "status"} <= kinds
    for secret in (KEY, SECRET, token):
        assert secret.encode() not in first
    assert b'"nonce"' not in first


def test_every_message_is_in_the_log_with_its_connection(start, tmp_path):
    path = tmp_path / "log"
    sandbox = start(*OPTIONS, "--record", str(path))
    streams = [sandbox.public(), sandbox.public()]
    for stream, symbol in zip(streams, ("XRP/USD", "BTC/USD"), strict=True):
        stream.subscribe("book", symbol=[symbol])
        stream.wait("snapshot", '"data"')
    sandbox.advance(60)
    for stream in streams:
        stream.send("ping")
        stream.seen = []
        while '"pong"' not in (text := stream.socket.recv(timeout=5)):
            stream.seen.append(text)
        stream.close()
    sandbox.stop()

    lines = path.read_bytes().splitlines()
    for number, stream in enumerate(streams, 1):
        mine = [json.loads(line) for line in lines if b'"connection":%d,' % number in line]
        assert mine[0]["opened"] == ["public"]
        assert mine[-1]["closed"] is True
        assert [x["heard"]["method"] for x in mine if "heard" in x] == ["subscribe", "ping"]
        books = [x for x in lines if b'"sent":{"channel":"book","type":"update"' in x]
        sent = [x.split(b'"sent":', 1)[1][:-1].decode() for x in books if b":%d," % number in x]
        told = [text for text in stream.seen if '"update"' in text and "heartbeat" not in text]
        assert told
        assert [text for text in sent if text in told] == told


def test_little_is_lost_when_the_process_is_killed(start, tmp_path):
    path = tmp_path / "log"
    sandbox = start("--record", str(path))
    client = sandbox.client()
    client.fetch_time()
    deadline = time.monotonic() + 5
    while b'"call":"Time"' not in path.read_bytes():
        assert time.monotonic() < deadline
    sandbox.kill()

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["call"] for line in lines if "call" in line] == ["Time"]
