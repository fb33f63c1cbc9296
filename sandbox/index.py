"""The index price: a market's own price, smoothed, so that no single trade can move it.

Kraken's index weighs several exchanges. Here there is one, so the index is the average of the
middle between its best bid and ask over the last minute; fills of clients do not enter it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sandbox.instruments import Pair
    from sandbox.market import Ints, Market

WINDOW_NS = 60_000_000_000


def index_series(market: Market, pair: Pair, after: int, until: int) -> tuple[Ints, Ints]:
    """Give the moments at which the index may change in an interval, and its price in ticks.

    Args:
        market: Where the quotes come from.
        pair: The market.
        after: The end of the time before the interval, in ns.
        until: The end of the interval.
    """
    quotes = market.stretch(pair, after - WINDOW_NS, until)
    sums = np.concatenate([[0], np.cumsum(quotes.bid + quotes.ask)])
    place = np.flatnonzero(quotes.time > after)
    first = np.searchsorted(quotes.time, quotes.time[place] - WINDOW_NS, side="right")
    count = place + 1 - first
    # The mean of (bid + ask) / 2, halves rounded up, in whole numbers.
    price = (sums[place + 1] - sums[first] + count) // (2 * count)
    return quotes.time[place], price


def index_price(market: Market, pair: Pair, now: int) -> int:
    """Give the index at a moment, in ticks."""
    _, price = index_series(market, pair, now - WINDOW_NS, now)
    return int(price[-1]) if len(price) else sum(market.touch(pair, now)) // 2
