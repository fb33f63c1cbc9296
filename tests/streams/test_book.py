"""The book reproduces the exchange's checksums, official and recorded."""

import json
from decimal import Decimal

import msgspec
import pytest
from kraken_messages import recorded

from streams.book import Book
from streams.wire import BookLevel, BookUpdate

# The worked example of docs.kraken.com, guides/spot-ws-book-v2.
ASKS = """45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911
45290.2 0.15890660 45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000
45297.5 0.09945542 45299.5 0.18772827"""
BIDS = """45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000
45280.3 1.54592586 45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000
45277.3 1.54602737 45276.6 0.15445238"""


def levels(text):
    numbers = [Decimal(x) for x in text.split()]
    return [BookLevel(p, q) for p, q in zip(numbers[::2], numbers[1::2], strict=True)]


def a_book(depth=10):
    return Book(price_decimals=1, quantity_decimals=8, depth=depth)


def test_the_exchanges_worked_example_gives_its_checksum():
    book = a_book()

    book.apply(levels(BIDS), levels(ASKS))

    assert book.checksum() == 3310070434
    assert book.best_bid == (Decimal("45283.5"), Decimal("0.10000000"))
    assert str(book.best_ask[1]) == "0.00100000"


def test_every_known_vector_gives_its_checksum():
    for vector in json.loads(recorded("book_checksum_vectors.json").read_text()):
        book = Book(
            price_decimals=vector["price_precision"], quantity_decimals=vector["qty_precision"]
        )

        book.apply(
            *(levels(" ".join(p for row in vector[s] for p in row)) for s in ("bids", "asks"))
        )

        assert book.checksum() == vector["checksum"], vector["name"]


def test_a_recorded_stream_verifies_to_its_last_update():
    class Stream(msgspec.Struct):
        init: dict[str, msgspec.Raw]
        updates: list[dict[str, msgspec.Raw]]

    stream = msgspec.json.decode(
        recorded("python-kraken-sdk/orderbook-v2.json").read_bytes(), type=Stream
    )
    book = a_book()

    for message in [stream.init, *stream.updates]:
        (update,) = msgspec.json.decode(message["data"], type=list[BookUpdate])
        book.apply(update.bids, update.asks)
        assert book.checksum() == update.checksum
        assert not book.crossed

    assert len(stream.updates) == 509


def test_a_level_is_replaced_and_taken_away_in_the_order_of_the_message():
    book = a_book()
    book.apply(levels("10.0 1 9.0 1"), levels("11.0 1"))

    book.apply(levels("10.0 2 10.0 0 9.0 3 8.0 0"), [])

    assert book.best_bid == (Decimal("9.0"), Decimal(3))


def test_levels_beyond_the_depth_fall_off_and_do_not_come_back():
    book = a_book(depth=2)
    book.apply(levels("10.0 1 9.0 1 8.0 1"), levels("11.0 1 12.0 1 13.0 1"))

    book.apply(levels("10.0 0 9.0 0"), levels("11.0 0 12.0 0"))

    assert book.best_bid is None
    assert book.best_ask is None


def test_bids_that_meet_asks_are_a_crossed_book():
    book = a_book()

    book.apply(levels("10.0 1"), levels("10.0 1"))

    assert book.crossed


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1E+400", "10.05"])
def test_an_impossible_price_is_refused(price):
    with pytest.raises((ValueError, ArithmeticError)):
        a_book().apply([BookLevel(Decimal(price), Decimal(1))], [])
