"""What the exchange says of our orders arrives whole and in order, or the feed breaks."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_messages import recorded

from market.instruments import Side
from streams.errors import FeedBroken
from streams.events import BalanceChanged, CaughtUp, ExecutionReport, SystemStatus
from streams.executions import ExecutionFeed

TRADE = (
    '{"order_id":"OUF4EM-FRGI2-MQMWZD","cl_ord_id":"aa","exec_id":"TABC","exec_type":"trade",'
    '"trade_id":7,"symbol":"XRP/USD","side":"buy","last_qty":10.00000000,"last_price":2.10000,'
    '"liquidity_ind":"t","cost":21.00000000,"order_status":"partially_filled",'
    '"order_type":"limit","timestamp":"2026-01-01T12:00:00.5Z","cum_qty":10.00000000,'
    '"fee_usd_equiv":0.168,"fees":[{"asset":"USD","qty":0.16800000}]}'
)
CANCELLED = (
    '{"order_id":"OUF4EM-FRGI2-MQMWZD","exec_type":"canceled","order_status":"canceled",'
    '"cum_qty":0,"reason":"User requested","timestamp":"2026-01-01T12:00:00.5Z"}'
)
BALANCE = '{"asset":"USD","asset_class":"currency","balance":979.00000000}'


def message(channel, sequence, *rows, kind="update"):
    data = ",".join(rows)
    return f'{{"channel":"{channel}","type":"{kind}","data":[{data}],"sequence":{sequence}}}'


def a_feed():
    return ExecutionFeed("secret", heard=0.0)


def test_it_asks_for_both_channels_with_what_happened_before():
    first, second = [json.loads(text)["params"] for text in a_feed().to_send()]

    assert first == {
        "channel": "executions",
        "token": "secret",
        "snap_orders": True,
        "snap_trades": True,
        "order_status": True,
    }
    assert second == {"channel": "balances", "token": "secret", "snapshot": True}


def test_the_token_is_not_printed():
    assert "secret" not in repr(a_feed())


def test_a_fill_arrives_to_the_last_digit():
    (report,) = a_feed().receive(message("executions", 1, TRADE), 0.1)

    assert report == ExecutionReport(
        exec_type="trade",
        order_id="OUF4EM-FRGI2-MQMWZD",
        cl_ord_id="aa",
        exec_id="TABC",
        symbol="XRP/USD",
        side=Side.BUY,
        last_quantity=Decimal("10.00000000"),
        last_price=Decimal("2.10000"),
        cost=Decimal("21.00000000"),
        fee=Decimal("0.16800000"),
        fee_asset="USD",
        liquidity="t",
        cumulative=Decimal("10.00000000"),
        status="partially_filled",
        reason=None,
        at=datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC),
        snapshot=False,
    )
    assert str(report.fee) == "0.16800000"


def test_fees_in_several_assets_are_no_amount_that_could_be_booked():
    two = TRADE.replace('"qty":0.16800000}]', '"qty":0.1},{"asset":"XRP","qty":0.02}]')
    none = TRADE.replace('"qty":0.16800000}]', '"qty":0.1},{"asset":"XRP","qty":0.00}]')

    (mixed,) = a_feed().receive(message("executions", 1, two), 0.1)
    (plain,) = a_feed().receive(message("executions", 1, none), 0.1)

    assert (mixed.fee, mixed.fee_asset) == (None, None)
    assert (plain.fee, plain.fee_asset) == (Decimal("0.1"), "USD")


def test_a_cancel_names_neither_symbol_nor_side():
    (report,) = a_feed().receive(message("executions", 1, CANCELLED), 0.1)

    assert (report.symbol, report.side, report.fee) == (None, None, None)
    assert report.reason == "User requested"


def test_it_says_when_both_channels_have_told_what_was_before():
    feed = a_feed()

    first = feed.receive(message("executions", 1, kind="snapshot"), 0.1)
    second = feed.receive(message("balances", 1, BALANCE, kind="snapshot"), 0.2)

    assert first == []
    assert second == [
        BalanceChanged(asset="USD", balance=Decimal("979.00000000"), at=None, snapshot=True),
        CaughtUp(),
    ]


def test_each_channel_counts_its_own_messages():
    feed = a_feed()
    feed.receive(message("executions", 1), 0.1)
    feed.receive(message("balances", 1), 0.1)
    feed.receive(message("executions", 2), 0.1)

    with pytest.raises(FeedBroken, match="expected message 3 of executions, received 4"):
        feed.receive(message("executions", 4), 0.1)
    with pytest.raises(FeedBroken, match="already broken"):
        feed.receive(message("balances", 2), 0.1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        message("executions", 2),
        message("executions", "null"),
        message("executions", 1, "{}"),
        message("executions", 1, TRADE.replace("10.00000000", '"NaN"')),
        message("executions", 1, TRADE.replace("10.00000000", "1e7654321")),
        message("executions", 1, TRADE.replace('"buy"', '"hold"')),
        message("balances", 1, BALANCE.replace("979.00000000", '"Infinity"')),
        (
            '{"channel":"executions","error":"ESession:Invalid session","method":"subscribe",'
            '"status":"error","success":false}'
        ),
        (
            '{"error":"Private data and trading are unavailable on this endpoint. '
            'Try ws-auth.kraken.com","method":"subscribe","success":false}'
        ),
        '{"Error":"Exceeded msg rate"}',
        '{"channel":"ticker","data":[]}',
    ],
)
def test_nonsense_and_refusals_break_the_feed(text):
    with pytest.raises(FeedBroken):
        a_feed().receive(text, 0.1)


def test_a_message_nested_without_end_breaks_the_feed_and_not_its_thread():
    with pytest.raises(FeedBroken, match="no known shape"):
        a_feed().receive('{"channel":"executions","data":' + "[" * 100_000, 0.1)


def test_what_needs_no_answer_gets_none():
    feed = a_feed()
    status = '{"channel":"status","type":"update","data":[{"system":"online"}]}'

    assert feed.receive('{"channel":"heartbeat"}', 0.1) == []
    assert feed.receive('{"method":"subscribe","success":true,"result":{}}', 0.1) == []
    assert feed.receive(status, 0.1) == [SystemStatus(status="online")]


def test_silence_and_a_snapshot_that_never_comes_break_the_feed():
    silent, waiting = a_feed(), a_feed()
    waiting.receive(message("balances", 1), 9.0)

    with pytest.raises(FeedBroken, match="silent"):
        silent.tick(11.0)
    with pytest.raises(FeedBroken, match="no snapshot of executions"):
        waiting.tick(11.0)


def test_it_stays_awake_by_asking():
    feed = a_feed()
    feed.to_send()
    feed.tick(5.0)

    assert json.loads(feed.to_send()[0])["method"] == "ping"


def test_recorded_messages_of_private_channels_are_understood():
    lines = recorded("kraken-async-rs/messages.jsonl").read_text().splitlines()
    reports = []
    for line in lines:
        found = json.loads(line)
        if found.get("channel") in {"executions", "balances"} and "sequence" in found:
            feed = a_feed()
            feed._sequences[found["channel"]] = found["sequence"] - 1
            reports += feed.receive(line, 0.1)

    assert sum(isinstance(report, ExecutionReport) for report in reports) > 4
    assert sum(isinstance(report, BalanceChanged) for report in reports) > 1


@given(st.text() | st.binary())
def test_no_text_whatever_crashes_the_feed(text):
    try:
        a_feed().receive(text, 0.1)
    except FeedBroken:
        return
