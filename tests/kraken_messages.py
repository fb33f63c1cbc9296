"""Messages as the exchange spells them, and where recorded ones lie."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from market.instruments import Instrument
from streams.book import Book
from streams.wire import BookUpdate

RECORDED = Path(__file__).parents[2] / "shared" / "fixtures" / "kraken"


def instrument(**changes):
    """Return XRP/USD as Kraken describes it, with some things changed."""
    known = {
        "symbol": "XRP/USD",
        "exchange_id": "XXRPZUSD",
        "base": "XRP",
        "quote": "USD",
        "price_decimals": 5,
        "quantity_decimals": 8,
        "cost_decimals": 8,
        "quantity_min": Decimal("1.65"),
        "cost_min": Decimal("0.5"),
        "maker_fee": Decimal("0.004"),
        "taker_fee": Decimal("0.008"),
    }
    return Instrument(**known | changes)


def recorded(name):
    """Return the path of a recorded file, or skip the test that wants it."""
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"recorded messages are not here: {path}")
    return path


def checksum(levels):
    """Return the checksum of a book spelt as price and quantity texts."""
    book = Book(price_decimals=5, quantity_decimals=8)
    text = json.dumps(
        {
            "symbol": "XRP/USD",
            "checksum": 0,
            **{side: [{"price": p, "qty": q} for p, q in levels[side]] for side in levels},
        }
    )
    update = msgspec.json.decode(text, type=BookUpdate)
    book.apply(update.bids, update.asks)
    return book.checksum()


def book_text(kind, *, bids=(), asks=(), after=None, at="2026-01-01T12:00:00.5Z", wrong=0):
    """Spell a book message; `after` is the whole book after it, for the checksum."""
    after = after or {"bids": bids, "asks": asks}
    spell = {
        side: "[" + ",".join(f'{{"price":{p},"qty":{q}}}' for p, q in rows) + "]"
        for side, rows in {"bids": bids, "asks": asks}.items()
    }
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"XRP/USD",'
        f'"bids":{spell["bids"]},"asks":{spell["asks"]},'
        f'"checksum":{checksum(after) + wrong},"timestamp":"{at}"}}]}}'
    )


def trade_text(kind, ids, *, price="2.10000", at="2026-01-01T12:00:00.5Z"):
    """Spell a message of trades with these ids."""
    rows = ",".join(
        f'{{"symbol":"XRP/USD","side":"buy","price":{price},"qty":1.00000000,'
        f'"ord_type":"limit","trade_id":{n},"timestamp":"{at}"}}'
        for n in ids
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'
