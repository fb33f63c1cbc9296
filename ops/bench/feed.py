"""How fast a book stream goes through parse, checksum, book and features, beside ccxt.pro."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.pro
from aiohttp import WSMessage, WSMsgType

from market.bars import BarBuilder
from market.features import Features
from market.instruments import Instrument
from ops.bench.blast import blasting
from ops.bench.exchange import listen, running
from ops.bench.figures import Figure
from streams.errors import FeedBroken
from streams.events import Traded, Untrusted
from streams.feed import Feed
from streams.stream import Disconnected, Stream

if TYPE_CHECKING:
    from ops.bench.figures import Plan

SYMBOLS = ["XRP/USD", "DOGE/USD"]
DECIMALS = {"XRP/USD": 5, "DOGE/USD": 7, "BTC/USD": 1}
MESSAGES, FEW = 20_000, 4_000
ROUNDS = 5
RATE, RATIO = 50_000, 10


def measure(plan: Plan) -> list[Figure]:
    """Time our feed and ccxt.pro's in turns on the same messages; the best round counts."""
    texts, source = stream(plan)
    ours, theirs = 0.0, 0.0
    for _ in range(2 if plan.quick else ROUNDS):
        ours = max(ours, len(texts) / _through_our_feed(texts))
        theirs = max(theirs, len(texts) / asyncio.run(_through_ccxt_pro(texts)))
    stream_rate, watch_rate, seen = _over_a_socket(texts, 1 if plan.quick else ROUNDS)
    return [
        Figure(
            name="book stream through parse, checksum, book, bars and features",
            value=ours,
            unit="messages/s",
            goal=RATE,
            how=f"{len(texts)} messages of {source} with {_levels(texts):.1f} levels in each of a "
            "book, by the time they took of a processor, the best of the rounds",
        ),
        Figure(
            name="as many times faster than ccxt.pro",
            value=ours / theirs,
            unit="times",
            goal=RATIO,
            how=f"the same messages in turns with ccxt.pro's own handlers, which made "
            f"{theirs:,.0f} messages/s with its checksum switched off, as it is by default",
        ),
        Figure(
            name="as many times faster than ccxt.pro over a socket",
            value=stream_rate / watch_rate,
            unit="times",
            goal=RATIO,
            how="the same messages from a websocket server of its own process: our Stream and Feed "
            f"took {stream_rate:,.0f} messages/s, every checksum verified; ccxt.pro's "
            f"watch_order_book_for_symbols {watch_rate:,.0f} messages/s, none verified, of which "
            f"its caller saw {seen:,} books",
        ),
    ]


def _over_a_socket(texts: list[str], rounds: int) -> tuple[float, float, int]:
    """Return messages a second of ours and of ccxt.pro's, and the books its caller saw."""
    ours = theirs = 0.0
    seen = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "messages"
        file.write_text("\n".join(texts))
        with blasting(file) as address:
            for _ in range(rounds):
                ours = max(ours, len(texts) / _through_our_stream(address))
                seconds, seen = asyncio.run(_through_watching(address))
                theirs = max(theirs, len(texts) / seconds)
    return ours, theirs, seen


def _through_our_stream(address: str) -> float:
    """Return the processor seconds our stream takes from connecting until the server has closed."""
    instruments = {symbol: instrument(symbol) for symbol in DECIMALS}
    events: Queue[object] = Queue()
    socket = Stream("public", address, lambda heard: Feed(instruments, heard), events)
    began = time.process_time()
    while not (events.queue and isinstance(events.queue[-1], Disconnected)):
        socket.turn()
    return time.process_time() - began


async def _through_watching(address: str) -> tuple[float, int]:
    """Return the processor seconds ccxt.pro takes until the end, and how many books it showed."""
    exchange = _ccxt_pro()
    exchange.urls["api"]["ws"]["publicV2"] = address
    seen, began = 0, time.process_time()
    try:
        while True:
            await exchange.watch_order_book_for_symbols(SYMBOLS, 10)
            seen += 1
    except ccxt.NetworkError:
        return time.process_time() - began, seen
    finally:
        await exchange.close()


def _levels(texts: list[str]) -> float:
    """Return how many levels a book message changes on average."""
    read = [json.loads(text) for text in texts]
    books = [m["data"] for m in read if m.get("channel") == "book" and "data" in m]
    rows = [row for rows in books for row in rows]
    return sum(len(row["bids"]) + len(row["asks"]) for row in rows) / max(1, len(books))


def stream(plan: Plan) -> tuple[list[str], str]:
    """Return messages of books and trades that begin with their snapshots, and whose they are."""
    if plan.recording is not None:
        return read(plan.recording.read_bytes()), plan.recording.name
    count = FEW if plan.quick else MESSAGES
    with running("--seed", str(plan.seed), "--speed", "600") as sandbox:
        return listen(sandbox, SYMBOLS, ["trade", "book"], count), "the sandbox at speed 600"


def read(content: bytes) -> list[str]:
    """Read JSON lines of messages, or one document that holds them at any depth."""
    lines = [line for line in content.splitlines() if line.strip()]
    try:
        found = [json.loads(line) for line in lines]
    except ValueError:
        found = [json.loads(content)]
    return [json.dumps(message) for message in _messages(found)]


def _messages(value: Any) -> list[Any]:
    if isinstance(value, dict):
        if "channel" in value:
            return [value]
        value = list(value.values())
    return [m for part in value for m in _messages(part)] if isinstance(value, list) else []


def _through_our_feed(texts: list[str]) -> float:
    """Return the processor seconds we take; raises FeedBroken if a checksum is wrong."""
    feed = Feed({symbol: instrument(symbol) for symbol in DECIMALS}, heard=0.0)
    bars = {symbol: BarBuilder(symbol, timedelta(minutes=1)) for symbol in DECIMALS}
    features = {symbol: Features() for symbol in DECIMALS}
    began = time.process_time()
    for text in texts:
        for event in feed.receive(text, 0.0):
            if isinstance(event, Traded):
                symbol = event.trade.symbol
                for bar in bars[symbol].add(event.trade):
                    features[symbol].update(bar)
            elif isinstance(event, Untrusted):
                raise FeedBroken(f"{event.symbol}: {event.reason}")
    return time.process_time() - began


async def _through_ccxt_pro(texts: list[str]) -> float:
    """Return the processor seconds ccxt.pro takes from text to its books and trades."""
    exchange = _ccxt_pro()
    client = exchange.client("ws://127.0.0.1/public/v2")
    try:
        began = time.process_time()
        for text in texts:
            client.handle_message(WSMessage(WSMsgType.TEXT, text, None))
        return time.process_time() - began
    finally:
        await exchange.close()


def _ccxt_pro() -> Any:
    """Return ccxt.pro's client, knowing our markets without asking for them."""
    exchange = ccxt.pro.kraken()
    exchange.set_markets(
        [
            {
                "id": symbol.replace("/", ""),
                "symbol": symbol,
                "base": symbol.split("/")[0],
                "quote": "USD",
                "type": "spot",
                "spot": True,
                "info": {"wsname": symbol},
                "precision": {"price": 10.0**-decimals, "amount": 1e-8},
                "limits": {},
            }
            for symbol, decimals in DECIMALS.items()
        ]
    )
    return exchange


def instrument(symbol: str) -> Instrument:
    """Return a market with the decimals it has at Kraken, and no minimums."""
    return Instrument(
        symbol=symbol,
        exchange_id=symbol,
        base=symbol.split("/", maxsplit=1)[0],
        quote="USD",
        price_decimals=DECIMALS[symbol],
        quantity_decimals=8,
        cost_decimals=8,
        quantity_min=Decimal(0),
        cost_min=Decimal(0),
        maker_fee=None,
        taker_fee=None,
    )
