"""Another Kraken-speaking exchange as a source of public data: its addresses and its answers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import aiohttp

from sandbox.candles import Candle
from sandbox.errors import BadStart
from sandbox.tidings import SECOND_NS, BookTold, TradeTold, lots_of, ticks_of

if TYPE_CHECKING:
    from sandbox.instruments import Pair

KRAKEN = "api.kraken.com"
KRAKEN_WS = "wss://ws.kraken.com/v2"
PATIENCE_SECONDS = 10.0
TRIES = 6
DEPTH_MOST = 500
TOO_OFTEN = ("Rate limit", "Too many requests")


class SourceAway(Exception):
    """The source does not answer, or not as Kraken would."""


@dataclass(frozen=True)
class Source:
    """Where the source is: the base of its REST addresses, and its websocket."""

    rest: str
    socket: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `URL`, or `URL,WEBSOCKET_URL`.

        Raises:
            BadStart: One of them is no such address.
        """
        rest, _, told = text.partition(",")
        parts = urlsplit(rest)
        derived = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}/v2"
        socket = told or (KRAKEN_WS if parts.hostname == KRAKEN else derived)
        schemes = parts.scheme, urlsplit(socket).scheme
        if schemes[0] not in {"http", "https"} or schemes[1] not in {"ws", "wss"}:
            msg = f"a mirror needs an address such as http://127.0.0.1:8765, not {text}"
            raise BadStart(msg, 2)
        return cls(rest.rstrip("/"), socket)


class Reader:
    """Asks the source for public data over REST."""

    def __init__(self, session: aiohttp.ClientSession, source: Source) -> None:
        self._session = session
        self._source = source

    async def ask(self, method: str, **query: str) -> dict[str, Any]:
        """Ask a public method and give its result; wait and ask again if it was too often.

        Raises:
            SourceAway: There is no answer, or it is an error.
        """
        address = f"{self._source.rest}/0/public/{method}"
        patience = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        for attempt in range(TRIES):
            try:
                async with self._session.get(address, params=query, timeout=patience) as answer:
                    body = json.loads(await answer.text(), parse_float=Decimal)
                errors, result = body["error"], body.get("result")
            except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
                msg = f"{address} does not answer as Kraken would: {error!r}"
                raise SourceAway(msg) from error
            if not errors and isinstance(result, dict):
                return result
            if not any(words in str(errors) for words in TOO_OFTEN):
                break
            await asyncio.sleep(2**attempt)
        msg = f"{address} refuses: {errors}"
        raise SourceAway(msg)

    async def book(self, pair: Pair) -> BookTold:
        """Ask for a pair's book. Its quantities are rounded, as REST has them."""
        (book,) = (await self.ask("Depth", pair=pair.symbol, count=str(DEPTH_MOST))).values()
        sides = []
        for side in ("bids", "asks"):
            rows = [(ticks_of(row[0], pair), lots_of(row[1], pair)) for row in book[side]]
            sides.append(tuple(row for row in rows if row[1] > 0))
        return BookTold(pair, True, sides[0], sides[1], None, None)

    async def trades(self, pair: Pair, since: int | None = None) -> list[TradeTold]:
        """Ask for the latest trades, or for all that are later than a moment in ns."""
        found: list[TradeTold] = []
        while True:
            query = {} if since is None else {"since": str(since)}
            result = await self.ask("Trades", pair=pair.symbol, **query)
            rows = next(value for name, value in result.items() if name != "last")
            found += [_trade(pair, row) for row in rows]
            if since is None or not rows or int(result["last"]) <= since:
                return found
            since = int(result["last"])

    async def today(self, pair: Pair, midnight: int) -> Candle:
        """Ask for the candle of the day that began at midnight."""
        (row,) = (await self.ask("Ticker", pair=pair.symbol)).values()
        return Candle(
            begin=midnight,
            open=ticks_of(row["o"], pair),
            high=ticks_of(row["h"][0], pair),
            low=ticks_of(row["l"][0], pair),
            close=ticks_of(row["c"][0], pair),
            average=float(row["p"][0]) * 10**pair.price_decimals,
            volume=lots_of(row["v"][0], pair),
            count=int(row["t"][0]),
        )

    async def candles(self, pair: Pair, interval: int) -> list[Candle]:
        """Ask for candles, the last of them unfinished."""
        result = await self.ask("OHLC", pair=pair.symbol, interval=str(interval))
        rows = next(value for name, value in result.items() if name != "last")
        return [_candle(pair, row) for row in rows]


def _trade(pair: Pair, row: list[Any]) -> TradeTold:
    return TradeTold(
        pair,
        int(Decimal(row[2]) * SECOND_NS),
        ticks_of(row[0], pair),
        lots_of(row[1], pair),
        row[3] == "b",
        row[4] == "m",
        int(row[6]),
    )


def _candle(pair: Pair, row: list[Any]) -> Candle:
    return Candle(
        begin=int(row[0]) * SECOND_NS,
        open=ticks_of(row[1], pair),
        high=ticks_of(row[2], pair),
        low=ticks_of(row[3], pair),
        close=ticks_of(row[4], pair),
        average=float(row[5]) * 10**pair.price_decimals,
        volume=lots_of(row[6], pair),
        count=int(row[7]),
    )
