"""Reading what a client sent: numbers, moments, flags; or refusing in Kraken's words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from sandbox.errors import Refused

if TYPE_CHECKING:
    from sandbox.instruments import Pair

SECOND_NS = 1_000_000_000
LARGEST_QUANTITY = Decimal(10) ** 12
SMALLEST_QUANTITY = Decimal(10) ** -18
LATEST_CURSOR = 2**62
INT32 = 2**31


def truth(value: object) -> bool:
    """Read a flag: Kraken's clients send true, True, 1 and their opposites."""
    return str(value).lower() in {"true", "1", "yes"}


def amount(value: object, argument: str) -> Decimal:
    """Read a decimal number, or refuse in the name of the argument."""
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Refused(f"EGeneral:Invalid arguments:{argument}") from error
    if not number.is_finite() or abs(number) > LARGEST_QUANTITY:
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    if abs(number) < SMALLEST_QUANTITY and number != 0:
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    return number or Decimal(0)


def whole(value: object, argument: str) -> int:
    """Read an integer, or refuse in the name of the argument."""
    text = str(value)
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    if len(text) > 20:  # noqa: PLR2004 - an unsigned 64-bit number has twenty digits
        raise Refused(f"EGeneral:Invalid arguments:{argument}")
    return int(text)


def moment(value: object, argument: str) -> int:
    """Read an RFC 3339 timestamp as nanoseconds."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Refused(f"EGeneral:Invalid arguments:{argument}") from error
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    since = read - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * SECOND_NS + since.microseconds * 1000


def read_cursor(since: str) -> int:
    """Read a cursor given in seconds, with or without a fraction, or in nanoseconds."""
    seconds, _, fraction = since.partition(".")
    value = whole(seconds or 0, "since")
    if len(seconds) > 12:  # noqa: PLR2004 - seconds have ten digits for centuries to come
        return min(value, LATEST_CURSOR)
    part = whole(fraction[:9].ljust(9, "0"), "since") if fraction else 0
    return min(value * SECOND_NS + part, LATEST_CURSOR)


def ticks(value: object, pair: Pair) -> int:
    """Read a price in ticks, or refuse one the market cannot show."""
    scaled = amount(value, "price").scaleb(pair.price_decimals)
    if scaled != scaled.to_integral_value():
        raise Refused(
            f"EOrder:Invalid price:{pair.symbol} price can only be specified up to "
            f"{pair.price_decimals} decimals"
        )
    return int(scaled)


def lots(value: object, pair: Pair) -> int:
    """Read a quantity in lots; digits beyond the market's precision are cut off."""
    return int(amount(value, "volume").scaleb(pair.lot_decimals))


def userref(value: object) -> int | None:
    """Read a user reference; none and 0 mean there is none."""
    if value is None or value == "":
        return None
    number = whole(value, "userref")
    if not -INT32 <= number < INT32:
        raise Refused("EGeneral:Invalid arguments:userref")
    return number or None
