"""A client that keeps order books and believes no checksum it has not computed itself."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from zlib import crc32

import aiohttp
import msgspec

CHECKED = 10
PONG = '{"method":"pong"'


class Level(msgspec.Struct):
    """A level as it was spelled, so that not a digit is lost."""

    price: msgspec.Raw
    qty: msgspec.Raw


class Body(msgspec.Struct):
    """What a message says about one book."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    checksum: int


class BookMessage(msgspec.Struct):
    """A message of the channel `book`."""

    channel: str
    type: str
    data: list[Body]


def digits(number: msgspec.Raw) -> bytes:
    """Spell a number as the checksum wants it: no point, no leading zeros.

    Examples:
        >>> digits(msgspec.Raw(b"0.0210500"))
        b'210500'
    """
    return bytes(number).replace(b".", b"").lstrip(b"0")


@dataclass
class Book:
    """The levels of one book by the digits of their prices."""

    depth: int
    bids: dict[int, bytes] = field(default_factory=dict)
    asks: dict[int, bytes] = field(default_factory=dict)

    def apply(self, body: Body) -> bool:
        """Take in a message and tell whether the checksum is right."""
        self.bids = self._side(self.bids, body.bids, falling=True)
        self.asks = self._side(self.asks, body.asks, falling=False)
        best = [*list(self.asks.items())[:CHECKED], *list(self.bids.items())[:CHECKED]]
        text = b"".join([b"%d%s" % level for level in best])
        return crc32(text) == body.checksum

    def _side(
        self, side: dict[int, bytes], levels: list[Level], *, falling: bool
    ) -> dict[int, bytes]:
        if not levels:
            return side
        for level in levels:
            price, quantity = int(digits(level.price)), digits(level.qty)
            if quantity:
                side[price] = quantity
            else:
                side.pop(price, None)
        return {price: side[price] for price in sorted(side, reverse=falling)[: self.depth]}


@dataclass
class Heard:
    """What a reader has heard: book messages, those that were wrong, bytes, and how long."""

    messages: int = 0
    wrong: int = 0
    size: int = 0
    seconds: float = 0.0
    cut: bool = False

    @property
    def rate(self) -> float:
        """Messages in a second."""
        return self.messages / self.seconds


class Reader:
    """One websocket that listens to the books of several markets."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, depth: int) -> None:
        self._socket = socket
        self._depth = depth
        self._books: dict[str, Book] = {}
        self._decode = msgspec.json.Decoder(BookMessage).decode

    async def subscribe(self, symbols: list[str]) -> None:
        """Ask for the books and wait for the snapshots."""
        asked = {"channel": "book", "symbol": symbols, "depth": self._depth}
        await self._socket.send_str(json.dumps({"method": "subscribe", "params": asked}))
        while len(self._books) < len(symbols):
            self._hear(Heard(), await self._socket.receive_str())

    async def read(self, *, messages: int, seconds: float) -> Heard:
        """Read so many messages, or as long as that, or until a client too slow is cut off."""
        heard, began = Heard(), time.perf_counter()
        while heard.messages < messages:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                heard.cut = True
                break
            self._hear(heard, message.data)
            if heard.messages % 256 == 0 and time.perf_counter() - began > seconds:
                break
        heard.seconds = time.perf_counter() - began
        return heard

    async def drain(self) -> int:
        """Read everything that was sent until now, and count it."""
        heard = Heard()
        await self._socket.send_str('{"method":"ping"}')
        while True:
            text = await self._socket.receive_str()
            if text.startswith(PONG):
                return heard.messages
            self._hear(heard, text)

    def _hear(self, heard: Heard, text: str) -> None:
        if not text.startswith('{"channel":"book"'):
            return
        message = self._decode(text)
        heard.messages += 1
        heard.size += len(text)
        for body in message.data:
            if message.type == "snapshot":
                self._books[body.symbol] = Book(self._depth)
            heard.wrong += not self._books[body.symbol].apply(body)
