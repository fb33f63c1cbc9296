"""The environment says what is traded and what is only watched, or is refused in a sentence."""

import math
from dataclasses import fields

import pytest
from pydantic import ValidationError

from trader.settings import TraderSettings


def test_what_is_traded_and_what_is_watched_is_followed_once():
    settings = TraderSettings(symbols="BTC/USD,XRP/USD", watched_symbols="BTC/USD,ETH/USD")

    assert settings.markets == ("BTC/USD", "XRP/USD")
    assert settings.followed == ("BTC/USD", "XRP/USD", "ETH/USD")


def test_nothing_need_be_watched():
    assert TraderSettings(watched_symbols="").followed == ("XRP/USD", "DOGE/USD")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"symbols": ""}, "TRADER_SYMBOLS must be like XRP/USD,DOGE/USD, not ''"),
        ({"symbols": "XRPUSD"}, "TRADER_SYMBOLS must be like"),
        ({"watched_symbols": "BTC/USD,"}, "TRADER_WATCHED_SYMBOLS must be like"),
        ({"watched_symbols": "BTC/USD,BTC/USD"}, "TRADER_WATCHED_SYMBOLS names a market twice"),
    ],
)
def test_a_list_of_markets_that_is_none_is_refused(wrong, sentence):
    with pytest.raises(ValidationError, match=sentence):
        TraderSettings(**wrong)


def test_a_deadline_that_the_exchange_would_always_refuse_is_refused_here():
    """Half a second, Kraken's least, is counted from an order's arrival and so always too late."""
    with pytest.raises(ValidationError):
        TraderSettings(order_deadline_seconds=0.5)
    assert TraderSettings(order_deadline_seconds=1).order_deadline_seconds == 1


def test_odds_that_ask_nothing_of_a_model_make_no_limit_of_orders_infinite():
    """Risk refuses every order while one of its limits is no finite number."""
    settings = TraderSettings(max_model_odds=math.inf)
    limits = [getattr(settings.limits, field.name) for field in fields(settings.limits)]

    assert all(math.isfinite(limit) for limit in limits if isinstance(limit, float))
