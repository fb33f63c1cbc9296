"""The exchange's public history over REST: bars, trades, and its time. Needs no key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import ccxt

from market.bars import Bar
from market.errors import ExchangeRefused, ExchangeUnreachable, MarketError
from market.instruments import Side, Trade
from market.world import REAL, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from market.settings import PublicDataSettings

PAGE = 1000  # trades a request
Answer = TypeVar("Answer")
SIDES = {"b": Side.BUY, "s": Side.SELL}


class PublicData:
    """Ask the exchange what happened in its markets, no faster than it allows."""

    def __init__(self, settings: PublicDataSettings, *, world: World = REAL) -> None:
        self._world = world
        self._pause = settings.request_interval_seconds
        self._asked = float("-inf")
        self.requests = 0
        api = {"public": settings.rest_url, "private": settings.rest_url}
        self._client = ccxt.kraken(
            {
                "urls": {"api": api},
                "session": world.http(),
                "enableRateLimit": False,
                "timeout": 10_000,
            }
        )

    def now(self) -> datetime:
        """Return the exchange's time, to the second."""
        return self._ask(self._client.public_get_time, {}, lambda r: _moment(r["unixtime"]))

    def candles(self, symbol: str, interval: timedelta, since: datetime) -> list[Bar]:
        """Return the exchange's own bars from a moment on, the unfinished one included.

        It keeps the last 720 of each of its intervals only (market.kraken_history).
        """
        request = {
            "pair": symbol,
            "interval": int(interval.total_seconds() // 60),
            "since": int(since.timestamp()) - 1,
        }
        return self._ask(
            self._client.public_get_ohlc,
            request,
            lambda result: [_bar(symbol, interval, row) for row in _rows(result)],
        )

    def trades(self, symbol: str, since: int) -> tuple[list[Trade], int]:
        """Return up to PAGE trades after a moment, oldest first, and where to go on.

        Args:
            symbol: The market.
            since: Nanoseconds since 1970; the trades at that very moment may be left out.
        """
        request = {"pair": symbol, "since": str(since), "count": PAGE}
        return self._ask(
            self._client.public_get_trades,
            request,
            lambda result: ([_trade(symbol, row) for row in _rows(result)], int(result["last"])),
        )

    def _ask(
        self,
        call: Callable[[dict[str, Any]], Any],
        request: dict[str, Any],
        read: Callable[[Any], Answer],
    ) -> Answer:
        if (rest := self._asked + self._pause - self._world.monotonic()) > 0:
            self._world.sleep(rest)
        self._asked = self._world.monotonic()
        self.requests += 1
        try:
            answer = call(request)
        except ccxt.BaseError as error:
            raise _translated(error) from None
        if not isinstance(answer, dict) or "result" not in answer:
            raise ExchangeUnreachable("the exchange answered with something that is not JSON")
        try:
            return read(answer["result"])
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise ExchangeRefused(f"the exchange sent what makes no sense: {error}") from None


def _translated(error: ccxt.BaseError) -> MarketError:
    # ccxt calls some failed gateways (524) a refusal; only an answer has an error list.
    if isinstance(error, ccxt.NetworkError) or '"error"' not in str(error):
        return ExchangeUnreachable(f"the exchange did not answer: {error}")
    return ExchangeRefused(f"the exchange refused a question: {error}")


def _rows(result: dict[str, Any]) -> list[Any]:
    (rows,) = (value for key, value in result.items() if key != "last")
    return list(rows)


def _moment(seconds: str | float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def _bar(symbol: str, interval: timedelta, row: list[Any]) -> Bar:
    at, opened, high, low, close, _, volume, trades = row
    return Bar(
        symbol=symbol,
        interval=interval,
        start=_moment(at),
        open=Decimal(opened),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(close),
        volume=Decimal(volume),
        trades=int(trades),
    )


def _trade(symbol: str, row: list[Any]) -> Trade:
    price, quantity, at, side, _, _, trade_id = row
    return Trade(
        symbol=symbol,
        trade_id=int(trade_id),
        at=_moment(at),
        side=SIDES[side],
        price=Decimal(price),
        quantity=Decimal(quantity),
    )
