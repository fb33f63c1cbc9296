"""Every check refuses what it is there for, under a code of its own, and fails closed."""

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_messages import instrument
from orders_of_ours import NOON
from risk_views import CLAIM, MINUTE, SENT, lost, proposal, sale, view

from market.instruments import Quote
from trader.limits import Act, Allowed, Limits, Refused, State, pressure, state_for
from trader.risk import CHECKS, check

HELD = {"position": Decimal(100)}
NAN, INFINITE = Decimal("NaN"), Decimal("Infinity")
TWIN = replace(SENT, quantity=Decimal(100), limit=Decimal("2.005"), age=timedelta(seconds=1))


def code(order, seen):
    verdict = check(order, seen)
    return verdict.code if isinstance(verdict, Refused) else "allowed"


def acts(kind, count, age=0.0):
    return (Act(kind=kind, age=timedelta(seconds=age)),) * count


def test_there_are_sixteen_checks():
    assert len(CHECKS) == 16


def test_an_ordinary_order_is_allowed_both_ways():
    assert check(proposal(), view()) == Allowed()
    assert check(sale(), view(**HELD)) == Allowed()
    assert check(proposal(post_only=True), view()) == Allowed()


REFUSED = [
    ("halted", proposal(), {"state": State.HALTED}),
    ("halted", sale(), {"state": State.HALTED, **HELD}),
    ("reducing_only", proposal(), {"state": State.REDUCING}),
    ("reducing_only", sale(quantity=Decimal(101)), {"state": State.REDUCING, **HELD}),
    ("reducing_only", sale(), {"state": State.REDUCING, **HELD, "selling": Decimal(60)}),
    ("wrong_market", proposal(symbol="DOGE/USD"), {}),
    ("not_finite", proposal(quantity=NAN), {}),
    ("not_finite", proposal(quantity=INFINITE), {}),
    ("not_finite", proposal(claim=replace(CLAIM, probability=float("nan"))), {}),
    ("not_positive", proposal(quantity=Decimal(0)), {}),
    ("not_positive", proposal(limit=Decimal(-2)), {}),
    ("precision", proposal(quantity=Decimal("100.000000001")), {}),
    ("precision", proposal(limit=Decimal("2.000001")), {}),
    ("below_minimum", proposal(quantity=Decimal("1.64")), {}),
    ("below_minimum", proposal(quantity=Decimal("1.65"), limit=Decimal("0.1")), {}),
    ("untrusted_feed", proposal(), {"trusted": False}),
    ("no_quote", proposal(), {"quote": None}),
    ("no_quote", proposal(), {"quote_age": None}),
    ("stale_quote", proposal(), {"quote_age": timedelta(seconds=2.1)}),
    ("stale_quote", proposal(), {"quote_age": timedelta(seconds=-1)}),
    ("stale_bar", proposal(), {"bar_age": None}),
    ("stale_bar", proposal(), {"bar_age": timedelta(seconds=91)}),
    ("stale_bar", proposal(), {"bar": NOON - MINUTE}),
    ("clock_skew", proposal(), {"clock_skew": None}),
    ("clock_skew", proposal(), {"clock_skew": timedelta(seconds=1.1)}),
    ("clock_skew", proposal(), {"clock_skew": timedelta(seconds=-1.1)}),
    ("collar", proposal(limit=Decimal("2.02")), {}),
    ("collar", sale(limit=Decimal("1.98")), HELD),
    ("order_size", proposal(), {"limits": Limits(max_order_value=Decimal(200))}),
    ("order_size", proposal(), {"day_volume": Decimal(20_000)}),
    ("order_size", proposal(), {"day_volume": None}),
    ("order_size", proposal(), {"ask_depth": Decimal(800)}),
    ("order_size", proposal(), {"ask_depth": None}),
    ("order_size", sale(), {"bid_depth": Decimal(700), **HELD}),
    ("max_position", proposal(), {"position": Decimal(400)}),
    ("max_position", proposal(), {"buying": Decimal(400)}),
    ("max_gross", proposal(), {"elsewhere": Decimal(1400)}),
    ("max_gross", proposal(), {"elsewhere": None}),
    ("oversold", sale(), {"position": Decimal(99)}),
    ("oversold", sale(), {"position": Decimal(150), "selling": Decimal(60)}),
    ("cash", proposal(), {"cash": Decimal(202)}),
    ("cash", proposal(), {"promised": Decimal(800)}),
    ("cash", proposal(), {"promised": Decimal(795)}),  # and the fee on that
    ("fee_unknown", proposal(), {"instrument": instrument(taker_fee=None)}),
    ("duplicate", proposal(), {"decided": True}),
    ("duplicate", proposal(), {"sent": (TWIN,)}),
    ("throttle", proposal(), {"sent": (SENT,) * 10}),
    ("throttle", proposal(), {"acts": acts("cancelling", 4)}),
    ("cancel_ratio", proposal(), {"acts": acts("amending", 11, age=3000.0)}),
    ("repeated_execution", proposal(), {"entries": 12}),
    ("equity_unknown", proposal(), {"standing": None}),
    ("daily_loss", proposal(), {"standing": lost(today="300")}),
    ("drawdown", proposal(), {"standing": lost(drawdown="1250")}),
    ("exchange_status", proposal(), {"exchange_status": "post_only"}),
    ("exchange_status", proposal(), {"exchange_status": "cancel_only"}),
    ("exchange_status", proposal(post_only=True), {"exchange_status": "maintenance"}),
    ("exchange_status", proposal(), {"exchange_status": ""}),
    ("deadline", proposal(deadline=timedelta(seconds=0.4)), {}),
    ("deadline", proposal(deadline=timedelta(seconds=61)), {}),
    ("switch", proposal(post_only=True), {"switch_age": None}),
    ("switch", proposal(post_only=True), {"switch_age": timedelta(seconds=61)}),
    ("model", proposal(claim=replace(CLAIM, probability=1.0)), {}),
    ("model", proposal(claim=replace(CLAIM, feature_hash="other")), {}),
    ("model", proposal(claim=None), {}),
]


@pytest.mark.parametrize(("expected", "order", "seen"), REFUSED)
def test_each_check_refuses_under_its_own_code(expected, order, seen):
    assert code(order, view(**seen)) == expected


@pytest.mark.parametrize(
    "seen",
    [
        {"standing": lost(today="900", drawdown="9000")},
        {"standing": None},
        {"entries": 99},
        {"elsewhere": Decimal(10**6)},
        {"elsewhere": None},
        {"day_volume": None},
        {"limits": Limits(max_order_value=Decimal(1), max_position_value=Decimal(1))},
        {"acts": acts("amending", 50, age=3000.0)},
        {"cash": Decimal(0)},
        {"instrument": instrument(taker_fee=None)},
    ],
)
def test_what_bounds_entries_never_keeps_a_position_from_being_closed(seen):
    assert code(sale(), view(**HELD | {"state": State.REDUCING} | seen)) == "allowed"


def test_a_person_s_order_to_close_needs_no_model_and_no_bar():
    assert code(sale(claim=None), view(**HELD, bar=None, bar_age=None)) == "allowed"
    assert code(sale(claim=None), view(position=Decimal(99))) == "oversold"


def test_an_order_that_rests_may_go_where_one_that_takes_may_not():
    assert code(proposal(post_only=True), view(exchange_status="post_only")) == "allowed"
    assert code(proposal(), view(exchange_status="limit_only")) == "allowed"


def test_old_orders_do_not_count_against_the_throttle():
    assert code(proposal(), view(sent=(replace(SENT, age=2 * MINUTE),) * 50)) == "allowed"


def test_a_wide_spread_and_a_wild_market_widen_the_collar():
    wide = Quote(symbol="XRP/USD", at=NOON, bid=Decimal("1.98"), ask=Decimal("2.02"))

    assert code(proposal(limit=Decimal("2.1")), view(quote=wide)) == "allowed"
    assert code(proposal(limit=Decimal("2.1")), view(volatility=0.0125)) == "allowed"
    assert code(proposal(limit=Decimal("2.1")), view(volatility=None)) == "collar"


def test_the_exchange_s_own_counter_is_followed_by_its_documented_example():
    # Add, amend at +7 s, cancel 36 s later; we count an amendment and a cancel at their worst.
    done = (*acts("intended", 1, 43), *acts("amending", 1, 36), *acts("cancelling", 1, 0))

    assert pressure(acts("intended", 1)) == 1
    assert pressure(done) == 8
    assert pressure(()) == 0


def test_any_unknown_kind_of_halt_stops_everything():
    assert state_for([]) is State.ACTIVE
    assert state_for(["daily_loss", "flatten"]) is State.REDUCING
    assert state_for(["daily_loss", "operator"]) is State.HALTED
    assert state_for(["something new"]) is State.HALTED


def test_a_refusal_says_the_numbers():
    said = check(proposal(), view(cash=Decimal(50))).reason

    assert said == "202.10 is needed with fees, 50.00 is free"


# Absent, these only make the collar narrower, or are of no concern to an order that takes asks.
HARMLESS = {"volatility", "switch_age", "bid_depth"}
NUMBERS = [f.name for f in fields(view()) if isinstance(getattr(view(), f.name), Decimal | float)]
ABSENT = [f.name for f in fields(view()) if "None" in str(f.type) and f.name not in HARMLESS]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_a_number_that_is_none_never_allows(name, nonsense):
    value = float(nonsense.strip("s")) if name == "volatility" else Decimal(nonsense)

    assert code(proposal(), view(**{name: value})) == "not_finite"


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_absent_never_allows(name):
    assert code(proposal(), view(**{name: None})) != "allowed"


@pytest.mark.parametrize("name", [f.name for f in fields(Limits())])
def test_a_limit_that_is_not_a_number_never_allows(name):
    value = getattr(Limits(), name)
    if isinstance(value, Decimal | float):
        limits = replace(Limits(), **{name: type(value)("nan")})

        assert code(proposal(), view(limits=limits)) == "not_finite"


amounts = st.decimals(0, 3000, places=2)
moments = st.builds(
    view,
    state=st.sampled_from(State),
    position=amounts,
    selling=amounts,
    buying=amounts,
    elsewhere=st.none() | amounts,
    cash=amounts,
    day_volume=st.none() | st.decimals(0, 10**6, places=2),
    bid_depth=st.none() | st.decimals(0, 10**4, places=2),
    ask_depth=st.none() | st.decimals(0, 10**4, places=2),
    entries=st.integers(0, 20),
    standing=st.none() | st.builds(lost, st.integers(0, 300), st.integers(0, 2000)),
    quote_age=st.none() | st.timedeltas(timedelta(0), timedelta(seconds=4)),
    clock_skew=st.none() | st.timedeltas(timedelta(seconds=-2), timedelta(seconds=2)),
)
orders = st.builds(
    lambda make, quantity, resting: make(quantity=quantity, post_only=resting),
    st.sampled_from([proposal, sale]),
    st.decimals("0.01", 1000, places=2),
    st.booleans(),
)
LOOSER = {
    "max_position_value": Decimal(3000),
    "max_gross_value": Decimal(9000),
    "max_order_value": Decimal(5000),
    "volume_share": Decimal("0.5"),
    "depth_share": Decimal(1),
    "max_daily_loss": Decimal(900),
    "max_drawdown": Decimal(9000),
    "max_entries_per_hour": 99,
    "max_quote_age": timedelta(seconds=9),
    "max_clock_skew": timedelta(seconds=9),
}


@given(order=orders, seen=moments, name=st.sampled_from(sorted(LOOSER)))
def test_a_wider_limit_never_refuses_what_a_narrower_one_allows(order, seen, name):
    wider = replace(seen, limits=replace(seen.limits, **{name: LOOSER[name]}))

    assert code(order, seen) != "allowed" or code(order, wider) == "allowed"


@given(order=orders, seen=moments)
def test_nothing_allowed_leaves_more_than_the_limits_or_less_than_nothing(order, seen):
    if code(order, seen) != "allowed":
        return
    if order.side == "sell":
        assert seen.position - seen.selling - order.quantity >= 0
        return
    assert seen.state is State.ACTIVE
    after = (seen.position + seen.buying + order.quantity) * order.limit
    assert after <= seen.limits.max_position_value
    assert after + seen.elsewhere <= seen.limits.max_gross_value
