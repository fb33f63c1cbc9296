"""The log of calls and events holds no secret and is the same, byte for byte, every time."""

import json

from conftest import KEY, SECRET

OPTIONS = ("--clock", "simulated", "--start", "2026-03-01T10:30:00Z", "--fees", "8", "--seed", "3")


def session(start, path):
    sandbox = start(*OPTIONS, "--record", str(path))
    client = sandbox.client()
    client.load_markets()
    client.create_order("XRP/USD", "market", "buy", 300)
    for hour in range(6):
        bid = client.fetch_ticker("XRP/USD")["bid"]
        low = client.price_to_precision("XRP/USD", bid * 0.995)
        placed = client.create_order("XRP/USD", "limit", "buy", 20 + hour, low)
        client.create_order("XRP/USD", "market", "sell", 10, None, {"trailingPercent": 1})
        sandbox.advance(1800)
        if client.fetch_order(placed["id"])["status"] == "open":
            client.edit_order(placed["id"], "XRP/USD", "limit", "buy", 60, low)
        sandbox.advance(1800)
    client.create_order("XRP/USD", "limit", "buy", 10, 0.5)
    stream = sandbox.private(client)
    stream.send("cancel_all")
    stream.wait('"cancel_all"')
    stream.close()
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
