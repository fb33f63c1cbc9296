"""The assets and pairs this exchange lists, and the names by which clients ask for them.

Facts only: nothing here changes while the exchange runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One currency. `decimals` is the precision of the ledger."""

    id: str
    altname: str
    name: str
    decimals: int
    display_decimals: int
    collateral: float
    margin_rate: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One market, under its four names, with the limits on its orders.

    Prices are counted in ticks of `10**-price_decimals`, quantities in lots of
    `10**-lot_decimals`.
    """

    id: str
    altname: str
    wsname: str
    symbol: str
    base: Asset
    quote: Asset
    price_decimals: int
    cost_decimals: int
    minimum_quantity: str
    minimum_cost: str
    leverage: tuple[int, ...]
    long_limit: int
    short_limit: int
    typical_price: float
    spread: float
    cell: int
    typical_cost: float
    lot_decimals: int = 8

    @cached_property
    def tick_size(self) -> str:
        """The smallest price step, as the exchange writes it."""
        return f"{Decimal(1).scaleb(-self.price_decimals):f}"

    def price_text(self, ticks: int) -> str:
        """Write a price with the market's full precision, zeros included."""
        return place_point(ticks, self.price_decimals)

    def long_price_text(self, ticks: int) -> str:
        """Write a price with the precision of costs, as tickers and trades show it."""
        return place_point(ticks, self.price_decimals) + "0" * (
            self.cost_decimals - self.price_decimals
        )

    def quantity_text(self, lots: int) -> str:
        """Write a quantity with the market's full precision, zeros included."""
        return place_point(lots, self.lot_decimals)

    def price(self, ticks: int) -> Decimal:
        """Give the exact price of a number of ticks."""
        return Decimal(ticks).scaleb(-self.price_decimals)

    def quantity(self, lots: int) -> Decimal:
        """Give the exact quantity of a number of lots."""
        return Decimal(lots).scaleb(-self.lot_decimals)

    def value(self, ticks: int, lots: int) -> Decimal:
        """Multiply price by quantity exactly; the caller rounds."""
        return Decimal(ticks * lots).scaleb(-self.price_decimals - self.lot_decimals)

    def cost_text(self, amount: Decimal) -> str:
        """Write an amount of the quote currency with the precision of costs."""
        return f"{amount:.{self.cost_decimals}f}"


def place_point(units: int, decimals: int) -> str:
    """Write an integer number of `10**-decimals` as a decimal.

    Examples:
        >>> place_point(210000, 5)
        '2.10000'
    """
    digits = str(units).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


USD = Asset(
    id="ZUSD",
    altname="USD",
    name="USD",
    decimals=4,
    display_decimals=2,
    collateral=1.0,
    margin_rate="0.036",
)
XRP = Asset(
    id="XXRP",
    altname="XRP",
    name="XRP",
    decimals=8,
    display_decimals=5,
    collateral=0.9,
    margin_rate="0.02",
)
DOGE = Asset(
    id="XXDG",
    altname="XDG",
    name="DOGE",
    decimals=8,
    display_decimals=2,
    collateral=0.925,
    margin_rate="0.02",
)
BTC = Asset(
    id="XXBT",
    altname="XBT",
    name="BTC",
    decimals=10,
    display_decimals=5,
    collateral=0.99,
    margin_rate="0.01",
)
ASSETS = (BTC, DOGE, XRP, USD)

PAIRS = (
    Pair(
        id="XXBTZUSD",
        altname="XBTUSD",
        wsname="XBT/USD",
        symbol="BTC/USD",
        base=BTC,
        quote=USD,
        price_decimals=1,
        cost_decimals=5,
        minimum_quantity="0.00005",
        minimum_cost="0.5",
        leverage=(2, 3, 4, 5, 6, 7, 8, 9, 10),
        long_limit=350,
        short_limit=250,
        typical_price=84000.0,
        spread=0.4e-4,
        cell=42,
        typical_cost=900.0,
    ),
    Pair(
        id="XDGUSD",
        altname="XDGUSD",
        wsname="XDG/USD",
        symbol="DOGE/USD",
        base=DOGE,
        quote=USD,
        price_decimals=7,
        cost_decimals=9,
        minimum_quantity="50",
        minimum_cost="0.5",
        leverage=(2, 3, 4, 5, 6, 7, 8, 9, 10),
        long_limit=30000000,
        short_limit=30000000,
        typical_price=0.17,
        spread=2.5e-4,
        cell=85,
        typical_cost=300.0,
    ),
    Pair(
        id="XXRPZUSD",
        altname="XRPUSD",
        wsname="XRP/USD",
        symbol="XRP/USD",
        base=XRP,
        quote=USD,
        price_decimals=5,
        cost_decimals=8,
        minimum_quantity="1.65",
        minimum_cost="0.5",
        leverage=(2, 3, 4, 5),
        long_limit=3000000,
        short_limit=2000000,
        typical_price=2.1,
        spread=2.0e-4,
        cell=10,
        typical_cost=400.0,
    ),
)
BY_SYMBOL = {pair.symbol: pair for pair in PAIRS}
ASSET_BY_ID = {asset.id: asset for asset in ASSETS}


def find_pair(name: str) -> tuple[str, Pair] | None:
    """Find a pair by a name REST accepts, and the key under which to answer.

    A name with a slash is echoed back; every other name is answered with the id. The
    websocket name is refused where it differs from the symbol, as Kraken refuses it.
    """
    if "/" in name:
        pair = BY_SYMBOL.get(name.upper())
        return None if pair is None else (name, pair)
    wanted = name.upper()
    for pair in PAIRS:
        if wanted in {pair.id, pair.altname, pair.symbol.replace("/", "")}:
            return pair.id, pair
    return None


def find_asset(name: str) -> Asset | None:
    """Find an asset by its id, its short name or the name people use."""
    wanted = name.upper()
    return next((a for a in ASSETS if wanted in {a.id, a.altname, a.name}), None)
