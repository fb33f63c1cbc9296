"""Publication: from what happened on the exchange to the messages of every channel."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sandbox.book import Side, changes, checksum, crossed, level_text, shown
from sandbox.candles import candles, interval_begin
from sandbox.connection import Connection, Topic
from sandbox.instruments import ASSET_BY_ID, BY_SYMBOL, Pair
from sandbox.messages import candle_body, instrument_body, ticker_body, trades_text
from sandbox.notices import (
    balance_snapshot,
    entry_body,
    execution_body,
    order_snapshot,
    trade_snapshot,
)
from sandbox.orders import Event, LedgerEntry, Posted, Reported
from sandbox.tape import MINUTE_NS
from sandbox.wire import encode, long_stamp, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.venue import Venue

SNAPSHOT_FILLS = 50
QUIET_KINDS = {"new", "filled", "canceled", "expired", "trade"}


class Feeds:
    """Knows who listens to what, and what they have been told last."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._listeners: dict[Topic, set[Connection]] = defaultdict(set)
        self._books: dict[Topic, tuple[Side, Side]] = {}
        self._told: dict[str, int] = {}
        self._quotes: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}
        venue.listeners.append(self.publish)

    def join(self, connection: Connection, topic: Topic, *, snapshot: bool) -> None:
        """Subscribe a connection, beginning with a snapshot if wanted."""
        now = self._venue.clock.now()
        if topic.symbol:
            self._publish_market(BY_SYMBOL[topic.symbol], now)
            tape = self._venue.exchange.tapes[topic.symbol]
            tape.told = max(tape.told, self._told.setdefault(topic.symbol, tape.settled(now)))
        if topic.channel == "book":
            self._snapshot_book(connection, topic, now, snapshot=snapshot)
        elif snapshot and topic.channel in _SNAPSHOTS:
            connection.send(_SNAPSHOTS[topic.channel](self._venue, topic, now))
        self._listeners[topic].add(connection)
        connection.topics.add(topic)

    def leave(self, connection: Connection, topic: Topic) -> None:
        """Unsubscribe a connection."""
        connection.topics.discard(topic)
        self._listeners[topic].discard(connection)
        if not self._listeners[topic]:
            del self._listeners[topic]
            self._books.pop(topic, None)

    def drop(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        for topic in list(connection.topics):
            self.leave(connection, topic)

    def publish(self, events: list[Event], now: int) -> None:
        """Tell everyone what happened and what the market shows now."""
        for symbol in {topic.symbol for topic in self._listeners if topic.symbol}:
            self._publish_market(BY_SYMBOL[symbol], now)
        for event in events:
            self._publish_event(event)

    def _topics(self, channel: str, symbol: str) -> Iterator[Topic]:
        for topic in list(self._listeners):
            if topic.channel == channel and topic.symbol == symbol:
                yield topic

    def _send(self, topic: Topic, message: bytes) -> None:
        for connection in self._listeners.get(topic, ()):
            connection.send(message)

    def _publish_market(self, pair: Pair, now: int) -> None:
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
            self._publish_book(pair, topic, now)
        self._publish_ticker(pair, now, traded=bool(len(found.time)))
        if len(found.time):
            for topic in self._topics("ohlc", pair.symbol):
                self._publish_candles(pair, topic, int(found.time[0]), now)

    def _publish_book(self, pair: Pair, topic: Topic, now: int) -> None:
        depth = int(topic.detail)
        before = self._books[topic]
        after = shown(self._venue.exchange, pair, now, depth)
        taken = self._venue.faults.take(
            {"crossed_book"}, stamp(now), channel="book", symbol=pair.symbol
        )
        if taken is not None:
            after = crossed(*after)
        if before == after:
            return
        self._books[topic] = after
        bids = changes(before[0], after[0], depth, falling=True)
        asks = changes(before[1], after[1], depth, falling=False)
        self._send(topic, _book_text(pair, (bids, asks), after, now, "update"))

    def _snapshot_book(
        self, connection: Connection, topic: Topic, now: int, *, snapshot: bool
    ) -> None:
        pair = BY_SYMBOL[topic.symbol]
        held = self._books.get(topic)
        if held is None:
            held = shown(self._venue.exchange, pair, now, int(topic.detail))
            self._books[topic] = held
        if snapshot:
            connection.send(_book_text(pair, held, held, now, "snapshot"))

    def _publish_ticker(self, pair: Pair, now: int, *, traded: bool) -> None:
        topics = list(self._topics("ticker", pair.symbol))
        if not topics:
            return
        bids, asks = shown(self._venue.exchange, pair, now, 1)
        moved = self._quotes.get(pair.symbol) != (bids[0], asks[0])
        self._quotes[pair.symbol] = bids[0], asks[0]
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
                _send_private(connection, "executions", "update", [body])

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
            if wants["orders"]:
                orders = [order_snapshot(o) for o in exchange.open_orders(account)]
                _send_private(connection, channel, "snapshot", orders)
            if wants["trades"]:
                mine = [t for t in exchange.trades.values() if t.account == account]
                fills = [trade_snapshot(t) for t in mine[-SNAPSHOT_FILLS:]]
                if fills or not wants["orders"]:
                    _send_private(connection, channel, "snapshot", fills)
        topic = Topic(channel)
        self._listeners[topic].add(connection)
        connection.topics.add(topic)


def _send_private(connection: Connection, channel: str, kind: str, body: list[Any]) -> None:
    sequence = connection.next_sequence(channel)
    connection.send(encode({"channel": channel, "type": kind, "data": body, "sequence": sequence}))


def _book_text(
    pair: Pair, levels: tuple[Side, Side], after: tuple[Side, Side], now: int, kind: str
) -> bytes:
    bids, asks = (",".join(level_text(pair, level) for level in side) for side in levels)
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{pair.symbol}",'
        f'"bids":[{bids}],"asks":[{asks}],"checksum":{checksum(*after)},'
        f'"timestamp":"{stamp(now)}"}}]}}'
    ).encode()


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
    return encode(
        {"channel": "instrument", "type": "snapshot", "data": instrument_body(venue.mode)}
    )


_SNAPSHOTS = {"ticker": _ticker, "trade": _trade, "ohlc": _ohlc, "instrument": _instrument}
