"""The exchange's market data protocol (WebSocket v2), without the network.

Text goes in with the time it arrived; market events come out. Text to send back is
collected for the caller. Nothing here opens a socket, sleeps or reads a clock, so a day
of recorded messages replays in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import msgspec

from market.instruments import Side, Trade
from streams import wire
from streams.errors import FeedBroken
from streams.events import (
    ClockAdvanced,
    MarketEvent,
    SystemStatus,
    Traded,
    TradesMissed,
    Trusted,
    Untrusted,
)
from streams.followed import Followed
from streams.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from market.instruments import Instrument

CHANNELS = ("trade", "book", "ticker", "instrument")
KINDS = {"snapshot", "update"}
SILENCE = 10.0  # seconds; the exchange sends a heartbeat every second
PATIENCE = 10.0  # seconds to wait for a snapshot that was asked for
PING_EVERY = 5.0  # seconds; a pong tells the exchange's time when nothing else does
LEAP = timedelta(hours=1)  # of the exchange's clock; bars would close that nobody has seen


@dataclass(slots=True)
class Feed:
    """Turn the exchange's public messages into events, for one connection.

    A feed starts out having heard the exchange at the moment it connected. A symbol
    whose book or trades do not add up is untrusted and subscribed anew; nonsense that
    concerns no single symbol breaks the feed. Once broken it stays broken: the caller
    reconnects with a new one, which it gives the last trade ids of the old.
    """

    instruments: Mapping[str, Instrument]
    heard: float
    depth: int = 10
    trade_ids: Mapping[str, int] = field(default_factory=dict)
    exchange_time: datetime | None = field(default=None, init=False)
    _markets: dict[str, Followed] = field(default_factory=dict, init=False)
    _outbox: list[str] = field(default_factory=list, init=False)
    _events: list[MarketEvent] = field(default_factory=list, init=False)
    _broken: bool = field(default=False, init=False)
    _pinged: float = field(default=0.0, init=False)
    _request: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._pinged = self.heard
        for symbol, instrument in self.instruments.items():
            self._markets[symbol] = Followed(
                instrument=instrument,
                depth=self.depth,
                tape=Tape(self.trade_ids.get(symbol)),
                waiting={"trade": self.heard, "book": self.heard},
            )
        for channel in CHANNELS:
            self._ask("subscribe", channel, list(self.instruments))

    def receive(self, text: str | bytes, at: float) -> list[MarketEvent]:
        """Take one message from the network and return the events it holds.

        Args:
            text: The message.
            at: When it arrived, in seconds of a clock that never goes back.

        Raises:
            FeedBroken: The message makes no sense, or a symbol cannot be mended.
        """
        if self._broken:
            self._break("already broken; reconnect with a new feed")
        self.heard = at
        try:
            message = wire.read(text)
            self._dispatch(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self._break(f"a message of no known shape: {text[:120]!r} ({error})")
        events, self._events = self._events, []
        return events

    def tick(self, now: float) -> None:
        """Break the feed if the exchange has been silent too long; else keep it awake.

        Raises:
            FeedBroken: Nothing was heard for SILENCE seconds, or a snapshot asked for
                did not come within PATIENCE.
        """
        if now - self.heard > SILENCE:
            self._break(f"silent for {now - self.heard:.0f} seconds")
        for market in self._markets.values():
            for channel, asked in market.waiting.items():
                if now - asked > PATIENCE:
                    self._break(f"no snapshot of {channel} {market.symbol} came")
        if now - self._pinged >= PING_EVERY:
            self._pinged = now
            self._outbox.append(wire.ping(self._next_request()))

    def to_send(self) -> list[str]:
        """Hand over the text waiting to be sent, oldest first."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def trusted(self, symbol: str) -> bool:
        """Whether the symbol's book is verified and its trades are without a hole."""
        return not self._broken and self._markets[symbol].trusted

    def last_trade_ids(self) -> dict[str, int]:
        """Return the last trade id seen of each symbol, for the feed that comes next."""
        tapes = {symbol: market.tape.last_id for symbol, market in self._markets.items()}
        return {symbol: last for symbol, last in tapes.items() if last is not None}

    def _dispatch(self, message: wire.Message) -> None:
        match message.channel:
            case channel if channel in CHANNELS:
                self._follow(message)
            case "heartbeat":
                pass
            case "status":
                self._events.extend(SystemStatus(status=x.system) for x in wire.statuses(message))
            case None:
                self._answer(message)
            case _:
                self._break(f"a message of a channel not asked for: {message.channel}")
        if message.time_out is not None:
            self._advance(message.time_out)

    def _follow(self, message: wire.Message) -> None:
        if message.type not in KINDS:
            self._break(f"a {message.channel} message of no known type: {message.type}")
        snapshot = message.type == "snapshot"
        match message.channel:
            case "book":
                self._book(wire.books(message), snapshot=snapshot)
            case "trade":
                self._trades(wire.trades(message), snapshot=snapshot)
            case "ticker":
                self._days(wire.tickers(message))
            case "instrument":
                self._terms(wire.pairs(message), snapshot=snapshot)

    def _answer(self, message: wire.Message) -> None:
        if message.method == "subscribe" and message.success is False:
            self._break(f"the exchange refused a subscription: {message.error}")
        if message.method is None:
            self._break(f"the exchange complains: {message.error or 'in no known words'}")

    def _book(self, updates: list[wire.BookUpdate], *, snapshot: bool) -> None:
        for update in updates:
            market = self._market(update.symbol)
            if snapshot:
                market.book.clear()
            elif "book" in market.waiting:
                continue
            wrong = market.book.follow(update.bids, update.asks, update.checksum)
            if wrong:
                self._distrust(market, "book", wrong)
                continue
            self._quote(market, update.timestamp)
            if snapshot:
                self._arrived(market, "book")

    def _quote(self, market: Followed, at: datetime | None) -> None:
        event = market.quote(at or self.exchange_time, self.heard)
        if event is not None:
            self._events.append(event)
        if at is not None:
            self._advance(at)

    def _trades(self, rows: list[wire.TradeRow], *, snapshot: bool) -> None:
        for symbol in dict.fromkeys(row.symbol for row in rows):
            found = [row for row in rows if row.symbol == symbol]
            market = self._market(symbol)
            if snapshot:
                found.sort(key=lambda row: row.trade_id)
            elif "trade" in market.waiting:
                continue
            if market.tape.fell_back(found[-1], asked_for="trade" in market.waiting):
                self._break(f"the trades of {symbol} are counted anew; restart the trader")
            if snapshot:
                self._report_hole(market, found[0].trade_id)
            whole = self._take(market, found)
            if not snapshot or self.exchange_time:  # old trades alone do not tell the time
                self._advance(max(row.timestamp for row in found))
            if snapshot and whole and "trade" in market.waiting:
                self._arrived(market, "trade")

    def _report_hole(self, market: Followed, first_id: int) -> None:
        known = market.tape.jump(first_id)
        if known is not None:
            missed = TradesMissed(symbol=market.symbol, after_id=known, before_id=first_id)
            self._events.append(missed)

    def _take(self, market: Followed, rows: list[wire.TradeRow]) -> bool:
        new, wrong = market.tape.follow(rows)
        self._events.extend(Traded(trade=self._trade(row)) for row in new)
        if wrong is not None:
            self._distrust(market, "trade", wrong)
        return wrong is None

    def _trade(self, row: wire.TradeRow) -> Trade:
        try:
            return Trade(
                symbol=row.symbol,
                trade_id=row.trade_id,
                at=row.timestamp,
                side=Side(row.side),
                price=row.price,
                quantity=row.qty,
            )
        except ValueError as error:
            self._break(f"trade {row.trade_id} of {row.symbol}: {error}")

    def _days(self, rows: list[wire.TickerRow]) -> None:
        for row in rows:
            market, at = self._market(row.symbol), row.timestamp or self.exchange_time
            if at is not None:
                self._events.append(market.day(row, at))

    def _terms(self, rows: list[wire.PairRow], *, snapshot: bool) -> None:
        told = {row.symbol: row for row in rows}
        for symbol, market in self._markets.items():
            if symbol not in told and not snapshot:
                continue
            book = market.book
            try:
                news = market.describe(told.get(symbol))
            except ValueError as error:
                self._break(f"the exchange describes {symbol} as no market: {error}")
            if news is not None:
                self._events.append(news)
            if market.book is not book:
                self._distrust(market, "book", "its prices or quantities have other decimals now")

    def _distrust(self, market: Followed, channel: str, reason: str) -> None:
        if not market.fails(channel, self.heard):
            self._break(f"{market.symbol} cannot be mended: {reason}")
        if market.trusted:
            market.trusted = False
            self._events.append(Untrusted(symbol=market.symbol, reason=reason))
        self._ask("unsubscribe", channel, [market.symbol])
        self._ask("subscribe", channel, [market.symbol])

    def _arrived(self, market: Followed, channel: str) -> None:
        market.waiting.pop(channel, None)
        if not market.waiting and not market.trusted:
            market.trusted = True
            self._events.append(Trusted(symbol=market.symbol))

    def _advance(self, at: datetime) -> None:
        known = self.exchange_time
        if known is not None and at - known > LEAP:
            self._break(f"the exchange's clock leapt from {known} to {at}")
        if known is None or at > known:
            self.exchange_time = at
            if known is None or at.replace(microsecond=0) > known:
                self._events.append(ClockAdvanced(at=at))

    def _market(self, symbol: str) -> Followed:
        market = self._markets.get(symbol)
        if market is None:
            self._break(f"a message of a symbol not asked for: {symbol}")
        return market

    def _ask(self, method: str, channel: str, symbols: list[str]) -> None:
        depth = self.depth if channel == "book" else None
        self._outbox.append(wire.request(method, channel, symbols, depth, self._next_request()))

    def _next_request(self) -> int:
        self._request += 1
        return self._request

    def _break(self, reason: str) -> NoReturn:
        self._broken = True
        raise FeedBroken(reason)
