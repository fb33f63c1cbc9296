"""Nobody is ever told of a bid at or above an ask, however the market runs into clients' orders."""

import pytest

from sandbox.book import checksum
from sandbox.history import Span
from sandbox.instruments import BY_SYMBOL

STEPS = 400
XRP = BY_SYMBOL["XRP/USD"]


def told(message, book):
    """Apply one book message, and give both sides as (ticks, lots), best first."""
    (body,) = message["data"]
    for side in ("bids", "asks"):
        if message["type"] == "snapshot":
            book[side] = {}
        for level in body[side]:
            ticks, lots = round(level["price"] * 10**5), round(level["qty"] * 10**8)
            book[side][ticks] = lots
            if not lots:
                del book[side][ticks]
    sides = sorted(book["bids"].items(), reverse=True)[:10], sorted(book["asks"].items())[:10]
    book["bids"], book["asks"] = map(dict, sides)
    assert checksum(*sides) == body["checksum"]
    return sides


@pytest.mark.parametrize("mode", ["online", "maintenance", "post_only"])
def test_the_book_is_never_crossed(floor, mode):
    token, caller, listener = floor.token(), floor.enter(), floor.enter()
    book, crossings, seen = {}, [], 0
    listener.ask("subscribe", channel="book", symbol=["XRP/USD"], depth=10)
    told(listener.news[-1], book)
    terms = {"symbol": "XRP/USD", "order_type": "limit", "order_qty": 10}
    for step in range(STEPS):
        floor.venue.mode = "online" if step % 40 == 0 else mode
        bid, ask = floor.venue.exchange.market.touch(XRP, floor.venue.sync())
        if step % 40 == 0:
            for side, ticks in (("buy", bid - 20), ("sell", ask + 20)):
                price = ticks / 10**5
                caller.ask("add_order", token=token, side=side, limit_price=price, **terms)
        floor.advance(5)
        floor.pulse(float(step))
        for message in listener.read():
            if message.get("channel") == "book":
                bids, asks = told(message, book)
                seen += 1
                if bids[0][0] >= asks[0][0]:
                    crossings.append((step, bids[0], asks[0]))
    account = floor.key.account
    fills = floor.venue.past.trades(account, Span(), 0).count

    assert seen > STEPS
    assert fills > 0
    assert crossings == []
