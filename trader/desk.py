"""One market's live state: its bars, features, models and the latest quote.

Nothing here reads a clock or opens anything; the shell feeds it and writes down what
it returns. A desk is cold until its features have been warmed on an unbroken run of bars
that ends just before the first bar it sees complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from market.bars import BarBuilder
from market.features import Features
from market.instruments import Quote
from serving.events import PRODUCTION, ModelEvent, ModelLoaded, ModelWithdrawn
from serving.roster import Roster
from streams.events import BookChanged, Described, OneSided, TradesMissed, Trusted, Untrusted
from trader.sizing import Volatility

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from decimal import Decimal

    from numpy.typing import NDArray

    from market.bars import Bar
    from market.instruments import Beside, Instrument, Trade
    from streams.events import MarketNews


WATCHED = "watched only"
ONLINE = "online"  # the status in which everything is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one model made of one bar."""

    model: ModelLoaded
    probability: float
    row: NDArray[np.float64]


@dataclass(slots=True)
class Desk:
    """Everything the live process knows about one market between two bars."""

    instrument: Instrument
    interval: timedelta
    traded: bool = True  # else its bars are kept for the features of others
    builder: BarBuilder = field(init=False)
    features: Features | None = None
    volatility: Volatility = field(default_factory=Volatility)
    quote: Quote | None = None
    bid_depth: Decimal | None = None
    ask_depth: Decimal | None = None
    heard: float | None = None  # when the quote came, on our monotonic clock
    trusted: bool = False
    status: str = ONLINE  # in the exchange's words; an order is taken only in some
    roster: Roster = field(init=False)
    last_bar: Bar | None = None
    leading: Score | None = None  # what the model in production made of the last bar
    worked: str | None = None  # an order that rests for the last bar's decision
    last_word: str = "waiting for the first bar"
    doubtful: datetime | None = None  # when a trade was made that its bar on record misses

    def __post_init__(self) -> None:
        self.builder = BarBuilder(self.symbol, self.interval)
        self.roster = Roster(symbol=self.symbol)

    @property
    def symbol(self) -> str:
        """Return the market's name."""
        return self.instrument.symbol

    def without_a_score(self) -> str:
        """Say why no model in production scored the last bar."""
        if not self.traded:
            return WATCHED
        return "warming up" if PRODUCTION in self.roster.models else "no production model"

    def needs_warming(self, bar: Bar) -> bool:
        """Tell whether the features have not seen the bar just before this one."""
        return (
            self.features is None
            or self.last_bar is None
            or self.last_bar.start + self.interval != bar.start
        )

    def warm(self, bars: Iterable[tuple[Bar, Beside]]) -> None:
        """Start the features afresh from bars in order, oldest first, and what was beside them.

        The features count their own warm-up from the last hole in the bars.
        """
        self.features, self.last_bar = Features(), None
        self.volatility = Volatility()
        for bar, beside in bars:
            self.features.update(bar, beside)
            self.volatility.update(float(bar.close))
            self.last_bar = bar

    def hear(self, change: BookChanged) -> None:
        """Take in the book's best prices and depth."""
        self.quote = Quote(symbol=self.symbol, at=change.at, bid=change.bid, ask=change.ask)
        self.bid_depth, self.ask_depth = change.bid_depth, change.ask_depth
        self.heard = change.heard

    def add(self, trade: Trade) -> list[Bar]:
        """Take a trade and return the bars that ended before it.

        One that comes after its bar has closed makes the bar doubtful, and the features cold:
        the exchange's own history has both right.
        """
        late = self.builder.late
        closed = self.builder.add(trade)
        if self.builder.late > late:
            self.doubtful = min(trade.at, self.doubtful or trade.at)
            self.cool()
            self.last_word = f"a trade of {trade.at:%H:%M:%S} came after its bar had closed"
        return closed

    def learn(self, event: MarketNews) -> None:
        """Take in what the exchange says of the market beside its trades."""
        match event:
            case BookChanged():
                self.hear(event)
            case OneSided():
                self.quote = None
            case Described(instrument=instrument, status=status):
                self.instrument, self.status = instrument, status
            case Trusted():
                self.trusted = True
            case Untrusted(reason=reason):
                self.trusted, self.last_word = False, f"not trusted: {reason}"
            case TradesMissed():
                self.cool()

    def cool(self) -> None:
        """Forget the features; the next complete bar warms them again."""
        self.features = None

    def adopt(self, event: ModelEvent) -> None:
        """Score with a model from the next bar on, or without one, or say why one was refused.

        What is still being done about the last bar goes on as its own model had it, unless that
        was withdrawn.
        """
        self.roster.adopt(event)
        if isinstance(event, ModelWithdrawn) and event.role == PRODUCTION:
            self.leading = None

    def take(self, bar: Bar, beside: Beside) -> NDArray[np.float64] | None:
        """Take a closed bar in.

        Args:
            bar: The bar.
            beside: The neighbours' closes of the bar before, None where not known.

        Returns:
            The bar's features, shape (n,); None while they are not warm. An infinite one is
            not the models' fault, and is known by nobody, which a NaN says.
        """
        if self.features is None:
            return None
        self.volatility.update(float(bar.close))
        row = self.features.update(bar, beside)
        self.last_bar = bar
        return None if row is None else np.where(np.isinf(row), np.nan, row)
