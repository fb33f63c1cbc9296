"""A position is wanted only where the edge pays for itself, and the reason has the numbers."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_messages import instrument

from market.instruments import Quote, Side
from trader.execution import Policy
from trader.sizing import Appetite
from trader.strategy import Situation, decide

QUOTE = Quote(
    symbol="XRP/USD", at=datetime(2026, 9, 1, tzinfo=UTC), bid=Decimal("2.0"), ask=Decimal("2.001")
)


def situation(**changes):
    known = {
        "instrument": instrument(),
        "quote": QUOTE,
        "policy": Policy.MARKETABLE,
        "probability": 0.9,
        "base_rate": 0.5,
        "gain": 0.04,
        "loss": 0.01,
        "horizon_bars": 10,
        "held": Decimal(0),
        "bars_held": 0,
        "under_way": False,
        "cash": Decimal(10_000),
        "volatility": 0.04,
        "appetite": Appetite(),
        "max_position_value": Decimal(1000),
        "most_to_buy": Decimal(1000),
        "most_to_sell": Decimal(5000),
    }
    return Situation(**known | changes)


def test_a_large_edge_buys_with_an_order_that_is_marketable_but_bounded():
    wanted = decide(situation())

    assert (wanted.side, wanted.reason_code) == (Side.BUY, "edge")
    assert QUOTE.ask < wanted.limit < QUOTE.ask * Decimal("1.003")
    assert Decimal(999) < wanted.quantity * wanted.limit <= 1000
    assert wanted.expected_value == pytest.approx(0.9 * 0.04 - 0.1 * 0.01 - wanted.cost)
    assert wanted.cost == pytest.approx(0.016 + QUOTE.spread)
    assert "p 0.900 of +4.000% against -1.000% is an edge of +3.500%" in wanted.reason


def test_an_edge_that_fees_eat_is_left_alone():
    wanted = decide(situation(gain=0.015))

    assert (wanted.action, wanted.reason_code, wanted.target) == ("none", "no_edge", 0)


def test_cheaper_fees_make_the_same_edge_worth_it():
    cheap = instrument(taker_fee=Decimal("0.001"))

    assert decide(situation(gain=0.015, instrument=cheap)).action == "buy"


def test_cash_bounds_the_order_with_room_for_fees():
    wanted = decide(situation(cash=Decimal(100)))

    assert wanted.quantity * wanted.limit * Decimal("1.008") < 100


def test_the_book_bounds_the_order():
    wanted = decide(situation(most_to_buy=Decimal(300)))

    assert Decimal(299) < wanted.quantity * wanted.limit <= 300


def test_a_wild_market_is_given_less_money_than_a_calm_one():
    calm, wild = (situation(volatility=v, max_position_value=Decimal(10**6)) for v in (0.02, 0.2))

    # A tenth of 10,000 has a deviation of 2 % of them a day where the market's is 20 %.
    assert wild.wanted(wild.sized) == pytest.approx(Decimal(1000))
    assert calm.wanted(calm.sized) > 5 * wild.wanted(wild.sized)
    unknown = situation(volatility=None)
    assert unknown.wanted(unknown.sized) == 0
    assert decide(situation(volatility=None)).reason_code == "no_stake"


def test_resting_pays_the_maker_s_fee_on_the_way_in_and_starts_at_the_touch():
    wanted = decide(situation(policy=Policy.POST_ONLY))

    assert wanted.cost == pytest.approx(0.004 + 0.008 + QUOTE.spread / 2)
    assert wanted.limit == QUOTE.bid
    assert QUOTE.ask < wanted.worst < QUOTE.ask * Decimal("1.003")
    assert decide(situation()).worst is None


def test_while_an_order_may_still_trade_no_other_is_wanted():
    assert decide(situation(under_way=True)).reason_code == "under_way"


def test_a_position_is_trimmed_only_beyond_the_band():
    held = situation(held=Decimal(550), bars_held=1, probability=0.5)

    assert decide(held).reason_code == "holding"
    wanted = decide(replace(held, held=Decimal(700)))
    assert (wanted.action, wanted.reason_code) == ("sell", "trim")
    assert wanted.target * QUOTE.bid == pytest.approx(Decimal(1000))


def test_a_position_is_added_to_only_on_an_edge_that_pays_another_round_trip():
    small = situation(held=Decimal(100), bars_held=1)

    assert (decide(small).action, decide(small).reason_code) == ("buy", "add")
    assert decide(replace(small, held=Decimal(420))).reason_code == "holding"
    assert decide(replace(small, probability=0.45)).reason_code == "holding"


def test_too_little_money_for_a_lot_buys_nothing():
    assert decide(situation(cash=Decimal(2))).reason_code == "too_small"


def test_a_position_is_held_until_its_horizon():
    wanted = decide(situation(held=Decimal(400), bars_held=9, probability=0.3))

    assert (wanted.action, wanted.reason_code) == ("none", "holding")


def test_a_position_is_sold_at_its_horizon_when_the_edge_has_gone():
    wanted = decide(situation(held=Decimal(400), bars_held=10, probability=0.3))

    assert (wanted.side, wanted.quantity, wanted.reason_code) == (Side.SELL, 400, "horizon")
    assert QUOTE.bid * Decimal("0.997") < wanted.limit < QUOTE.bid
    assert wanted.target == 0


def test_a_position_is_kept_at_its_horizon_while_the_edge_is_there():
    assert decide(situation(held=Decimal(400), bars_held=10)).reason_code == "renewed"


def test_a_position_is_sold_early_when_the_model_expects_a_loss():
    wanted = decide(situation(held=Decimal(400), bars_held=1, probability=0.01, loss=0.03))

    assert (wanted.action, wanted.reason_code) == ("sell", "turned")


def test_what_is_too_little_to_sell_counts_as_nothing_held():
    assert decide(situation(held=Decimal(1), probability=0.1)).reason_code == "no_edge"


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_what_is_not_a_probability_is_refused(value):
    with pytest.raises(ValueError, match="not a probability"):
        situation(probability=value)


def test_an_unknown_fee_is_refused():
    with pytest.raises(ValueError, match="fees"):
        situation(instrument=instrument(taker_fee=None))


@given(p=st.floats(0.001, 0.999), held=st.decimals(0, 5000, places=8), bars=st.integers(0, 20))
def test_every_decision_explains_itself_and_never_sells_more_than_is_held(p, held, bars):
    now = situation(probability=p, held=held, bars_held=bars)

    wanted = decide(now)

    assert f"p {p:.3f}" in wanted.reason
    assert wanted.target >= 0
    assert (
        wanted.target == held + {"buy": 1, "sell": -1, "none": 0}[wanted.action] * wanted.quantity
    )
    assert decide(replace(now)) == wanted
