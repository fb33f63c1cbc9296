"""A position counts as closed when fills take it back to exactly nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from ops.demo_summary import round_trips

START = datetime(2026, 1, 1, tzinfo=UTC)


def fills(*rows):
    return [
        SimpleNamespace(
            symbol=symbol, side=side, quantity=Decimal(quantity), at=START + timedelta(seconds=n)
        )
        for n, (symbol, side, quantity) in enumerate(rows)
    ]


def test_partial_sales_close_a_position_once():
    made = fills(
        ("XRP/USD", "buy", "10"),
        ("DOGE/USD", "buy", "5"),
        ("XRP/USD", "sell", "4"),
        ("XRP/USD", "sell", "6"),
        ("XRP/USD", "buy", "1"),
    )

    assert round_trips(reversed(made)) == {"XRP/USD": 1}


def test_a_remainder_is_not_a_closed_position():
    made = fills(("XRP/USD", "buy", "10"), ("XRP/USD", "sell", "9.99999999"))

    assert round_trips(made) == {}
