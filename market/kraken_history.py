"""Kraken's public history as a provider: its own candles while it has them, trades before.

Bars are built from the exchange's trades, which tell who came to buy, with the builder the
live trader uses. Only recent bars of a quarter of an hour and more come from the exchange's
own candles, since their trades would take thousands of requests.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from market.bars import BarBuilder, interval_start
from market.providers import Page, from_trades, without_holes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.instruments import Trade
    from market.providers import Provider, Wanted
    from market.public_data import PublicData

CANDLE_MINUTES = frozenset({1, 5, 15, 30, 60, 240, 1440, 10080})
CANDLES = 720  # the exchange keeps no more, and the last of them is unfinished
SHORTEST_CANDLE = timedelta(minutes=15)
SETTLING = timedelta(seconds=2)  # the exchange's history may lag its trading a little


def provider(data: PublicData, now: datetime) -> Provider:
    """Return what yields a market's bars, from trades or candles by their age at `now`.

    Raises, as it is asked:
        ExchangeUnreachable: The exchange does not answer; ask again later.
        ExchangeRefused: The exchange does not know the market.
    """

    def pages(wanted: Wanted) -> Iterator[Page]:
        kept_since, close = candles_since(wanted.interval, now), wanted.close
        if wanted.start < kept_since:
            older = min(wanted.end, kept_since)
            builder = BarBuilder(wanted.symbol, wanted.interval, begin=wanted.start, close=close)
            trades = _pages(data, wanted.symbol, wanted.start, older)
            for bars in from_trades(builder, trades, older):
                yield Page(bars, "trades")
            close = builder.close
        if wanted.end > kept_since:
            newer = max(wanted.start, kept_since)
            candles = data.candles(wanted.symbol, wanted.interval, newer)
            yield Page(without_holes(candles, newer, wanted.end, close), "candles")

    return pages


def candles_since(interval: timedelta, now: datetime) -> datetime:
    """Return from when on the exchange's own candles of this length are used; maybe never."""
    short = interval < SHORTEST_CANDLE or bool(interval % timedelta(minutes=1))
    if short or interval // timedelta(minutes=1) not in CANDLE_MINUTES:
        return datetime.max.replace(tzinfo=UTC)
    return interval_start(now, interval) - (CANDLES - 2) * interval


def _pages(data: PublicData, symbol: str, start: datetime, end: datetime) -> Iterator[list[Trade]]:
    cursor, last_id = int(start.timestamp()) * 1_000_000_000 - 1, -1
    while True:
        trades, following = data.trades(symbol, cursor)
        found = bool(trades) and trades[-1].trade_id > last_id
        if found:
            yield trades
            last_id = trades[-1].trade_id
        if not trades or trades[-1].at >= end or (following <= cursor and not found):
            return
        # Trades of one instant may be split between two pages: go back by the smallest
        # step, since the builder takes every id once, unless that brought nothing new.
        cursor = following - 1 if found else following
