"""Mutated messages: the feed is right, or breaks cleanly; never wrong, and never down.

What the feed makes of every message is compared with a second reading of it that shares no
code: the book kept as plain dictionaries, the checksum spelled as Kraken's guide does.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ops.bench.feed import DECIMALS, instrument, stream
from ops.bench.figures import Figure
from ops.bench.mutation import mutate
from streams.errors import FeedBroken
from streams.events import BookChanged, Traded
from streams.feed import Feed

if TYPE_CHECKING:
    from ops.bench.figures import Plan
    from streams.events import MarketEvent

MESSAGES, FEW = 1_000_000, 30_000
SOUND_BETWEEN = 3  # messages left whole between two mutated ones, on average
CALM = (0, 0, 2, 5, 30)  # messages before the first that may be mutated
TOP = 10


def measure(plan: Plan) -> list[Figure]:
    """Send mutated messages until as many as were asked for have been sent."""
    texts, source = stream(plan)
    count = plan.runs or (FEW if plan.quick else MESSAGES)
    found = fuzz(texts, count, plan.seed)
    how = (
        f"{count} mutated messages of {source} from seed {plan.seed}: {found['broken']} broke the "
        f"feed, {found['untrusted']} made a symbol untrusted, {found['taken']} were taken; another "
        "exception than FeedBroken would have ended the run"
    )
    return [
        Figure(
            name="messages that were taken for something else than they say",
            value=found["wrong"],
            unit="messages",
            goal=0,
            at_most=True,
            how=how,
        )
    ]


def fuzz(texts: list[str], count: int, seed: int) -> Counter[str]:
    """Feed the messages in turn, some mutated, and count what became of the mutated ones.

    Returns:
        How many `broken` the feed, made a symbol `untrusted`, were `taken`, and how many
        were `wrong`: what the feed said differs from what the second reading says.
    """
    random, found = Random(seed), Counter[str]()
    found.update(dict.fromkeys(("broken", "untrusted", "taken", "wrong"), 0))
    while found.total() - found["wrong"] < count:
        _follow(texts, random, found, count)
    return found


def _follow(texts: list[str], random: Random, found: Counter[str], count: int) -> None:
    """Follow the stream from its snapshots until the feed has lost it."""
    feed = Feed({symbol: instrument(symbol) for symbol in DECIMALS}, heard=0.0)
    feed.to_send()
    reading = Reading()
    calm = random.choice(CALM)
    for number, text in enumerate(texts):
        sent = text
        mutated = number >= calm and random.randrange(SOUND_BETWEEN + 1) == 0
        if mutated:
            sent = mutate(text, random)
        if found.total() - found["wrong"] >= count:
            return
        try:
            events = feed.receive(sent, 0.0)
        except FeedBroken:
            found["broken"] += mutated
            return
        if feed.to_send():  # it asks for a new snapshot
            found["untrusted"] += mutated
            return
        found["taken"] += mutated
        found["wrong"] += not reading.agrees(sent, events)


@dataclass
class Reading:
    """A second reading of the same messages, slow and plain."""

    books: dict[str, dict[str, dict[Decimal, Decimal]]] = field(default_factory=dict)
    trade_ids: dict[str, int] = field(default_factory=dict)

    def agrees(self, text: str, events: list[MarketEvent]) -> bool:
        """Tell whether the events are what the message says."""
        message = json.loads(text, parse_float=Decimal)
        changes = [event for event in events if isinstance(event, BookChanged)]
        trades = [event for event in events if isinstance(event, Traded)]
        updates = message.get("data", []) if message.get("channel") == "book" else []
        # Without any time known, the first books are taken in silence.
        shown: list[BookChanged | None] = [*changes, *[None] * (len(updates) - len(changes))]
        for update, event in zip(updates, shown, strict=True):
            self._take(update, snapshot=message["type"] == "snapshot")
            if not self._is_checked(update) or not (event is None or self._is_shown(event)):
                return False
        return self._trades_agree(message, trades)

    def _take(self, update: dict[str, Any], *, snapshot: bool) -> None:
        if snapshot:
            self.books[update["symbol"]] = {"bids": {}, "asks": {}}
        book = self.books.get(update["symbol"], {})
        for side, levels in book.items():
            levels.update((Decimal(row["price"]), Decimal(row["qty"])) for row in update[side])
            kept = sorted((p for p, q in levels.items() if q), reverse=side == "bids")[:TOP]
            book[side] = {price: levels[price] for price in kept}

    def _is_shown(self, event: BookChanged) -> bool:
        book = self.books[event.symbol]
        bid, ask = next(iter(book["bids"])), next(iter(book["asks"]))
        said = (event.bid, event.ask, event.bid_quantity, event.ask_quantity)
        return said == (bid, ask, book["bids"][bid], book["asks"][ask]) and bid < ask

    def _is_checked(self, update: dict[str, Any]) -> bool:
        book = self.books.get(update["symbol"])
        checksum = update["checksum"]
        return book is None or bool(_checksum(book, DECIMALS[update["symbol"]]) == checksum)

    def _trades_agree(self, message: dict[str, Any], trades: list[Traded]) -> bool:
        for event in trades:
            trade = event.trade
            known = self.trade_ids.get(trade.symbol)
            if known is not None and trade.trade_id != known + 1:
                return False
            self.trade_ids[trade.symbol] = trade.trade_id
            told = [Decimal(r["price"]) for r in message["data"] if r["trade_id"] == trade.trade_id]
            if trade.price not in told or trade.price * trade.quantity <= 0:
                return False
        return True


def _checksum(book: dict[str, dict[Decimal, Decimal]], decimals: int) -> int:
    levels = [level for side in ("asks", "bids") for level in book[side].items()]
    spelled = (f"{p:.{decimals}f} {q:.8f}".split() for p, q in levels)
    return crc32("".join(x.replace(".", "").lstrip("0") for pair in spelled for x in pair).encode())
