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


def checksum(levels, price_decimals=5):
    """Return the checksum of a book spelt as price and quantity texts."""
    book = Book(price_decimals=price_decimals, quantity_decimals=8)
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


def book_text(
    kind,
    *,
    bids=(),
    asks=(),
    after=None,
    at="2026-01-01T12:00:00.5Z",
    wrong=0,
    price_decimals=5,
):
    """Spell a book message; `after` is the whole book after it, for the checksum."""
    after = after or {"bids": bids, "asks": asks}
    spell = {
        side: "[" + ",".join(f'{{"price":{p},"qty":{q}}}' for p, q in rows) + "]"
        for side, rows in {"bids": bids, "asks": asks}.items()
    }
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"XRP/USD",'
        f'"bids":{spell["bids"]},"asks":{spell["asks"]},'
        f'"checksum":{checksum(after, price_decimals) + wrong},"timestamp":"{at}"}}]}}'
    )


def trade_text(kind, ids, *, price="2.10000", at="2026-01-01T12:00:00.5Z"):
    """Spell a message of trades with these ids."""
    rows = ",".join(
        f'{{"symbol":"XRP/USD","side":"buy","price":{price},"qty":1.00000000,'
        f'"ord_type":"limit","trade_id":{n},"timestamp":"{at}"}}'
        for n in ids
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'


def instrument_text(
    kind, *, symbols=("XRP/USD",), status="online", price_precision=5, minimum="1.65000000"
):
    """Spell a message of the instrument channel that describes these symbols."""
    pairs = ",".join(
        f'{{"symbol":"{symbol}","base":"{symbol[:3]}","quote":"USD","status":"{status}",'
        f'"qty_precision":8,"qty_increment":0.00000001,"qty_min":{minimum},'
        f'"price_precision":{price_precision},"price_increment":0.00001,"tick_size":0.00001,'
        f'"cost_precision":8,"cost_min":0.50,"marginable":true,"has_index":true}}'
        for symbol in symbols
    )
    assets = '{"id":"USD","status":"enabled","precision":4,"precision_display":2}'
    return (
        f'{{"channel":"instrument","type":"{kind}",'
        f'"data":{{"assets":[{assets}],"pairs":[{pairs}]}}}}'
    )


def ticker_text(*, at="2026-01-01T12:00:01.5Z"):
    """Spell a ticker message of XRP/USD; without a time, as before 2025."""
    timestamp = "" if at is None else f',"timestamp":"{at}"'
    return (
        '{"channel":"ticker","type":"update","data":[{"symbol":"XRP/USD","bid":2.09000,'
        '"bid_qty":5.00000000,"ask":2.10000,"ask_qty":7.50000000,"last":2.10000,'
        '"volume":1500.25000000,"vwap":2.08123,"low":1.95000,"high":2.20000,'
        f'"change":0.05000,"change_pct":2.44{timestamp}}}]}}'
    )
