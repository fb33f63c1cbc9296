"""The feed passes on what adds up, mends what it can and breaks on the rest."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_messages import book_text, instrument, recorded, trade_text

from streams.errors import FeedBroken
from streams.events import (
    BookChanged,
    ClockAdvanced,
    OneSided,
    SystemStatus,
    Traded,
    TradesMissed,
    Trusted,
    Untrusted,
)
from streams.feed import Feed
from streams.followed import ATTEMPTS

BOOK = {"bids": [("2.09000", "5.00000000")], "asks": [("2.10000", "7.50000000")]}
HALF_PAST = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)


def a_feed(**options):
    feed = Feed({"XRP/USD": instrument()}, heard=0.0, **options)
    feed.to_send()
    return feed


def live(**options):
    feed = a_feed(**options)
    feed.receive(book_text("snapshot", **BOOK), 0.1)
    feed.receive(trade_text("snapshot", range(51, 101)), 0.1)
    assert feed.trusted("XRP/USD")
    return feed


def kinds(events):
    return [type(event) for event in events]


def asked(feed):
    messages = [json.loads(text) for text in feed.to_send()]
    return [(m["method"], m["params"]["channel"]) for m in messages if "params" in m]


def test_it_asks_for_trades_books_and_days_of_every_symbol_and_for_all_terms():
    messages = [json.loads(text) for text in Feed({"XRP/USD": instrument()}, heard=0.0).to_send()]

    channels = [m["params"]["channel"] for m in messages]
    assert channels == ["trade", "book", "ticker", "instrument"]
    assert "symbol" not in messages[3]["params"]
    assert messages[1]["params"] == {
        "channel": "book",
        "symbol": ["XRP/USD"],
        "depth": 10,
        "snapshot": True,
    }


def test_a_symbol_is_trusted_once_its_book_and_its_trades_are_there():
    feed = a_feed()

    first = feed.receive(book_text("snapshot", **BOOK), 0.1)
    assert not feed.trusted("XRP/USD")
    second = feed.receive(trade_text("snapshot", [7, 8]), 0.2)

    assert first[0] == BookChanged(
        symbol="XRP/USD",
        bid=Decimal("2.09000"),
        ask=Decimal("2.10000"),
        bid_quantity=Decimal(5),
        ask_quantity=Decimal("7.5"),
        bid_depth=Decimal("10.45"),
        ask_depth=Decimal("15.75"),
        heard=0.1,
        at=HALF_PAST,
    )
    assert kinds(second) == [Traded, Traded, Trusted]
    assert feed.trusted("XRP/USD")


def test_a_book_whose_side_is_gone_has_no_price_any_more():
    (event,) = live().receive(
        book_text("update", asks=[("2.10000", "0")], after=BOOK | {"asks": []}), 0.2
    )

    assert event == OneSided(symbol="XRP/USD")


def test_trades_keep_every_digit_and_their_order():
    events = live().receive(trade_text("update", [101, 102], price="2.10010"), 0.2)

    assert [event.trade.trade_id for event in events] == [101, 102]
    assert str(events[0].trade.price) == "2.10010"


def test_a_wrong_checksum_costs_the_symbol_its_trust_until_the_next_snapshot():
    feed = live()

    lost = feed.receive(book_text("update", bids=BOOK["bids"], after=BOOK, wrong=1), 0.2)
    ignored = feed.receive(book_text("update", bids=BOOK["bids"], after=BOOK), 0.3)
    found = feed.receive(book_text("snapshot", **BOOK), 0.4)

    assert kinds(lost) == [Untrusted]
    assert "checksum" in lost[0].reason
    assert asked(feed) == [("unsubscribe", "book"), ("subscribe", "book")]
    assert ignored == []
    assert kinds(found) == [BookChanged, Trusted]


def test_a_clock_that_leaps_breaks_the_feed():
    feed = live()
    later = json.loads(book_text("update", bids=BOOK["bids"], after=BOOK))
    later["data"][0]["timestamp"] = "2026-01-01T13:00:00.600000Z"

    with pytest.raises(FeedBroken, match="leapt"):
        feed.receive(json.dumps(later), 0.2)


def test_no_book_is_trusted_before_its_new_prices_are_told():
    feed = live()
    feed.receive(book_text("update", **BOOK, wrong=1), 0.2)
    fallen = {"bids": [("1.09000", "5.00000000")], "asks": [("1.10000", "7.50000000")]}

    quote, trusted = feed.receive(book_text("snapshot", **fallen), 0.3)

    assert (quote.bid, trusted) == (Decimal("1.09"), Trusted(symbol="XRP/USD"))


@pytest.mark.parametrize("kind", ["snapshot", "update"])
def test_one_trade_of_a_message_from_another_day_breaks_the_feed(kind):
    message = json.loads(trade_text(kind, [101, 102, 103]))
    message["data"][1]["timestamp"] = "2026-01-02T12:00:00Z"

    with pytest.raises(FeedBroken, match="leapt"):
        live().receive(json.dumps(message), 0.2)


def test_a_market_that_has_not_traded_for_hours_does_not_make_the_clock_leap():
    feed = a_feed()

    feed.receive(trade_text("snapshot", [7], at="2026-01-01T09:00:00Z"), 0.1)
    feed.receive(book_text("snapshot", **BOOK), 0.1)

    assert feed.trusted("XRP/USD")
    assert feed.exchange_time == HALF_PAST


def test_a_message_that_is_neither_a_snapshot_nor_an_update_breaks_the_feed():
    text = book_text("update", bids=BOOK["bids"], after=BOOK).replace("update", "upd")

    with pytest.raises(FeedBroken, match="no known type"):
        live().receive(text, 0.2)


def test_a_bid_of_nothing_is_not_trusted_though_its_checksum_is_right():
    text = book_text("snapshot", **BOOK).replace("2.09000", "0.00000")
    told = json.loads(text)["data"][0]["checksum"]
    right = crc32(b"210000750000000" + b"0500000000")

    (lost,) = live().receive(text.replace(str(told), str(right)), 0.2)

    assert lost == Untrusted(symbol="XRP/USD", reason="the book holds nonsense: a price of nothing")


def test_a_crossed_book_is_not_trusted():
    crossed = {"bids": [("2.10000", "5.0")], "asks": [("2.10000", "7.5")]}

    events = live().receive(book_text("snapshot", **crossed), 0.2)

    assert kinds(events) == [Untrusted]
    assert "crossed" in events[0].reason


def test_a_hole_in_the_trades_is_filled_from_the_next_snapshot():
    feed = live()

    lost = feed.receive(trade_text("update", [105]), 0.2)
    ignored = feed.receive(trade_text("update", [106]), 0.3)
    found = feed.receive(trade_text("snapshot", range(80, 107)), 0.4)

    assert kinds(lost) == [Untrusted]
    assert asked(feed) == [("unsubscribe", "trade"), ("subscribe", "trade")]
    assert ignored == []
    assert [e.trade.trade_id for e in found if isinstance(e, Traded)] == [*range(101, 107)]
    assert isinstance(found[-1], Trusted)


def test_a_hole_too_long_for_the_snapshot_is_reported():
    feed = live()

    feed.receive(trade_text("update", [300]), 0.2)
    found = feed.receive(trade_text("snapshot", range(251, 301)), 0.4)

    assert found[0] == TradesMissed(symbol="XRP/USD", after_id=100, before_id=251)
    assert [e.trade.trade_id for e in found if isinstance(e, Traded)] == [*range(251, 301)]
    assert feed.trusted("XRP/USD")


def test_a_snapshot_with_a_hole_of_its_own_is_not_trusted():
    feed = a_feed()
    feed.receive(book_text("snapshot", **BOOK), 0.1)
    asked(feed)

    found = feed.receive(trade_text("snapshot", [*range(51, 71), *range(72, 101)]), 0.1)

    assert kinds(found) == [Traded] * 20
    assert not feed.trusted("XRP/USD")
    assert asked(feed) == [("unsubscribe", "trade"), ("subscribe", "trade")]
    assert feed.receive(trade_text("snapshot", range(71, 101)), 0.2)[-1] == Trusted(
        symbol="XRP/USD"
    )


def test_the_next_connection_goes_on_where_the_last_one_ended():
    following = a_feed(trade_ids=live().last_trade_ids())

    events = following.receive(trade_text("snapshot", range(60, 111)), 0.1)

    assert [e.trade.trade_id for e in events if isinstance(e, Traded)] == [*range(101, 111)]


def test_a_trade_told_twice_counts_once():
    assert live().receive(trade_text("update", [100]), 0.2) == []


def test_trades_counted_anew_break_the_feed_and_are_not_taken_for_old_ones():
    feed = live()

    with pytest.raises(FeedBroken, match="counted anew"):
        feed.receive(trade_text("update", [1], at="2026-01-01T12:00:07Z"), 0.2)

    following = a_feed(trade_ids=feed.last_trade_ids())
    with pytest.raises(FeedBroken, match="counted anew"):
        following.receive(trade_text("snapshot", range(1, 9), at="2026-01-01T12:00:07Z"), 0.1)


def test_an_old_snapshot_repeated_later_changes_nothing():
    feed = live()
    feed.receive(trade_text("update", [101]), 0.2)

    assert feed.receive(trade_text("snapshot", range(51, 101)), 0.3) == []
    assert feed.trusted("XRP/USD")


def test_the_exchanges_clock_is_told_once_a_second_and_never_back():
    feed = live()

    same = feed.receive(trade_text("update", [101], at="2026-01-01T12:00:00.9Z"), 0.2)
    later = feed.receive(trade_text("update", [102], at="2026-01-01T12:00:03Z"), 0.3)
    earlier = feed.receive(trade_text("update", [103], at="2026-01-01T12:00:02Z"), 0.4)

    assert kinds(same) == [Traded]
    assert kinds(later) == [Traded, ClockAdvanced]
    assert kinds(earlier) == [Traded]
    assert feed.exchange_time == datetime(2026, 1, 1, 12, 0, 3, tzinfo=UTC)


def test_a_pong_tells_the_time_where_nothing_trades():
    feed = live()
    feed.tick(6.0)
    (ping,) = feed.to_send()

    events = feed.receive(
        '{"method":"pong","req_id":3,"time_in":"2026-01-01T12:01:00Z",'
        '"time_out":"2026-01-01T12:01:00.1Z"}',
        6.1,
    )

    assert json.loads(ping)["method"] == "ping"
    assert kinds(events) == [ClockAdvanced]


def test_the_exchanges_state_is_passed_on():
    text = '{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}'

    assert a_feed().receive(text, 0.1) == [SystemStatus(status="cancel_only")]


def test_silence_breaks_the_feed_also_when_it_was_silent_from_the_start():
    feed = a_feed()
    feed.tick(10.0)

    with pytest.raises(FeedBroken, match="silent for 11 seconds"):
        feed.tick(11.0)
    with pytest.raises(FeedBroken, match="already broken"):
        feed.receive('{"channel":"heartbeat"}', 11.0)


def test_a_snapshot_that_never_comes_breaks_the_feed():
    feed = a_feed()
    for second in range(1, 11):
        feed.receive('{"channel":"heartbeat"}', float(second))

    with pytest.raises(FeedBroken, match="no snapshot of trade"):
        feed.tick(11.0)


def test_a_symbol_that_cannot_be_mended_breaks_the_feed():
    feed = live()
    for _ in range(ATTEMPTS):
        feed.receive(book_text("snapshot", **BOOK, wrong=1), 0.2)

    with pytest.raises(FeedBroken, match="cannot be mended"):
        feed.receive(book_text("snapshot", **BOOK, wrong=1), 0.2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        '{"Error":"Exceeded msg rate"}',
        '{"channel":"ticker","data":[]}',
        '{"channel":"book","type":"update","data":[{"symbol":"XRP/USD"}]}',
        '{"channel":"trade","type":"update","data":{}}',
        '{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false}',
        trade_text("update", [101], price="-1"),
        trade_text("update", [101], price='"NaN"'),
        trade_text("update", [101], price="1e7654321"),
        trade_text("update", [101], at="2026-01-01T12:00:00"),
        trade_text("update", [101]).replace("XRP/USD", "BTC/USD"),
        trade_text("update", [101]).replace('"buy"', '"hold"'),
    ],
)
def test_nonsense_breaks_the_feed(text):
    feed = live()

    with pytest.raises(FeedBroken):
        feed.receive(text, 0.2)
    assert not feed.trusted("XRP/USD")


def test_a_message_nested_without_end_breaks_the_feed_and_not_its_thread():
    with pytest.raises(FeedBroken, match="no known shape"):
        live().receive('{"channel":"book","data":' + "[" * 100_000, 0.2)


@pytest.mark.parametrize("price", ["-1", "1e400", '"NaN"', "2.123456"])
def test_an_impossible_price_in_a_book_is_not_trusted(price):
    text = book_text("update", bids=BOOK["bids"], after=BOOK).replace("2.09000", price)

    assert kinds(live().receive(text, 0.2)) == [Untrusted]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "symbol": st.sampled_from(["XRP/USD", "BTC/USD"]) | JSON,
            "trade_id": st.integers() | JSON,
            "price": st.floats() | JSON,
            "qty": st.floats() | JSON,
            "side": st.sampled_from(["buy", "sell"]) | JSON,
            "timestamp": st.just("2026-01-01T12:00:00Z") | JSON,
            "bids": JSON,
            "asks": JSON,
            "checksum": st.integers() | JSON,
        },
    ),
    max_size=3,
)


@given(
    st.sampled_from(["book", "trade", "status", "heartbeat"]) | JSON,
    st.sampled_from(["snapshot", "update"]) | JSON,
    ROWS | JSON,
)
def test_only_events_and_feed_broken_ever_leave_the_feed(channel, kind, data):
    feed = live()

    try:
        events = feed.receive(json.dumps({"channel": channel, "type": kind, "data": data}), 0.2)
    except FeedBroken:
        return
    assert isinstance(events, list)


@given(st.text() | st.binary())
def test_no_text_whatever_crashes_the_feed(text):
    try:
        a_feed().receive(text, 0.1)
    except FeedBroken:
        return


def test_a_recorded_stream_is_trusted_from_its_first_message_to_its_last():
    class Stream(msgspec.Struct):
        init: msgspec.Raw
        updates: list[msgspec.Raw]

    stream = msgspec.json.decode(
        recorded("python-kraken-sdk/orderbook-v2.json").read_bytes(), type=Stream
    )
    feed = Feed({"BTC/USD": instrument(symbol="BTC/USD", price_decimals=1)}, heard=0.0)
    feed.receive('{"method":"pong","time_out":"2026-01-01T12:00:00.5Z"}', 0.0)
    feed.receive(trade_text("snapshot", [1]).replace("XRP", "BTC"), 0.0)

    events = [e for raw in [stream.init, *stream.updates] for e in feed.receive(bytes(raw), 0.1)]

    assert sum(isinstance(event, BookChanged) for event in events) == 510
    assert not any(isinstance(event, Untrusted) for event in events)
    assert feed.trusted("BTC/USD")
