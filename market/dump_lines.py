"""What a line of Kraken's dumps says: a bar with its number of trades, or one trade."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from market.quality import Candle

OHLCVT_FIELDS = 7
SALE_FIELDS = 3
DECIMALS, WHOLE = 18, 20  # digits after and before the point that the record keeps
SHORT = 19  # characters without an exponent; no more can go wrong in them
LATEST = datetime(2100, 1, 1, tzinfo=UTC)  # a later time is one in milliseconds


def candle(row: list[str]) -> tuple[Candle, int]:
    """Read `unix seconds,open,high,low,close,volume,trades`.

    The values are what the line says, however impossible.

    Raises:
        ValueError: It does not say that much; the message is for a person.
    """
    _expect(OHLCVT_FIELDS, row)
    if (trades := int(row[6])) < 0:
        raise ValueError(f"{trades} trades")
    try:
        return Candle(_moment(row[0]), *map(_amount, row[1:6])), trades
    except InvalidOperation:
        raise ValueError(_garbled(row)) from None


def sale(row: list[str]) -> tuple[datetime, Decimal, Decimal]:
    """Read `unix seconds,price,volume`.

    Raises:
        ValueError: It does not say that much; the message is for a person.
    """
    _expect(SALE_FIELDS, row)
    try:
        return _moment(row[0]), _amount(row[1]), _amount(row[2])
    except InvalidOperation:
        raise ValueError(_garbled(row)) from None


def _expect(fields: int, row: list[str]) -> None:
    if len(row) != fields:
        raise ValueError(f"expected {fields} fields, found {len(row)}")


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromtimestamp(float(text), UTC)
    except (OverflowError, OSError):
        at = LATEST
    if at >= LATEST:
        raise ValueError(f"{text} is no time in seconds since 1970")
    return at


def _amount(text: str) -> Decimal:
    value = Decimal(text)
    if len(text) > SHORT or "e" in text or "E" in text:
        _, digits, exponent = value.as_tuple()
        if isinstance(exponent, int) and (exponent < -DECIMALS or value.adjusted() >= WHOLE):
            raise ValueError(f"a number of {len(digits)} digits cannot be kept: {text[:40]}")
    return value


def _garbled(row: list[str]) -> str:
    return f"a number cannot be read in {','.join(row)[:80]}"
