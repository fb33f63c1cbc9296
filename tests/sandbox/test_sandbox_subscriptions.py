"""A connection hears a channel of a symbol once, and is told in Kraken's words why not twice.

Sources: one interval a symbol and connection, and one depth, were measured on the live exchange by
several clients (ngchinhow's kraken client for Java subscribes there in its tests), the array by
python-kraken-sdk, issue 148.
"""

import pytest

TWICE = "Already subscribed"
ONE_INTERVAL = "Already subscribed to one ohlc interval on this symbol"


@pytest.mark.parametrize(
    ("channel", "detail", "ways", "words"),
    [
        ("ohlc", "interval", (1, 5), ONE_INTERVAL),
        ("book", "depth", (10, 100), TWICE),
        ("ticker", "event_trigger", ("trades", "bbo"), TWICE),
    ],
)
def test_a_symbol_is_heard_in_one_way_on_a_connection(floor, channel, detail, ways, words):
    first, second = ways
    caller, other = floor.enter(), floor.enter()
    wanted = {"channel": channel, "symbol": ["XRP/USD"]}
    (taken,) = caller.ask("subscribe", **wanted, **{detail: first})
    (refused,) = caller.ask("subscribe", req_id=3, **wanted, **{detail: second})

    assert (taken["success"], refused["success"], refused["error"]) == (True, False, words)
    assert (refused["symbol"], refused["req_id"]) == ("XRP/USD", 3)
    assert other.ask("subscribe", **wanted, **{detail: second})[0]["success"]
    (doge,) = caller.ask("subscribe", channel=channel, symbol=["DOGE/USD"], **{detail: second})
    assert doge["success"]
    assert caller.ask("unsubscribe", **wanted, **{detail: first})[0]["success"]
    assert caller.ask("subscribe", **wanted, **{detail: second})[0]["success"]


@pytest.mark.parametrize("symbol", ["XRP/USD", {"XRP/USD": 1}, 5])
def test_symbols_must_come_in_an_array(floor, symbol):
    (refused,) = floor.enter().ask("subscribe", channel="ticker", symbol=symbol)

    assert (refused["success"], refused["error"]) == (False, "Symbol field must be an array")


def test_a_channel_without_symbols_is_refused_without_one(floor):
    caller = floor.enter()
    assert caller.ask("subscribe", channel="instrument")[0]["success"]
    (twice,) = caller.ask("subscribe", channel="instrument")
    assert (twice["error"], "symbol" in twice) == (TWICE, False)
    caller.ask("unsubscribe", channel="instrument")
    (gone,) = caller.ask("unsubscribe", channel="instrument")
    assert (gone["error"], "symbol" in gone) == ("Subscription Not Found", False)
