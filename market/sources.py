"""Whom to ask for market data, by the name that a person chose.

The bars of a market that are on record are one house's, so that neither fills the holes of the
other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from market import alpaca, kraken_history
from market.alpaca import BARS_A_PAGE, AlpacaData
from market.alpaca_messages import MINUTE, timeframe
from market.errors import OtherHouse
from market.houses import ALPACA, HOUSES, KRAKEN, NAMES
from market.public_data import PublicData
from market.settings import AlpacaSettings, PublicDataSettings
from sql.tables import PriceBarRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from market.bars import Bar
    from market.providers import Provider

    Data = PublicData | AlpacaData


def open_data(name: str) -> Data:
    """Return whom to ask, with the settings of the environment.

    Raises:
        ValueError: Nobody has this name.
        ValidationError: A setting is missing, or cannot be right.
    """
    if name == KRAKEN:
        return PublicData(PublicDataSettings())
    if name == ALPACA:
        return AlpacaData(AlpacaSettings())
    raise ValueError(f"market data comes from {' or '.join(NAMES)}, not from {name!r}")


def check_interval(data: Data, interval: timedelta) -> None:
    """Make sure that there are bars of this length; those built from trades have any.

    Raises:
        ValueError: There are none.
    """
    if isinstance(data, AlpacaData):
        timeframe(interval)


def provider(data: Data, now: datetime, interval: timedelta) -> Provider:
    """Return what yields a market's bars.

    Raises:
        ValueError: There are no bars of this length.
    """
    check_interval(data, interval)
    if isinstance(data, AlpacaData):
        return alpaca.provider(data)
    return kraken_history.provider(data, now)


def distance(data: Data, interval: timedelta) -> timedelta:
    """Return how long a stretch on record is asked for again rather than begin a new page."""
    return BARS_A_PAGE * interval if isinstance(data, AlpacaData) else timedelta(0)


def latest(data: Data, symbol: str) -> Bar | None:
    """Return the latest bar of a minute, or None if there is none.

    Raises:
        ExchangeUnreachable: There is no answer; ask again later.
        ExchangeRefused: The market is unknown, or the key is refused.
        ValueError: It is an option contract, of which Alpaca tells none.
    """
    if isinstance(data, AlpacaData):
        return data.latest_bar(symbol)
    candles = data.candles(symbol, MINUTE, data.now() - 60 * MINUTE)
    return candles[-1] if candles else None


def check_house(session: Session, data: Data, symbol: str, interval: timedelta) -> None:
    """Look whose market the oldest and the newest bar on record are.

    Raises:
        OtherHouse: They are not of the house that would be asked.
    """
    asked = ALPACA if isinstance(data, AlpacaData) else KRAKEN
    query = select(PriceBarRow.source).where(
        PriceBarRow.symbol == symbol,
        PriceBarRow.interval_seconds == int(interval.total_seconds()),
    )
    for order in (PriceBarRow.start.asc(), PriceBarRow.start.desc()):
        source = session.scalar(query.order_by(order).limit(1))
        if source is not None and HOUSES.get(source, asked) != asked:
            raise OtherHouse(
                f"the bars of {symbol} on record are of {HOUSES[source].title()}'s market, whose "
                f"holes {asked.title()} does not know; keep its bars in another database"
            )
