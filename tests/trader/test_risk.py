"""Every check refuses what it is there for, under a code of its own, and fails closed."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from kraken_messages import instrument
from orders_of_ours import NOON

from trader.market import Quote, Side
from trader.risk import Allowed, Limits, Proposal, Refused, Sent, State, View, check, state_for

MINUTE = timedelta(minutes=1)
BUY = Proposal(
    decision_id="d1",
    symbol="XRP/USD",
    side=Side.BUY,
    quantity=Decimal(100),
    limit=Decimal("2.005"),
    probability=0.8,
)
SELL = replace(BUY, side=Side.SELL, limit=Decimal("1.995"))
SENT = Sent(
    decision_id="d0",
    symbol="XRP/USD",
    side=Side.BUY,
    quantity=Decimal(7),
    limit=Decimal(2),
    age=timedelta(seconds=30),
)


def view(**changes):
    known = {
        "state": State.ACTIVE,
        "instrument": instrument(),
        "quote": Quote(symbol="XRP/USD", at=NOON, bid=Decimal("1.999"), ask=Decimal("2.001")),
        "quote_age": timedelta(seconds=1),
        "trusted": True,
        "bar_age": timedelta(seconds=1),
        "interval": MINUTE,
        "position": Decimal(0),
        "buying": Decimal(0),
        "selling": Decimal(0),
        "cash": Decimal(1000),
        "promised": Decimal(0),
        "exchange_status": "online",
        "realised_today": Decimal(0),
        "limits": Limits(max_position_value=Decimal(1000), max_daily_loss=Decimal(50)),
    }
    return View(**known | changes)


def code(order, seen):
    verdict = check(order, seen)
    return verdict.code if isinstance(verdict, Refused) else "allowed"


def test_an_ordinary_order_is_allowed_both_ways():
    assert check(BUY, view()) == Allowed()
    assert check(SELL, view(position=Decimal(100))) == Allowed()


NAN, INFINITE = Decimal("NaN"), Decimal("Infinity")
REFUSED = [
    ("halted", BUY, {"state": State.HALTED}),
    ("halted", SELL, {"state": State.HALTED, "position": Decimal(100)}),
    ("reducing_only", BUY, {"state": State.REDUCING}),
    ("wrong_market", replace(BUY, symbol="DOGE/USD"), {}),
    ("not_positive", replace(BUY, quantity=NAN), {}),
    ("not_positive", replace(BUY, quantity=INFINITE), {}),
    ("not_positive", replace(BUY, quantity=Decimal(0)), {}),
    ("not_positive", replace(BUY, limit=Decimal(-2)), {}),
    ("precision", replace(BUY, quantity=Decimal("100.000000001")), {}),
    ("precision", replace(BUY, limit=Decimal("2.000001")), {}),
    ("below_minimum", replace(BUY, quantity=Decimal("1.64")), {}),
    ("below_minimum", replace(BUY, quantity=Decimal("1.65"), limit=Decimal("0.1")), {}),
    ("model", replace(BUY, probability=float("nan")), {}),
    ("model", replace(BUY, probability=1.0), {}),
    ("exchange_status", BUY, {"exchange_status": "post_only"}),
    ("exchange_status", BUY, {"exchange_status": ""}),
    ("untrusted_feed", BUY, {"trusted": False}),
    ("no_quote", BUY, {"quote": None}),
    ("no_quote", BUY, {"quote_age": None}),
    ("stale_quote", BUY, {"quote_age": timedelta(seconds=2.1)}),
    ("stale_quote", BUY, {"quote_age": timedelta(seconds=-1)}),
    ("stale_bar", BUY, {"bar_age": None}),
    ("stale_bar", BUY, {"bar_age": timedelta(seconds=91)}),
    ("collar", replace(BUY, limit=Decimal("2.02")), {}),
    ("collar", replace(SELL, limit=Decimal("1.98")), {"position": Decimal(100)}),
    ("max_position", BUY, {"position": Decimal(400)}),
    ("max_position", BUY, {"buying": Decimal(400)}),
    ("oversold", SELL, {"position": Decimal(99)}),
    ("oversold", SELL, {"position": Decimal(150), "selling": Decimal(60)}),
    ("cash", BUY, {"cash": Decimal(202)}),
    ("cash", BUY, {"promised": Decimal(800)}),
    ("fee_unknown", BUY, {"instrument": instrument(taker_fee=None)}),
    ("duplicate", BUY, {"sent": (replace(SENT, decision_id="d1"),)}),
    (
        "duplicate",
        BUY,
        {
            "sent": (
                replace(SENT, quantity=BUY.quantity, limit=BUY.limit, age=timedelta(seconds=1)),
            )
        },
    ),
    ("throttle", BUY, {"sent": (SENT,) * 10}),
    ("daily_loss", BUY, {"realised_today": Decimal(-50)}),
]


@pytest.mark.parametrize(("expected", "order", "seen"), REFUSED)
def test_each_check_refuses_under_its_own_code(expected, order, seen):
    assert code(order, view(**seen)) == expected


def test_reducing_lets_a_position_be_closed_and_no_more():
    seen = view(state=State.REDUCING, position=Decimal(100))

    assert code(SELL, seen) == "allowed"
    assert code(replace(SELL, quantity=Decimal(101)), seen) == "reducing_only"


def test_a_day_s_loss_still_lets_a_position_be_closed():
    assert code(SELL, view(realised_today=Decimal(-90), position=Decimal(100))) == "allowed"


def test_old_orders_do_not_count_against_the_throttle():
    assert code(BUY, view(sent=(replace(SENT, age=2 * MINUTE),) * 50)) == "allowed"


def test_a_wide_spread_widens_the_collar():
    wide = Quote(symbol="XRP/USD", at=NOON, bid=Decimal("1.98"), ask=Decimal("2.02"))

    assert code(replace(BUY, limit=Decimal("2.1")), view(quote=wide)) == "allowed"


def test_any_unknown_kind_of_halt_stops_everything():
    assert state_for([]) is State.ACTIVE
    assert state_for(["daily_loss"]) is State.REDUCING
    assert state_for(["daily_loss", "operator"]) is State.HALTED
    assert state_for(["something new"]) is State.HALTED


def test_a_refusal_says_the_numbers():
    assert check(BUY, view(cash=Decimal(50))).reason == "202.10 is needed with fees, 50.00 is free"
