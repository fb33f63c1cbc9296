"""A feed that is sent damaged messages is right, or breaks cleanly; never wrong, never down."""

import json

from kraken_messages import recorded

from ops.bench import fuzz
from ops.bench.feed import read

COUNT = 4_000
TRADE = {
    "symbol": "BTC/USD",
    "side": "buy",
    "price": 29430.2,
    "qty": 0.1,
    "ord_type": "limit",
    "timestamp": "2023-07-30T15:29:58.343415Z",
}


def trades(kind, ids):
    rows = [{**TRADE, "trade_id": number} for number in ids]
    return json.dumps({"channel": "trade", "type": kind, "data": rows})


def test_mutated_messages_are_never_taken_for_something_else_than_they_say():
    snapshot, *updates = read(recorded("python-kraken-sdk/orderbook-v2.json").read_bytes())
    texts = [snapshot, trades("snapshot", range(1, 51))]
    for number, update in enumerate(updates, 51):
        texts += [update, trades("update", [number])]

    found = fuzz.fuzz(texts, COUNT, seed=1)

    assert found["wrong"] == 0
    assert found["broken"] + found["untrusted"] + found["taken"] == COUNT
    assert min(found["broken"], found["untrusted"], found["taken"]) > COUNT // 100


def test_the_second_reading_notices_a_feed_that_is_wrong():
    (snapshot, *_) = read(recorded("python-kraken-sdk/orderbook-v2.json").read_bytes())

    assert not fuzz.Reading().agrees(snapshot.replace("29430.2", "29430.1"), [])
