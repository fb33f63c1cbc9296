"""What the exchange's streams tell us, of markets and of our account, in our own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - reports are read back from a file by these types
from decimal import Decimal  # noqa: TC003 - as above
from typing import TYPE_CHECKING

from market.instruments import Side  # noqa: TC001 - as above

if TYPE_CHECKING:
    from market.instruments import Instrument, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """Somebody traded; ids of one symbol come in order and once."""

    trade: Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChanged:
    """The verified book's best prices, after every change anywhere in it."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_quantity: Decimal
    ask_quantity: Decimal
    bid_depth: Decimal  # what every bid of the book is worth, in the quote currency
    ask_depth: Decimal
    at: datetime
    heard: float  # when it arrived, in seconds of a clock that never goes back


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSided:
    """Nobody bids, or nobody asks: there is no price until the next `BookChanged`."""

    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The exchange says what a market's orders have to be like, and whether it takes them.

    The status is the exchange's own word, such as online, post_only or cancel_only.
    """

    instrument: Instrument
    status: str

    @property
    def symbol(self) -> str:
        """Return the market's name."""
        return self.instrument.symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTold:
    """A market's last 24 hours: the volume is in the base currency, the average weighted by it."""

    symbol: str
    last: Decimal
    volume: Decimal
    average: Decimal
    low: Decimal
    high: Decimal
    at: datetime

    @property
    def figures(self) -> dict[str, float]:
        """Return what can be drawn."""
        names = ("last", "volume", "average", "low", "high")
        return {name: float(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesMissed:
    """Trades with ids between these two happened and the stream cannot tell them."""

    symbol: str
    after_id: int
    before_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrusted:
    """Act on nothing of this symbol until it is trusted again."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The symbol's book is verified and its trades are without a hole from here."""

    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """The exchange's own word on itself: online, maintenance, cancel_only, post_only."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAdvanced:
    """The exchange's clock passed another second; everything before came earlier."""

    at: datetime


MarketNews = BookChanged | OneSided | Described | DayTold | TradesMissed | Untrusted | Trusted
MarketEvent = Traded | MarketNews | SystemStatus | ClockAdvanced


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """Something happened to an order of ours, by the exchange's word.

    A report of a trade has an `exec_id`, which tells it apart from every other; the
    same trade may be reported again. `snapshot` marks what was so before we asked.
    """

    exec_type: str
    order_id: str
    cl_ord_id: str | None
    exec_id: str | None
    symbol: str | None
    side: Side | None
    last_quantity: Decimal | None
    last_price: Decimal | None
    cost: Decimal | None
    fee: Decimal | None
    fee_asset: str | None
    liquidity: str | None
    cumulative: Decimal | None
    status: str | None
    reason: str | None
    at: datetime
    snapshot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChanged:
    """So much of an asset is ours in total, open orders' holds included."""

    asset: str
    balance: Decimal
    at: datetime | None
    snapshot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """Both private channels have told what was so before; what follows is new."""


AccountEvent = ExecutionReport | BalanceChanged | CaughtUp | SystemStatus
