"""How fast a book stream goes through parse, checksum, book and features, beside ccxt.pro."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt.pro
from aiohttp import WSMessage, WSMsgType

from ops.bench.exchange import listen, running
from ops.bench.figures import Figure
from trader.bars import BarBuilder
from trader.errors import FeedBroken
from trader.events import Traded, Untrusted
from trader.features import Features
from trader.feed import Feed
from trader.market import Instrument

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
    return [
        Figure(
            name="book stream through parse, checksum, book, bars and features",
            value=ours,
            unit="messages/s",
            goal=RATE,
            how=f"{len(texts)} messages of {source}, one core, best of the rounds",
        ),
        Figure(
            name="as many times faster than ccxt.pro",
            value=ours / theirs,
            unit="times",
            goal=RATIO,
            how=f"the same messages in turns with ccxt.pro's own handlers, which made "
            f"{theirs:,.0f} messages/s with its checksum switched off, as it is by default",
        ),
    ]


def stream(plan: Plan) -> tuple[list[str], str]:
    """Return messages of books and trades that begin with their snapshots, and whose they are."""
    if plan.recording is not None:
        return read(plan.recording.read_bytes()), plan.recording.name
    count = FEW if plan.quick else MESSAGES
    with running("--seed", str(plan.seed), "--speed", "60") as sandbox:
        return listen(sandbox, SYMBOLS, ["trade", "book"], count), "the sandbox at speed 60"


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
    """Return the seconds our feed, bars and features take; FeedBroken if a checksum is wrong."""
    feed = Feed({symbol: instrument(symbol) for symbol in DECIMALS}, heard=0.0)
    bars = {symbol: BarBuilder(symbol, timedelta(minutes=1)) for symbol in DECIMALS}
    features = {symbol: Features() for symbol in DECIMALS}
    began = time.perf_counter()
    for text in texts:
        for event in feed.receive(text, 0.0):
            if isinstance(event, Traded):
                symbol = event.trade.symbol
                for bar in bars[symbol].add(event.trade):
                    features[symbol].update(bar)
            elif isinstance(event, Untrusted):
                raise FeedBroken(f"{event.symbol}: {event.reason}")
    return time.perf_counter() - began


async def _through_ccxt_pro(texts: list[str]) -> float:
    """Return the seconds ccxt.pro takes from text to its books and trades."""
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
    client = exchange.client("ws://127.0.0.1/public/v2")
    try:
        began = time.perf_counter()
        for text in texts:
            client.handle_message(WSMessage(WSMsgType.TEXT, text, None))
        return time.perf_counter() - began
    finally:
        await exchange.close()


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
