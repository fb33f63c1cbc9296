"""One market's live state: its bars, features, models and the latest quote.

Nothing here reads a clock or opens anything; the shell feeds it and writes down what
it returns. A desk is cold until its features have been warmed on an unbroken run of bars
that ends just before the first bar it sees complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trader.bars import BarBuilder
from trader.events import ModelLoaded, ModelRefused, ModelWithdrawn
from trader.features import Features
from trader.market import Quote
from trader.sizing import Volatility

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from decimal import Decimal

    import numpy as np
    from numpy.typing import NDArray

    from trader.bars import Bar
    from trader.events import BookChanged
    from trader.market import Instrument

    Beside = tuple[Decimal | None, Decimal | None]  # closes of the peer and of the leader


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
    builder: BarBuilder = field(init=False)
    features: Features | None = None
    volatility: Volatility = field(default_factory=Volatility)
    quote: Quote | None = None
    bid_depth: Decimal | None = None
    ask_depth: Decimal | None = None
    heard: float | None = None  # when the quote came, on our monotonic clock
    trusted: bool = False
    models: dict[str, ModelLoaded] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    last_bar: Bar | None = None
    leading: tuple[Score, int] | None = None  # the last bar's, with its prediction's id
    worked: str | None = None  # an order that rests for the last bar's decision
    last_word: str = "waiting for the first bar"

    def __post_init__(self) -> None:
        self.builder = BarBuilder(self.instrument.symbol, self.interval)

    @property
    def symbol(self) -> str:
        """Return the market's name."""
        return self.instrument.symbol

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

    def cool(self) -> None:
        """Forget the features; the next complete bar warms them again."""
        self.features = None

    def adopt(self, event: ModelLoaded | ModelRefused | ModelWithdrawn) -> None:
        """Score with a model from now on, or without one, or say why one was refused."""
        match event:
            case ModelLoaded(role=role):
                self.models[role] = event
                self.refusals.pop(role, None)
            case ModelRefused(role=role):
                self.refusals[role] = f"version {event.version} refused: {event.reason}"
            case ModelWithdrawn(role=role):
                self.models.pop(role, None)
                self.refusals.pop(role, None)

    def score(self, bar: Bar, beside: Beside) -> list[Score]:
        """Take a closed bar in and let every loaded model score it.

        Args:
            bar: The bar.
            beside: The neighbours' closes of the bar before, None where not known.

        Returns:
            Nothing while the features are not warm; else a score a model.
        """
        if self.features is None:
            return []
        self.volatility.update(float(bar.close))
        row = self.features.update(bar, beside)
        self.last_bar = bar
        if row is None:
            return []
        return [
            Score(model=model, probability=model.served.predict(row), row=row)
            for model in self.models.values()
        ]
