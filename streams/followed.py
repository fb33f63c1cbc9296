"""One symbol as a connection follows it: its terms, book and trades, and whether to trust them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streams.book import Book
from streams.events import BookChanged, DayTold, Described, OneSided

if TYPE_CHECKING:
    from datetime import datetime

    from market.instruments import Instrument
    from streams.tape import Tape
    from streams.wire import PairRow, TickerRow

ATTEMPTS = 3  # times a symbol may be subscribed anew before the connection is given up
UNLISTED = "not listed"  # the status of a symbol that the exchange does not describe
FORGIVEN = 60.0  # seconds after which a symbol's failures no longer count


@dataclass(slots=True)
class Followed:
    """What is known of one symbol; it is trusted while nothing that was asked for is waited for.

    `waiting` says of a channel when its snapshot was asked for, in seconds of the clock that
    `heard` is told by.
    """

    instrument: Instrument
    depth: int
    tape: Tape
    waiting: dict[str, float]
    trusted: bool = False
    status: str | None = None
    book: Book = field(init=False)
    _failures: int = field(default=0, init=False)
    _failed: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.book = self._new_book()

    @property
    def symbol(self) -> str:
        """Return the market's name."""
        return self.instrument.symbol

    def fails(self, channel: str, heard: float) -> bool:
        """Wait for another snapshot of the channel; tell whether there is still hope for one."""
        recent = heard - self._failed < FORGIVEN
        self._failures, self._failed = self._failures + 1 if recent else 1, heard
        self.waiting[channel] = heard
        return self._failures <= ATTEMPTS

    def quote(self, at: datetime | None, heard: float) -> BookChanged | OneSided | None:
        """Return the book's best prices; None where nobody has told the time yet."""
        bid, ask = self.book.best_bid, self.book.best_ask
        if bid is None or ask is None:
            return OneSided(symbol=self.symbol)
        if at is None:
            return None
        bid_depth, ask_depth = self.book.values
        return BookChanged(
            symbol=self.symbol,
            bid=bid[0],
            ask=ask[0],
            bid_quantity=bid[1],
            ask_quantity=ask[1],
            bid_depth=bid_depth,
            ask_depth=ask_depth,
            at=at,
            heard=heard,
        )

    def day(self, row: TickerRow, at: datetime) -> DayTold:
        """Return what a ticker says."""
        return DayTold(
            symbol=self.symbol,
            last=row.last,
            volume=row.volume,
            average=row.vwap,
            low=row.low,
            high=row.high,
            at=at,
        )

    def describe(self, row: PairRow | None) -> Described | None:
        """Take in what the exchange says of the symbol; return it if that is news.

        A book whose numbers have other decimals now is empty until its next snapshot.

        Args:
            row: The description; None where a list of all symbols leaves this one out.

        Raises:
            ValueError: It cannot be a market.
        """
        before, status = self.instrument, UNLISTED if row is None else row.status
        if row is not None:
            self.instrument = replace(
                before,
                price_decimals=row.price_precision,
                quantity_decimals=row.qty_precision,
                cost_decimals=row.cost_precision,
                quantity_min=row.qty_min,
                cost_min=row.cost_min,
            )
        if _steps(self.instrument) != _steps(before):
            self.book = self._new_book()
        if (self.instrument, status) == (before, self.status):
            return None
        self.status = status
        return Described(instrument=self.instrument, status=status)

    def _new_book(self) -> Book:
        return Book(
            price_decimals=self.instrument.price_decimals,
            quantity_decimals=self.instrument.quantity_decimals,
            depth=self.depth,
        )


def _steps(instrument: Instrument) -> tuple[int, int]:
    return instrument.price_decimals, instrument.quantity_decimals
