"""Publication: from what happened on the exchange to the messages of every channel."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sandbox.book import best
from sandbox.bookfeed import BookFeed, Strikes
from sandbox.candles import candles, interval_begin
from sandbox.connection import Connection, Topic
from sandbox.history import Span
from sandbox.instruments import ASSET_BY_ID, BY_SYMBOL, Pair
from sandbox.messages import candle_body, instrument_text, ticker_body, trades_text
from sandbox.notices import (
    balance_snapshot,
    entry_body,
    execution_body,
    order_snapshot,
    trade_snapshot,
)
from sandbox.orders import Event, LedgerEntry, Posted, Reported
from sandbox.tape import MINUTE_NS
from sandbox.wire import encode, long_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.venue import Venue

QUIET_KINDS = {"new", "filled", "canceled", "expired", "trade"}


class Feeds:
    """Knows who listens to what, and what they have been told last."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._listeners: dict[Topic, dict[Connection, None]] = defaultdict(dict)
        self._books: dict[Topic, BookFeed] = {}
        self._told: dict[str, int] = {}
        self._quotes: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}
        venue.listeners.append(self.publish)
        venue.exchange.witness = self.unroll

    def join(self, connection: Connection, topic: Topic, *, snapshot: bool) -> None:
        """Subscribe a connection, beginning with a snapshot if wanted."""
        now = self._venue.clock.now()
        if topic.symbol:
            self._publish_market(BY_SYMBOL[topic.symbol], now, changed=False)
            tape = self._venue.exchange.tapes[topic.symbol]
            tape.told = max(tape.told, self._told.setdefault(topic.symbol, tape.settled(now)))
        if topic.channel == "book":
            if topic not in self._books:
                exchange, pair = self._venue.exchange, BY_SYMBOL[topic.symbol]
                self._books[topic] = BookFeed(exchange, pair, int(topic.detail), now)
            if snapshot:
                connection.send(self._books[topic].snapshot(now))
        elif snapshot and topic.channel in _SNAPSHOTS:
            connection.send(_SNAPSHOTS[topic.channel](self._venue, topic, now))
        self._listeners[topic][connection] = None
        connection.topics.add(topic)

    def leave(self, connection: Connection, topic: Topic) -> None:
        """Unsubscribe a connection."""
        connection.topics.discard(topic)
        self._listeners[topic].pop(connection, None)
        if not self._listeners[topic]:
            del self._listeners[topic]
            self._books.pop(topic, None)

    def drop(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        for topic in list(connection.topics):
            self.leave(connection, topic)

    def publish(self, events: list[Event], now: int) -> None:
        """Tell everyone what happened and what the market shows now."""
        traded = {event.order.symbol for event in events if isinstance(event, Reported)}
        for symbol in sorted({topic.symbol for topic in self._listeners if topic.symbol}):
            self._publish_market(BY_SYMBOL[symbol], now, changed=symbol in traded)
        for event in events:
            self._publish_event(event)

    def tell_mode(self) -> None:
        """Tell those who listen to the instruments that the status of the pairs has changed."""
        self._send(Topic("instrument"), instrument_text(self._venue.mode, "update"))

    def _topics(self, channel: str, symbol: str) -> Iterator[Topic]:
        for topic in list(self._listeners):
            if topic.channel == channel and topic.symbol == symbol:
                yield topic

    def _send(self, topic: Topic, message: bytes) -> None:
        for connection in self._listeners.get(topic, ()):
            connection.send(message)

    def _publish_market(self, pair: Pair, now: int, *, changed: bool) -> None:
        told = self._told.get(pair.symbol)
        if told is None:
            return
        tape = self._venue.exchange.tapes[pair.symbol]
        until = tape.settled(now)
        found = tape.between(told, until)
        self._told[pair.symbol] = tape.told = max(told, until)
        if len(found.time):
            for topic in self._topics("trade", pair.symbol):
                self._send(topic, trades_text(pair, found, "update"))
        for topic in self._topics("book", pair.symbol):
            self._publish_book(topic, now, changed=changed)
        self._publish_ticker(pair, now, traded=bool(len(found.time)))
        if len(found.time):
            for topic in self._topics("ohlc", pair.symbol):
                self._publish_candles(pair, topic, int(found.time[0]), now)

    def unroll(self, pair: Pair, until: int) -> None:
        """Tell how the book changed up to a moment, before clients' orders change it, too."""
        for topic in self._topics("book", pair.symbol):
            for message in self._books[topic].unroll(until, self._crossing(pair)):
                self._send(topic, message)

    def _publish_book(self, topic: Topic, now: int, *, changed: bool) -> None:
        pair, book = BY_SYMBOL[topic.symbol], self._books[topic]
        strikes = self._crossing(pair)
        for message in book.unroll(now, strikes):
            self._send(topic, message)
        if changed or book.mends or self._venue.faults.waiting:
            for message in book.refresh(now, strikes):
                self._send(topic, message)

    def _crossing(self, pair: Pair) -> Strikes | None:
        """Give what tells whether a fault wants the book crossed, if any fault waits."""
        faults = self._venue.faults

        def strikes(now: int) -> bool:
            taken = faults.take({"crossed_book"}, now, channel="book", symbol=pair.symbol)
            return taken is not None

        return strikes if faults.waiting else None

    def _publish_ticker(self, pair: Pair, now: int, *, traded: bool) -> None:
        topics = list(self._topics("ticker", pair.symbol))
        if not topics:
            return
        quote = best(self._venue.exchange, pair, now)
        moved = self._quotes.get(pair.symbol) != quote
        self._quotes[pair.symbol] = quote
        for topic in topics:
            if traded if topic.detail == "trades" else moved:
                self._send(topic, _ticker(self._venue, topic, now, "update"))

    def _publish_candles(self, pair: Pair, topic: Topic, since: int, now: int) -> None:
        interval = int(topic.detail)
        first = interval_begin(since, interval)
        rows = (interval_begin(now, interval) - first) // (interval * MINUTE_NS) + 1
        for candle in candles(self._venue.exchange.tapes[pair.symbol], interval, now, rows):
            if candle.count and candle.begin >= first:
                body = [candle_body(pair, candle, interval)]
                self._send(topic, _ohlc_text(body, now, "update"))

    def _publish_event(self, event: Event) -> None:
        match event:
            case Reported():
                self._publish_report(event)
            case Posted(entry):
                self._publish_entry(entry)

    def _publish_report(self, event: Reported) -> None:
        body = execution_body(event)
        for connection in list(self._listeners.get(Topic("executions"), ())):
            if connection.accounts.get("executions") != event.order.account:
                continue
            if connection.plain_statuses or event.kind in QUIET_KINDS:
                told = body | (self._rate(event) if connection.tells_rate else {})
                _send_private(connection, "executions", "update", [told])

    def _rate(self, event: Reported) -> dict[str, int]:
        limits, order = self._venue.limits, event.order
        return {"ratecount": limits.told(order.account, order.symbol, event.time)}

    def _publish_entry(self, entry: LedgerEntry) -> None:
        for connection in list(self._listeners.get(Topic("balances"), ())):
            if connection.accounts.get("balances") == entry.account:
                _send_private(connection, "balances", "update", [entry_body(entry)])

    def join_private(
        self, connection: Connection, channel: str, account: str, wants: dict[str, bool]
    ) -> None:
        """Subscribe a connection to an account's orders or balances."""
        connection.accounts[channel] = account
        connection.sequences[channel] = 0
        exchange = self._venue.exchange
        if channel == "balances":
            if wants["snapshot"]:
                body = balance_snapshot(exchange.accounts.of(account), ASSET_BY_ID)
                _send_private(connection, channel, "snapshot", body)
        else:
            connection.plain_statuses = wants["order_status"]
            connection.tells_rate = wants["ratecounter"]
            if wants["orders"]:
                orders = [order_snapshot(o) for o in exchange.open_orders(account)]
                _send_private(connection, channel, "snapshot", orders)
            if wants["trades"]:
                mine = self._venue.past.trades(account, Span(), 0).rows
                fills = [trade_snapshot(trade) for trade in reversed(mine)]
                if fills or not wants["orders"]:
                    _send_private(connection, channel, "snapshot", fills)
        topic = Topic(channel)
        self._listeners[topic][connection] = None
        connection.topics.add(topic)


def _send_private(connection: Connection, channel: str, kind: str, body: list[Any]) -> None:
    sequence = connection.next_sequence(channel)
    connection.send(encode({"channel": channel, "type": kind, "data": body, "sequence": sequence}))


def _ohlc_text(body: list[Any], now: int, kind: str) -> bytes:
    return encode({"channel": "ohlc", "type": kind, "timestamp": long_stamp(now), "data": body})


def _ticker(venue: Venue, topic: Topic, now: int, kind: str = "snapshot") -> bytes:
    pair = BY_SYMBOL[topic.symbol]
    body = ticker_body(venue.exchange, pair, now)
    return encode({"channel": "ticker", "type": kind, "data": [body]})


def _trade(venue: Venue, topic: Topic, now: int) -> bytes:
    pair = BY_SYMBOL[topic.symbol]
    tape = venue.exchange.tapes[pair.symbol]
    return trades_text(pair, tape.latest(tape.settled(now), 50), "snapshot")


def _ohlc(venue: Venue, topic: Topic, now: int) -> bytes:
    pair, interval = BY_SYMBOL[topic.symbol], int(topic.detail)
    made = candles(venue.exchange.tapes[pair.symbol], interval, now)
    return _ohlc_text([candle_body(pair, c, interval) for c in made if c.count], now, "snapshot")


def _instrument(venue: Venue, _topic: Topic, _now: int) -> bytes:
    return instrument_text(venue.mode, "snapshot")


_SNAPSHOTS = {"ticker": _ticker, "trade": _trade, "ohlc": _ohlc, "instrument": _instrument}
