"""Amounts and prices are rounded to what the exchange accepts, never in its favour."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_messages import instrument

from market.instruments import Quote, Side, Trade, round_down, round_price

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.floats(0, 1e12), st.integers(0, 10))
def test_rounding_down_never_gives_more_and_loses_less_than_one_step(value, decimals):
    rounded = round_down(value, decimals)

    assert rounded <= Decimal(repr(value))
    assert Decimal(repr(value)) - rounded < Decimal(1).scaleb(-decimals)
    assert rounded.as_tuple().exponent == -decimals


def test_a_float_is_read_as_it_prints():
    assert round_down(0.29, 2) == Decimal("0.29")


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), Decimal("-0.1")])
def test_nonsense_is_not_rounded(value):
    with pytest.raises(ValueError, match="cannot round"):
        round_down(value, 2)


def test_a_buy_limit_rounds_down_and_a_sell_limit_up():
    price = Decimal("2.1000049")

    assert round_price(price, instrument(), Side.BUY) == Decimal("2.10000")
    assert round_price(price, instrument(), Side.SELL) == Decimal("2.10001")


def test_a_price_below_the_smallest_step_is_refused():
    with pytest.raises(ValueError, match="smallest step"):
        round_price(1e-9, instrument(), Side.BUY)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "2e543210", "1e-543210"])
def test_an_impossible_trade_cannot_be_built(price):
    with pytest.raises(ValueError, match="not a trade"):
        Trade(
            symbol="XRP/USD",
            trade_id=1,
            at=NOON,
            side=Side.BUY,
            price=Decimal(price),
            quantity=Decimal(1),
        )


@pytest.mark.parametrize(("bid", "ask"), [("2", "2"), ("3", "2"), ("0", "2"), ("1", "Infinity")])
def test_an_impossible_quote_cannot_be_built(bid, ask):
    with pytest.raises(ValueError, match="not a quote"):
        Quote(symbol="XRP/USD", at=NOON, bid=Decimal(bid), ask=Decimal(ask))


def test_the_spread_is_a_fraction_of_the_middle():
    quote = Quote(symbol="XRP/USD", at=NOON, bid=Decimal("0.99"), ask=Decimal("1.01"))

    assert quote.middle == 1
    assert quote.spread == pytest.approx(0.02)


@pytest.mark.parametrize(
    "changes",
    [{"price_decimals": -1}, {"quantity_min": Decimal("NaN")}, {"taker_fee": Decimal(1)}],
)
def test_an_impossible_instrument_cannot_be_built(changes):
    with pytest.raises(ValueError, match="XRP/USD"):
        instrument(**changes)
