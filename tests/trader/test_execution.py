"""An order that rests follows the touch, never beyond its worst price, and not for ever."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_messages import instrument
from orders_of_ours import NOON, order

from market.instruments import Quote, Side
from trader.execution import Amend, Cancel, Keep, Policy, follow, opening_limit, worst_price
from trader.limits import State
from trader.orders import Status

PATIENCE = timedelta(seconds=30)


def quote(bid="2.000", ask="2.001"):
    return Quote(symbol="XRP/USD", at=NOON, bid=Decimal(bid), ask=Decimal(ask))


def resting(side=Side.BUY, **changes):
    limit, worst = ("2.000", "2.005") if side is Side.BUY else ("2.001", "1.996")
    known = {
        "side": side,
        "limit": Decimal(limit),
        "worst": Decimal(worst),
        "status": Status.OPEN,
    }
    return order(**known | changes)


def step(one, prices, *, after=10, state=State.ACTIVE):
    now = NOON + timedelta(seconds=after)
    return follow(one, prices, state=state, now=now, patience=PATIENCE)


def test_a_marketable_limit_reaches_across_and_a_resting_one_waits_at_its_own_side():
    for side, touch in ((Side.BUY, "2.000"), (Side.SELL, "2.001")):
        across = opening_limit(Policy.MARKETABLE, side, quote(), instrument())

        assert across == worst_price(side, quote(), instrument())
        assert opening_limit(Policy.POST_ONLY, side, quote(), instrument()) == Decimal(touch)


def test_an_order_at_the_touch_is_left_alone():
    assert step(resting(), quote()) == Keep()
    assert step(resting(Side.SELL), quote()) == Keep()


def test_an_order_follows_the_touch():
    assert step(resting(), quote("2.003", "2.004")) == Amend(limit=Decimal("2.003"))
    assert step(resting(Side.SELL), quote("1.998", "1.999")) == Amend(limit=Decimal("1.999"))


def test_an_order_never_goes_beyond_its_worst_price():
    assert step(resting(), quote("2.02", "2.03")) == Amend(limit=Decimal("2.005"))
    assert step(resting(Side.SELL), quote("1.9", "1.91")) == Amend(limit=Decimal("1.996"))


def test_an_order_is_not_moved_away_from_the_market():
    assert step(resting(), quote("1.99", "1.991")) == Keep()


@pytest.mark.parametrize(
    "change",
    [
        {"updated_at": NOON + timedelta(seconds=6)},
        {"cancelling": True},
        {"worst": None},
        {"status": Status.UNKNOWN},
    ],
)
def test_an_order_is_not_moved_too_often_nor_while_it_ends(change):
    assert step(resting(**change), quote("2.003", "2.004")) == Keep()


def test_without_a_trusted_book_an_order_is_only_ever_ended():
    assert step(resting(), None) == Keep()
    assert isinstance(step(resting(), None, after=30), Cancel)


def test_when_its_time_is_up_an_order_is_cancelled_and_asked_again_if_nothing_comes_of_it():
    asked = resting(cancelling=True, updated_at=NOON + timedelta(seconds=30))

    assert step(resting(), quote(), after=30) == Cancel(reason="it rested for 30 s")
    assert step(asked, quote(), after=31) == Keep()
    assert isinstance(step(asked, quote(), after=32), Cancel)


def test_a_halt_ends_what_rests_at_once():
    assert step(resting(), quote(), after=0, state=State.HALTED) == Cancel(
        reason="trading is halted"
    )
    assert isinstance(step(resting(Side.SELL), quote(), state=State.HALTED), Cancel)
    assert isinstance(step(resting(), quote(), state=State.REDUCING), Cancel)
    assert step(resting(Side.SELL), quote(), state=State.REDUCING) == Keep()


prices = st.decimals("1.5", "2.5", places=3)


@given(bid=prices, side=st.sampled_from(Side), after=st.integers(0, 29))
def test_an_order_is_only_ever_moved_towards_its_worst_price(bid, side, after):
    one = resting(side)

    found = step(one, quote(bid, bid + Decimal("0.001")), after=after)

    if isinstance(found, Amend):
        low, high = sorted((one.limit, one.worst))
        assert low <= found.limit <= high
        assert found.limit != one.limit
