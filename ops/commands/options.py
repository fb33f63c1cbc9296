"""Options that several commands share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import click

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
WORD = r"[A-Z0-9]+(?:\.[A-Z0-9]+)*"
NAME = re.compile(f"{WORD}(?:/{WORD})?")


class Fraction(click.ParamType[Decimal]):
    """An exact number from 0 up to, but not, 1."""

    name = "fraction"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        """Read it, or say what was expected."""
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"expected a fraction such as 0.0026, not {value}", param, ctx)
        if not (number.is_finite() and 0 <= number < 1):
            self.fail(f"expected a fraction from 0 up to 1, not {value}", param, ctx)
        return number


class Market(click.ParamType[str]):
    """A market's name, in capitals: a pair of coins, a stock, or an option contract."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Read it, or say what was expected."""
        if NAME.fullmatch(name := str(value).upper()) is None:
            self.fail(f"expected a market such as XRP/USD or AAPL, not {value!r}", param, ctx)
        return name


seconds = click.option(
    "--interval-seconds",
    default=60,
    show_default=True,
    type=click.IntRange(1, 86_400),
    help="The length of a bar.",
)


def _utc(
    _context: click.Context, _parameter: click.Parameter, value: datetime | None
) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


since = click.option(
    "--from", "start", type=click.DateTime(FORMATS), callback=_utc, help="From when on, UTC."
)
until = click.option(
    "--to", "end", type=click.DateTime(FORMATS), callback=_utc, help="Until when, UTC."
)
days = click.option(
    "--days",
    default=14,
    show_default=True,
    type=click.IntRange(1, 3_650),
    help="How far back, without --from.",
)
