"""A market out of recorded websocket messages: our own log, or anybody's list of them."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.chronicle import Chronicle, prints_of
from sandbox.errors import BadStart
from sandbox.heardbook import HeardBook
from sandbox.replay import Replay
from sandbox.tidings import BookTold, CandleTold, Told, TradeTold, moment, read_message
from sandbox.told import ToldMarket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.market import Market
    from sandbox.synthetic import Synthetic

MICROSECOND = 1000
Message = dict[str, Any]
Key = tuple[int, str]


def is_log(path: str) -> bool:
    """Tell whether a file holds JSON rather than a table."""
    try:
        with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as file:
            return file.read(1024).lstrip()[:1] in {b"{", b"["}
    except OSError:
        return False


def read_recorded(path: str, rest: Synthetic) -> tuple[Market, int]:
    """Read a log as a market, and tell how many messages do not fit and are left out.

    Args:
        path: JSON lines or one JSON value, gzipped or not. Messages are looked for at any
            depth, also inside texts.
        rest: The market of all pairs the log says nothing about.
    """
    script = Script()
    try:
        for line in _lines(_text(path)):
            script.add(line)
        script.end()
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} cannot be replayed: {error}"
        raise BadStart(msg, 2) from error
    market = script.market(rest)
    if market is rest:
        msg = f"{path} cannot be replayed: it holds no book that fits its checksums, and no trades"
        raise BadStart(msg, 2)
    return market, script.left_out


def _text(path: str) -> str:
    try:
        if path.endswith(".gz"):
            with gzip.open(path, "rt") as file:
                return file.read()
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be replayed: {error}"
        raise BadStart(msg, 2) from error


def _lines(text: str) -> Iterator[Any]:
    """Read one JSON value, or one a line, of which the last may be cut off."""
    try:
        yield json.loads(text, parse_float=Decimal)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
    else:
        return
    for number, line in enumerate(lines, 1):
        try:
            read = json.loads(line, parse_float=Decimal)
        except ValueError:
            if number == len(lines) > 1:
                return
            raise
        yield read


def messages_in(value: Any) -> Iterator[Message]:
    """Find the messages in a JSON value, in the order in which they are written."""
    match value:
        case {"channel": str()} | {"method": str()}:
            yield value
        case dict():
            for inner in value.values():
                yield from messages_in(inner)
        case list():
            for inner in value:
                yield from messages_in(inner)
        case str() if value.startswith("{"):
            try:
                yield from messages_in(json.loads(value, parse_float=Decimal))
            except ValueError:
                return


class Script:
    """What is to be told, put together from the messages of any number of connections.

    Several may tell of the same book: the deepest that is in order is followed.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._books: dict[Key, HeardBook] = {}
        self._followed: dict[str, Key] = {}
        self._due: list[tuple[int, Told]] = []
        self._undated: list[tuple[int, Told]] = []
        self._trades: dict[str, dict[int, TradeTold]] = {}
        self._now: int | None = None

    def add(self, line: Any) -> None:
        """Read a line: of our own log, or whatever holds messages."""
        number, at = 0, None
        if isinstance(line, dict) and "time" in line and "channel" not in line:
            number, at = int(line.get("connection", 0)), moment(str(line["time"]))
            if "closed" in line:
                self._end(number, at)
            if "sent" not in line:
                return
            line = line["sent"]
        for message in messages_in(line):
            self._read(number, message, at)

    def _read(self, number: int, message: Message, at: int | None) -> None:
        if "method" in message:
            self._acknowledge(number, message, at)
            return
        try:
            found = read_message(message)
        except ValueError:
            self.left_out += 1
            return
        for told in found:
            if isinstance(told, CandleTold):
                continue
            time = told.time if told.time is not None else at
            if time is None:
                self._undated.append((number, told))
            else:
                self._date(time)
                self._tell(number, told, time)

    def _date(self, time: int) -> None:
        """Put what had no time just before what has one."""
        self._now = time if self._now is None else max(self._now, time)
        undated, self._undated = self._undated, []
        for place, (number, told) in enumerate(undated):
            self._tell(number, told, time - MICROSECOND * (len(undated) - place))

    def _tell(self, number: int, told: Told, at: int) -> None:
        match told:
            case BookTold():
                self._book((number, told.pair.symbol), told, at)
            case TradeTold():
                self._trades.setdefault(told.pair.symbol, {}).setdefault(told.identity, told)
            case _:
                self._due.append((at, told))

    def _book(self, key: Key, told: BookTold, at: int) -> None:
        book = self._books.setdefault(key, HeardBook())
        followed = self._followed.get(key[1])
        if not book.hear(told, at):
            self.left_out += 1
            if key == followed:
                self._follow_another(told, at)
            return
        deeper = followed is None or (book.depth or 0) > (self._books[followed].depth or 0)
        if key != followed and deeper:
            self._follow(key, told, at)
        elif key == followed:
            self._due.append((at, replace(told, depth=book.depth)))

    def _follow(self, key: Key, told: BookTold, at: int) -> None:
        book = self._books[key]
        self._followed[key[1]] = key
        whole = BookTold(
            told.pair, True, _plain(book.bids), _plain(book.asks), None, at, book.depth
        )
        self._due.append((at, whole))

    def _follow_another(self, told: BookTold, at: int) -> None:
        symbol = told.pair.symbol
        del self._followed[symbol]
        others = [key for key, book in self._books.items() if key[1] == symbol and book.valid]
        if others:
            self._follow(max(others, key=lambda key: self._books[key].depth or 0), told, at)

    def _acknowledge(self, number: int, message: Message, at: int | None) -> None:
        result = message.get("result")
        if not isinstance(result, dict) or result.get("channel") != "book":
            return
        key = number, str(result.get("symbol"))
        if message["method"] == "subscribe" and "depth" in result:
            self._books[key] = HeardBook(int(result["depth"]))
        elif message["method"] == "unsubscribe":
            self._leave(key, at)

    def _end(self, number: int, at: int) -> None:
        for key in [key for key in self._books if key[0] == number]:
            self._leave(key, at)

    def _leave(self, key: Key, at: int | None) -> None:
        self._books.pop(key, None)
        if self._followed.get(key[1]) == key:
            last = next(t for _, t in reversed(self._due) if t.pair.symbol == key[1])
            blank = BookTold(last.pair, True, (), (), None, at)
            self._follow_another(blank, self._now or 0 if at is None else at)

    def end(self) -> None:
        """Take note that there are no more messages."""
        if self._undated:
            self._date(0 if self._now is None else self._now + MICROSECOND * len(self._undated))

    def market(self, base: Synthetic) -> Market:
        """Make a market of it: of trades alone a book is made up, as for a file of trades."""
        rest: Synthetic | Replay = base
        booked = {told.pair.symbol for _, told in self._due if isinstance(told, BookTold)}
        for symbol, trades in self._trades.items():
            ordered = [trades[identity] for identity in sorted(trades)]
            if symbol in booked:
                self._due.extend((told.time, told) for told in ordered)
            else:
                rest = _replayed(rest, ordered)
        due = [(at, told) for at, told in self._due if told.pair.symbol in booked]
        due.sort(key=lambda item: item[0])
        return _told(rest, booked, due) if booked else rest


def _plain(rows: list[tuple[int, int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((price, lots) for price, lots, _ in rows)


def _replayed(rest: Synthetic | Replay, trades: list[TradeTold]) -> Replay:
    evened: list[TradeTold] = []
    for told in trades:
        after = evened[-1].time + 1 if evened else 0
        evened.append(replace(told, time=max(told.time, after)))
    return Replay(rest, trades[0].pair, prints_of(evened))


def _told(rest: Market, booked: set[str], due: list[tuple[int, Told]]) -> ToldMarket:
    firsts: dict[str, tuple[int, BookTold]] = {}
    for at, told in due:
        if isinstance(told, BookTold):
            firsts.setdefault(told.pair.symbol, (at, told))
    begins = min(at for at, _ in firsts.values())
    chronicles = {symbol: Chronicle() for symbol in sorted(booked)}
    for symbol, (_, told) in firsts.items():
        chronicles[symbol].hear(told, begins)
    return ToldMarket(rest, chronicles, min(begins, due[0][0]), begins, due)
