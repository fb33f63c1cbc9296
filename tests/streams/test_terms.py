"""What the exchange changes about a market while we listen is followed without a restart."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from kraken_messages import book_text, instrument, instrument_text, ticker_text, trade_text

from streams.errors import FeedBroken
from streams.events import BookChanged, DayTold, Described, Trusted, Untrusted
from streams.feed import Feed

BOOK = {"bids": [("2.09000", "5.00000000")], "asks": [("2.10000", "7.50000000")]}
COARSER = {"bids": [("2.09", "5.00000000")], "asks": [("2.10", "7.50000000")]}


@pytest.fixture
def feed():
    one = Feed({"XRP/USD": instrument()}, heard=0.0)
    one.to_send()
    one.receive(book_text("snapshot", **BOOK), 0.1)
    one.receive(trade_text("snapshot", range(51, 101)), 0.1)
    return one


def test_a_market_is_described_when_it_is_news_and_others_are_not_ours(feed):
    first = feed.receive(instrument_text("snapshot", symbols=("ETH/USD", "XRP/USD")), 0.2)
    again = feed.receive(instrument_text("update"), 0.3)
    closed = feed.receive(instrument_text("update", status="cancel_only"), 0.4)

    assert first == [Described(instrument=instrument(), status="online")]
    assert again == []
    assert closed == [Described(instrument=instrument(), status="cancel_only")]
    assert feed.trusted("XRP/USD")


def test_a_market_that_is_not_listed_any_more_takes_no_orders(feed):
    events = feed.receive(instrument_text("snapshot", symbols=("ETH/USD",)), 0.2)

    assert events == [Described(instrument=instrument(), status="not listed")]


def test_an_update_about_other_markets_says_nothing_of_ours(feed):
    assert feed.receive(instrument_text("update", symbols=("ETH/USD",)), 0.2) == []


def test_other_minimums_are_told_and_the_book_goes_on(feed):
    (told,) = feed.receive(instrument_text("snapshot", minimum="9.5"), 0.2)

    assert told.instrument == instrument(quantity_min=Decimal("9.5"))
    assert feed.trusted("XRP/USD")


def test_a_book_whose_prices_get_other_decimals_is_read_anew(feed):
    told, lost = feed.receive(instrument_text("update", price_precision=2), 0.2)
    found = feed.receive(book_text("snapshot", price_decimals=2, **COARSER), 0.3)

    assert told.instrument == instrument(price_decimals=2)
    assert isinstance(lost, Untrusted)
    assert "decimals" in lost.reason
    assert [type(event) for event in found] == [BookChanged, Trusted]
    assert (found[0].bid, found[0].ask) == (Decimal("2.09"), Decimal("2.10"))


def test_a_description_that_cannot_be_breaks_the_feed(feed):
    with pytest.raises(FeedBroken, match="decimals out of range"):
        feed.receive(instrument_text("update", price_precision=99), 0.2)


def test_the_day_of_a_market_is_passed_on_with_its_time(feed):
    events = feed.receive(ticker_text(), 0.2)

    assert events == [
        DayTold(
            symbol="XRP/USD",
            last=Decimal("2.10000"),
            volume=Decimal("1500.25000000"),
            average=Decimal("2.08123"),
            low=Decimal("1.95000"),
            high=Decimal("2.20000"),
            at=datetime(2026, 1, 1, 12, 0, 1, 500_000, tzinfo=UTC),
        )
    ]


def test_an_older_ticker_without_a_time_is_told_at_the_time_we_know(feed):
    (told,) = feed.receive(ticker_text(at=None), 0.2)

    assert told.at == feed.exchange_time
