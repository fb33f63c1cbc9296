"""Whatever was taken out of the book, it is shown as deep as was asked for."""

from decimal import Decimal

import numpy as np

from sandbox.book import best, crossed, merged, shown
from sandbox.exchange import Exchange
from sandbox.instruments import BY_SYMBOL
from sandbox.messages import ticker_body
from sandbox.orders import OrderRequest
from sandbox.synthetic import Synthetic
from sandbox.wire import raw

XRP = BY_SYMBOL["XRP/USD"]
NOW = 1_772_361_000_000_000_000


def open_exchange():
    exchange = Exchange(Synthetic(7, 0.0), 1)
    exchange.time = NOW
    exchange.deposit("main", "ZUSD", Decimal(10_000_000), NOW)
    return exchange


def buy(exchange, quantity):
    request = OrderRequest(symbol="XRP/USD", side="buy", ordertype="market", quantity=quantity)
    return exchange.place("main", request, NOW)


def test_levels_behind_those_that_are_gone_are_shown():
    exchange = open_exchange()
    _, before = shown(exchange, XRP, NOW, 30)
    bought = buy(exchange, sum(level[1] for level in before[:12]))
    _, after = shown(exchange, XRP, NOW, 10)
    _, ask = best(exchange, XRP, NOW)
    times = np.array([NOW, NOW], np.int64)

    assert bought.status == "closed"
    assert after == before[12:22]
    assert ask == before[12]
    assert merged(exchange, XRP, times, 10)[1] == [after, after]


def test_a_side_where_everything_was_taken_has_no_volume():
    exchange = open_exchange()
    for offer in exchange.liquidity["XRP/USD"].side(NOW, 2000, asks=True):
        exchange.liquidity["XRP/USD"].take(offer, offer.lots, asks=True)
    bid, ask = best(exchange, XRP, NOW)
    bids, asks = crossed(*shown(exchange, XRP, NOW, 10))

    assert ask[1] == 0 < bid[1]
    assert (len(bids), asks) == (10, [])
    assert ticker_body(exchange, XRP, NOW)["ask_qty"] == raw("0.00000000")
