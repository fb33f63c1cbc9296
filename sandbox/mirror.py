"""A market that is another exchange's: what its public data say, as they say it.

While the source is away, or one of its books does not fit its checksum, the exchange takes no
orders (mode `cancel_only`); what is shown is what was known last, and nothing is filled until
more is told.
"""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp

from sandbox.candles import DAY_MINUTES, INTERVALS, WIDE
from sandbox.chronicle import Chronicle
from sandbox.errors import BadStart
from sandbox.instruments import PAIRS, Pair
from sandbox.source import Reader, Source, SourceAway
from sandbox.tidings import BookTold, CandleTold, Told, TradeTold, read_message
from sandbox.told import ToldMarket

if TYPE_CHECKING:
    from sandbox.candles import Candle
    from sandbox.market import Market
    from sandbox.venue import Venue

DEPTH = 500
SILENCE_SECONDS = 10.0
CLOSE_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SKEW_SECONDS = 10
LARGEST_MESSAGE = 1 << 24
MICROSECOND = 1000
DAY_NS = 86_400 * 10**9
WRONG = (SourceAway, ValueError, LookupError, TypeError)
LOST = (*WRONG, aiohttp.ClientError, OSError, TimeoutError)


class Mirror:
    """Keeps a market like its source's for as long as the exchange runs.

    `holds` tells whether it is this that keeps the exchange from taking orders.
    """

    def __init__(self, source: Source, rest: Market) -> None:
        self.source = source
        self.market = ToldMarket(rest, {pair.symbol: Chronicle() for pair in PAIRS}, 0)
        self._fresh: set[str] = set()
        self._online = True
        self.holds = True
        self._pause = FIRST_PAUSE_SECONDS
        self._early: dict[tuple[str, int], dict[int, Candle]] = {}
        self._waiting: dict[str, list[TradeTold]] = {}

    async def begin(self, now: int) -> None:
        """Learn the present book and the latest trades of every pair.

        Raises:
            BadStart: The source does not answer, keeps another time or lists other pairs.
        """
        try:
            async with aiohttp.ClientSession() as session:
                reader = Reader(session, self.source)
                await self._compare(reader, now)
                for pair in PAIRS:
                    chronicle = self.market.chronicles[pair.symbol]
                    for told in await reader.trades(pair):
                        chronicle.hear(told, told.time)
                    chronicle.hear(await reader.book(pair), now)
        except WRONG as error:
            msg = f"{self.source.rest} cannot be mirrored: {error}"
            raise BadStart(msg, 2) from error
        hours = [chronicle.listed for chronicle in self.market.chronicles.values()]
        self.market.listed = min([*hours, now])

    async def _compare(self, reader: Reader, now: int) -> None:
        skew = int((await reader.ask("Time"))["unixtime"]) - now // 10**9
        if abs(skew) > SKEW_SECONDS:
            msg = f"its clock is {skew} seconds off this one's"
            raise ValueError(msg)
        for pair in PAIRS:
            (listed,) = (await reader.ask("AssetPairs", pair=pair.symbol)).values()
            digits = int(listed["pair_decimals"]), int(listed["lot_decimals"])
            if digits != (pair.price_decimals, pair.lot_decimals):
                msg = f"it writes {pair.symbol} with other decimals: {digits}"
                raise ValueError(msg)

    async def run(self, venue: Venue) -> None:
        """Follow the source until cancelled, coming back whenever it was away."""
        while True:
            try:
                async with aiohttp.ClientSession() as session:
                    await self._follow(session, venue)
            except LOST as error:
                _say(f"the mirror lost {self.source.socket}: {error!r}")
            self._fresh.clear()
            self._waiting.clear()
            self._judge(venue)
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    async def _follow(self, session: aiohttp.ClientSession, venue: Venue) -> None:
        reader = Reader(session, self.source)
        ws = await self._connect(session, _subscriptions())
        listening: list[asyncio.Task[None]] = []
        gathering: asyncio.Task[None] | None = None
        try:
            while True:
                await self._hear(ws, reader, venue, await _receive(ws))
                for listener in listening:
                    if listener.done():
                        listener.result()
                if not self.holds and gathering is None:
                    self._pause = FIRST_PAUSE_SECONDS
                    listening = [asyncio.create_task(self._listen(session, i)) for i in INTERVALS]
                    gathering = asyncio.create_task(self._gather_candles(reader, venue.clock.now()))
        finally:
            tasks = [*listening, *([] if gathering is None else [gathering])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await ws.close()

    async def _connect(
        self, session: aiohttp.ClientSession, subscriptions: list[dict[str, Any]]
    ) -> aiohttp.ClientWebSocketResponse:
        ws = await session.ws_connect(
            self.source.socket,
            max_msg_size=LARGEST_MESSAGE,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )
        for subscription in subscriptions:
            await ws.send_json({"method": "subscribe", "params": subscription})
        return ws

    async def _listen(self, session: aiohttp.ClientSession, interval: int) -> None:
        """Hear the candles of an interval; Kraken tells of one on a connection."""
        symbols = [pair.symbol for pair in PAIRS]
        wanted = {"channel": "ohlc", "symbol": symbols, "interval": interval, "snapshot": False}
        ws = await self._connect(session, [wanted])
        try:
            while True:
                message = await _receive(ws)
                for told in read_message(message) if isinstance(message, dict) else ():
                    if isinstance(told, CandleTold):
                        self._hear_candle(told.pair, told.interval, told.candle)
        finally:
            await ws.close()

    async def _hear(
        self, ws: aiohttp.ClientWebSocketResponse, reader: Reader, venue: Venue, message: Any
    ) -> None:
        if not isinstance(message, dict):
            return
        if message.get("channel") == "status":
            self._online = message["data"][0].get("system") == "online"
        for told in read_message(message):
            match told:
                case BookTold():
                    await self._hear_book(ws, told, venue.clock.now())
                case TradeTold():
                    self._waiting.setdefault(told.pair.symbol, []).append(told)
                case _:
                    self._tell(told, venue.clock.now())
        for symbol in list(self._waiting):
            await self._hear_trades(reader, venue, symbol)
        self._judge(venue)

    def _tell(self, told: Told, at: int) -> bool:
        return self.market.chronicles[told.pair.symbol].hear(told, at)

    async def _hear_book(
        self, ws: aiohttp.ClientWebSocketResponse, told: BookTold, at: int
    ) -> None:
        symbol = told.pair.symbol
        if not told.snapshot and symbol not in self._fresh:
            return  # of a book that went wrong nothing is believed until it is told anew
        if self._tell(told, at):
            self._fresh.add(symbol)
            return
        self._fresh.discard(symbol)
        for method in ("unsubscribe", "subscribe"):
            params = {"channel": "book", "symbol": [symbol], "depth": DEPTH}
            await ws.send_json({"method": method, "params": params})

    async def _hear_trades(self, reader: Reader, venue: Venue, symbol: str) -> None:
        """Take note of new trades, and ask for those that were missed."""
        told = self._waiting.pop(symbol)
        last = self.market.chronicles[symbol].last
        if last is not None:
            told = [trade for trade in told if trade.identity > last.identity]
            if told and told[0].identity > last.identity + 1:
                since = last.time // MICROSECOND * MICROSECOND - MICROSECOND
                told = await reader.trades(told[0].pair, since) + told
        for trade in sorted(told, key=lambda trade: trade.identity):
            self._tell(trade, venue.clock.now())

    def _hear_candle(self, pair: Pair, interval: int, candle: Candle) -> None:
        given = self.market.chronicles[pair.symbol].given
        if interval == DAY_MINUTES:
            given.today = candle
        if interval not in given.candles:
            self._early.setdefault((pair.symbol, interval), {})[candle.begin] = candle
        else:
            self._tell(CandleTold(pair, interval, candle), 0)

    async def _gather_candles(self, reader: Reader, now: int) -> None:
        """Learn today's and the narrow candles, behind the backs of those who trade."""
        try:
            for pair in PAIRS:
                given = self.market.chronicles[pair.symbol].given
                today = await reader.today(pair, now // DAY_NS * DAY_NS)
                if given.today is None or not _newer(given.today, today):
                    given.today = today
            for interval in INTERVALS:
                for pair in PAIRS:
                    if interval < WIDE:
                        await self._learn_candles(reader, pair, interval)
                    else:
                        self.market.chronicles[pair.symbol].given.candles.pop(interval, None)
        except WRONG as error:
            _say(f"the mirror lacks candles: {error!r}")

    async def prepare(self, pair: Pair, interval: int) -> None:
        """Ask for the candles of a wide interval if they are not known; they may take a while."""
        if interval in self.market.chronicles[pair.symbol].given.candles:
            return
        try:
            async with aiohttp.ClientSession() as session:
                await self._learn_candles(Reader(session, self.source), pair, interval)
        except WRONG as error:
            _say(f"the mirror lacks candles: {error!r}")

    async def _learn_candles(self, reader: Reader, pair: Pair, interval: int) -> None:
        rows = {row.begin: row for row in await reader.candles(pair, interval)}
        given = self.market.chronicles[pair.symbol].given
        early = self._early.pop((pair.symbol, interval), {})
        for begin, row in (given.candles.get(interval, {}) | early).items():
            if begin not in rows or _newer(row, rows[begin]):
                rows[begin] = row
        given.candles[interval] = rows

    def _judge(self, venue: Venue) -> None:
        """Take orders only while every book is known to be right."""
        right = self._online and len(self._fresh) == len(self.market.chronicles)
        if right and self.holds:
            self.holds = False
            if venue.mode == "cancel_only":
                venue.mode = "online"
        elif not right and venue.mode == "online":
            self.holds = True
            venue.mode = "cancel_only"


async def _receive(ws: aiohttp.ClientWebSocketResponse) -> Any:
    message = await ws.receive(SILENCE_SECONDS)
    if message.type != aiohttp.WSMsgType.TEXT:
        msg = f"the source has closed with {ws.close_code}"
        raise SourceAway(msg)
    return json.loads(message.data, parse_float=Decimal)


def _newer(one: Candle, other: Candle) -> bool:
    return (one.begin, one.count) > (other.begin, other.count)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - to whoever runs the exchange


def _subscriptions() -> list[dict[str, Any]]:
    symbols = [pair.symbol for pair in PAIRS]
    return [
        {"channel": "trade", "symbol": symbols, "snapshot": True},
        {"channel": "ticker", "symbol": symbols},
        {"channel": "book", "symbol": symbols, "depth": DEPTH},
    ]
