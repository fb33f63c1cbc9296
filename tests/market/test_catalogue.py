"""Kraken's lists are read in the words that people use."""

from decimal import Decimal

import pytest

from market.catalogue import asset_name, instruments

PAIRS = {
    "XXDGZUSD": {
        "wsname": "XDG/USD",
        "pair_decimals": 7,
        "lot_decimals": 8,
        "cost_decimals": 5,
        "ordermin": "13",
        "costmin": "0.5",
    },
    "XXDGZUSD.d": {"altname": "XDGUSD.d"},
}


@pytest.mark.parametrize(
    ("raw", "name"),
    [("ZUSD", "USD"), ("XXRP", "XRP"), ("XXDG", "DOGE"), ("XXBT", "BTC"), ("ZETA", "ZETA")],
)
def test_assets_have_the_names_people_use(raw, name):
    assert asset_name(raw) == name


def test_a_market_has_its_grid_and_our_fees_as_fractions():
    fees = {"fees": {"XXDGZUSD": {"fee": "0.40"}}, "fees_maker": {"XXDGZUSD": {"fee": "0.25"}}}

    (doge,) = instruments(PAIRS, fees)

    assert (doge.symbol, doge.exchange_id) == ("DOGE/USD", "XXDGZUSD")
    assert (doge.price_decimals, doge.quantity_decimals, doge.cost_decimals) == (7, 8, 5)
    assert (doge.quantity_min, doge.cost_min) == (Decimal(13), Decimal("0.5"))
    assert (doge.taker_fee, doge.maker_fee) == (Decimal("0.004"), Decimal("0.0025"))


def test_without_our_fees_they_are_unknown():
    (doge,) = instruments(PAIRS, {})

    assert (doge.taker_fee, doge.maker_fee) == (None, None)
