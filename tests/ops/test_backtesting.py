"""A backtest trades by the live rules, at prices after its decisions, and loses no cent."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_markets import (
    BEGIN,
    MINUTE,
    SPREAD,
    contract,
    first,
    instrument,
    rows,
    tape,
    terms,
    walk,
)

from market.instruments import Side
from ops.backtesting.backtest import run
from trader import ledger
from trader.limits import Limits

COUNT = 300
SEEDS = st.integers(0, 2**32 - 1)
# Enter, wait and leave: worth more than a round trip, less than the way out, a loss beyond it.
SURE, NEUTRAL, DOUBTFUL = 0.9, 0.27, 0.1


def foreseen(bars, horizon=10):
    """Return what a model says that knows where the price it would get is going."""
    gained = bars.close[horizon + 1 :] / bars.open[1:-horizon] - 1
    known = np.where(gained > 0.003, SURE, DOUBTFUL)
    return np.concatenate([known, np.full(horizon + 1, DOUBTFUL)])


def guesses(seed, count=COUNT):
    """Return probabilities of a model that changes its mind often, and is cold at first."""
    said = np.random.default_rng(seed).uniform(0.05, 0.95, count)
    said[:5] = np.nan
    return said


def played(bars, said, on=None, promise=None):
    return run(bars, rows(len(bars)), said, promise or contract(), on or terms())


def once(at=3, count=20):
    """Return probabilities that call for one entry, and for the way out a little later."""
    said = np.full(count, NEUTRAL)
    said[at], said[at + 5 :] = SURE, DOUBTFUL
    return said


@given(SEEDS, st.integers(20, COUNT))
@settings(max_examples=15, deadline=None)
def test_what_comes_later_never_changes_what_was_done(seed, cut):
    bars, said = tape(walk(seed, COUNT)), guesses(seed)

    whole, part = played(bars, said), played(first(bars, cut), said[:cut])

    # What was decided on the last bar has yet to trade.
    assert [one for one in whole.traded if one.number < cut - 1] == part.traded
    assert whole.equity[:cut] == part.equity
    assert len(whole.traded) > 5


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_cash_and_position_are_the_equity_and_the_ledger_agrees(seed):
    bars = tape(walk(seed, COUNT), volume=2_000.0)

    outcome = played(bars, guesses(seed))

    account, last = outcome.account, Decimal(repr(float(bars.close[-1])))
    held = {
        asset: sum(x.amount for x in account.lines if (x.account, x.asset) == ("exchange", asset))
        for asset in ("XRP", "USD")
    }
    paid = -sum(x.amount for x in account.lines if (x.account, x.asset) == ("exchange", "USD"))
    assert outcome.traded
    assert ledger.imbalance(account.lines) == {}
    assert held["XRP"] == account.position.quantity >= 0
    assert account.cash == 10_000 - paid >= 0
    assert float(account.cash + account.position.value(last)) == outcome.equity[-1]
    assert outcome.held[-1] == float(account.position.value(last))
    assert account.position.fees == sum(one.fee for one in outcome.traded)
    assert account.position.fees == sum(one.cost for one in outcome.traded) * Decimal("0.0004")
    worth = account.position.net + account.position.unrealised(last)
    assert float(worth) == pytest.approx(outcome.equity[-1] - 10_000, abs=1e-9)


@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_one_who_knows_the_future_earns_and_a_shuffled_one_pays_the_costs(seed):
    bars = tape(walk(seed, 3_000))
    knowing = foreseen(bars)

    told, shuffled = (
        played(bars, said) for said in (knowing, np.random.default_rng(seed).permutation(knowing))
    )

    assert told.equity[-1] > 10_000 + 150
    volume = float(sum(one.cost for one in shuffled.traded))
    costs = volume * (0.0004 + SPREAD / 2)
    lost = 10_000 - shuffled.equity[-1]
    # What a position of 1,000 makes of a walk is noise with a known deviation.
    noise = 1_000 * 0.002 * np.sqrt(3_000)
    assert costs > 4 * noise
    assert lost == pytest.approx(costs, abs=3 * noise)


def test_an_order_meets_the_next_open_with_spread_and_slippage():
    close = np.full(20, 2.0)
    opened = close.copy()
    opened[4], opened[9] = 2.002, 1.999
    close[4:9], close[9:] = 2.002, 1.999

    outcome = played(tape(close, opened=opened), once(), terms(slippage=Decimal("0.0001")))

    bought, sold = outcome.traded
    assert (bought.side, bought.number, bought.code) == (Side.BUY, 3, "edge")
    assert bought.at == BEGIN + 4 * MINUTE
    # 2.002 and half the spread is 2.00251 on the grid; one ten-thousandth more is 2.00272.
    assert bought.price == Decimal("2.00272")
    assert (sold.side, sold.number, sold.code) == (Side.SELL, 8, "turned")
    assert sold.price == Decimal("1.99830")
    assert sold.quantity == bought.quantity
    assert bought.fee == bought.quantity * bought.price * Decimal("0.0004")


def test_what_happens_within_the_bar_of_the_decision_is_nobodys_price():
    close = np.full(20, 2.0)
    lucky = tape(close, opened=np.where(np.arange(20) == 3, 1.0, 2.0))

    assert played(lucky, once()).traded == played(tape(close), once()).traded


def test_an_order_never_pays_more_than_its_limit():
    close = np.full(20, 2.0)
    away = np.where(np.arange(20) == 4, 2.0 * 1.003, 2.0)
    steep = terms(slippage=Decimal("0.5"))

    assert played(tape(close, opened=away), once()).unfilled == 1
    bought = played(tape(close), once(), steep).traded[0]
    assert bought.price == Decimal("2.00550")  # the ask of 2.0005, and a quarter per cent


def test_an_order_gets_no_more_than_its_share_of_the_next_bar():
    bars = tape(np.full(20, 2.0))
    bars.volume[4] = 500.0

    bought = played(bars, once()).traded[0]

    assert bought.quantity == 50 < bought.ordered


def test_where_nothing_trades_nothing_is_bought():
    bars = tape(np.full(20, 2.0))
    bars.volume[4] = 0.0

    outcome = played(bars, once())

    assert (outcome.traded, outcome.unfilled) == ([], 1)
    assert outcome.equity == [10_000.0] * 20


def test_an_order_before_a_hole_meets_nobody():
    starts = [BEGIN + (n + 5 * (n > 3)) * MINUTE for n in range(20)]

    outcome = played(tape(np.full(20, 2.0), starts=starts), once())

    assert (outcome.traded, outcome.unfilled) == ([], 1)


def test_nothing_is_decided_while_the_features_are_cold():
    said = once()
    said[:4] = np.nan

    outcome = played(tape(np.full(20, 2.0)), said)

    assert outcome.codes["cold"] == 4
    assert not outcome.traded


def test_a_position_is_left_at_its_horizon():
    said = np.full(40, NEUTRAL)
    said[3] = SURE

    bought, sold = played(tape(np.full(40, 2.0)), said).traded

    assert (sold.code, sold.number - bought.number) == ("horizon", 10)


def test_a_halt_over_losses_lets_nothing_be_opened_any_more():
    falling = 2 * np.exp(-0.001 * np.arange(400))
    strict = Limits(max_daily_loss=Decimal(20), max_entries_per_hour=10_000)
    said = np.where(np.arange(400) % 30 < 3, SURE, DOUBTFUL)

    outcome = played(tape(falling), said, terms(limits=strict))

    assert [halt.code for halt in outcome.halts] == ["daily_loss"]
    after = [one for one in outcome.traded if one.at > outcome.halts[0].at]
    assert all(one.side is Side.SELL for one in after)
    assert outcome.codes["reducing_only"] + outcome.codes["daily_loss"] > 0


def test_entering_again_and_again_is_halted_as_live():
    said = np.tile([SURE, DOUBTFUL], 50)
    few = Limits(max_entries_per_hour=3)

    outcome = played(tape(walk(1, 100, 1e-4)), said, terms(limits=few))

    assert [halt.code for halt in outcome.halts] == ["repeated_execution"]
    assert sum(one.side is Side.BUY for one in outcome.traded) == 3


def test_a_model_that_costs_too_much_is_sent_away():
    falling = 2 * np.exp(-0.001 * np.arange(400))
    limits = Limits(max_model_loss=Decimal(5), max_entries_per_hour=10_000)
    said = np.where(np.arange(400) % 30 < 20, SURE, DOUBTFUL)

    outcome = played(tape(falling), said, terms(limits=limits))

    assert "of 5 allowed" in outcome.sent_away
    assert outcome.codes["no_model"] > 300


def test_a_model_that_says_the_same_of_everything_is_sent_away():
    outcome = played(tape(np.full(COUNT, 2.0)), np.full(COUNT, 0.2))

    assert "different bars in a row" in outcome.sent_away


def test_a_market_without_fees_on_record_is_refused():
    with pytest.raises(ValueError, match="fees of XRP/USD are not known"):
        played(tape([2.0, 2.0]), np.full(2, 0.5), terms(instrument=instrument(taker_fee=None)))


@pytest.mark.parametrize("wrong", [float("nan"), 0.0, -1.0])
def test_a_tape_of_impossible_prices_is_refused(wrong):
    with pytest.raises(ValueError, match=r"finite|positive"):
        tape([2.0, wrong, 2.0])


def test_a_row_a_bar_is_wanted():
    with pytest.raises(ValueError, match="20 bars, 20 rows, 19 probabilities"):
        played(tape(np.full(20, 2.0)), np.full(19, 0.5))
