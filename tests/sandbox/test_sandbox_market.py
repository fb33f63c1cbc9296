"""The synthetic market depends on seed, symbol and time alone, and holds what was planted."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.candles import candles
from sandbox.instruments import BY_SYMBOL, PAIRS
from sandbox.swings import displacement, swing
from sandbox.synthetic import HOUR_NS, STEP_NS, Synthetic, _block
from sandbox.tape import MINUTE_NS, OwnPrint, Tape

XRP = BY_SYMBOL["XRP/USD"]
HOUR = 492_000
NOW = HOUR * HOUR_NS + 1_234_567_890_123


def fills(time, price=210000):
    return OwnPrint("XRP/USD", time, price, 10**9, bought=True, market=False)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.symbol)
def test_an_hour_is_the_same_whenever_it_is_made(pair):
    market = Synthetic(7, 0.015)
    before = market.block(pair, HOUR)
    _block.cache_clear()
    market.block(pair, HOUR + 5)
    again = market.block(pair, HOUR)

    assert np.array_equal(before.prints.price, again.prints.price)
    assert np.array_equal(before.prints.time, again.prints.time)
    assert np.array_equal(before.ask, again.ask)


def test_seeds_and_symbols_have_prices_of_their_own():
    one, other = Synthetic(7, 0.0), Synthetic(8, 0.0)

    assert not np.array_equal(one.block(XRP, HOUR).ask, other.block(XRP, HOUR).ask)
    moves = [np.diff(np.log(one.block(pair, HOUR).ask.astype(float))) for pair in PAIRS]
    assert abs(np.corrcoef(moves)[0, 1]) < 0.1


@given(st.integers(420_000, 600_000))
@settings(max_examples=30, deadline=None)
def test_quotes_never_cross_and_trades_happen_at_them(hour):
    block = Synthetic(3, 0.015).block(XRP, hour)
    step = (block.prints.time - hour * HOUR_NS) // STEP_NS

    assert (block.ask > block.bid).all()
    assert (np.diff(block.prints.time) > 0).all()
    expected = np.where(block.prints.bought, block.ask[step], block.bid[step])
    assert np.array_equal(block.prints.price, expected)


def test_every_swing_is_undone_by_the_next():
    ends = displacement(7, "XRP/USD", HOUR, 0.015, np.array([0.0]))
    later = displacement(7, "XRP/USD", HOUR + 2, 0.015, np.array([0.0]))

    assert ends[0] == pytest.approx(0)
    assert later[0] == pytest.approx(0)
    for pair in range(100):
        first, second = swing(7, "XRP/USD", 2 * pair), swing(7, "XRP/USD", 2 * pair + 1)
        assert (first is None) == (second is None)
        assert first is None or first[1] == -second[1]


def test_a_swing_goes_on_by_the_stated_edge():
    sizes = [abs(found[1]) for slot in range(4000) if (found := swing(7, "XRP/USD", slot))]

    assert np.mean(sizes) == pytest.approx(1, abs=0.02)
    assert 0.85 < len(sizes) / 4000 < 0.95


def test_without_an_edge_returns_do_not_predict_returns():
    market = Synthetic(7, 0.0)
    middle = np.concatenate(
        [(block.ask + block.bid) / 2 for h in range(300) for block in [market.block(XRP, HOUR + h)]]
    )
    minutely = np.diff(np.log(middle[::34]))
    bound = 4 / np.sqrt(len(minutely))

    for lag in (1, 2, 3, 5, 10):
        assert abs(np.corrcoef(minutely[lag:], minutely[:-lag])[0, 1]) < bound
    assert 6e-4 < minutely.std() < 13e-4
    assert abs(np.diff(middle)[1:]).max() / middle.mean() < 0.02


def test_sixty_days_of_minutes_take_less_than_two_seconds():
    tape = Tape(Synthetic(99, 0.015), XRP)
    began = time.process_time()
    for hour in range(HOUR - 1440, HOUR):
        tape.minutes(hour)

    assert time.process_time() - began < 2


def test_trade_ids_follow_one_another_and_own_fills_move_them_up():
    tape = Tape(Synthetic(7, 0.015), XRP)
    before = tape.since(NOW - 2 * HOUR_NS, NOW, 1000)
    later = tape.since(NOW, NOW + HOUR_NS, 10).identity[0]

    identity = tape.add(fills(NOW))

    after = tape.since(NOW - 2 * HOUR_NS, NOW, 1000)
    assert (np.diff(after.identity) == 1).all()
    assert after.identity[-1] == identity
    assert np.array_equal(after.identity[:-1], before.identity)
    assert tape.since(NOW, NOW + HOUR_NS, 10).identity[0] == later + 1
    assert tape.since(NOW + 5 * HOUR_NS, NOW + 6 * HOUR_NS, 1000).identity[0] > identity


def test_pages_of_trades_leave_nothing_out():
    tape = Tape(Synthetic(7, 0.015), XRP)
    whole = tape.between(NOW - 9 * HOUR_NS, NOW).identity
    cursor, pages = NOW - 9 * HOUR_NS, []
    while len(page := tape.since(cursor, NOW, 700).identity):
        cursor = int(tape.since(cursor, NOW, 700).time[-1])
        pages.append(page)

    assert np.array_equal(np.concatenate(pages), whole)


def test_candles_add_up_to_the_trades():
    tape = Tape(Synthetic(7, 0.015), XRP)
    tape.add(fills(NOW - 90 * MINUTE_NS))
    made = candles(tape, 5, NOW)
    for candle in made[-30:]:
        end = min(candle.begin + 5 * MINUTE_NS - 1, NOW)
        trades = tape.between(candle.begin - 1, end)
        assert candle.count == len(trades.time)
        assert candle.volume == trades.quantity.sum()
        assert (candle.open, candle.close) == (trades.price[0], trades.price[-1])
        assert (candle.low, candle.high) == (trades.price.min(), trades.price.max())
    assert len(made) == 720
    assert made[-1].begin <= NOW < made[-1].begin + 5 * MINUTE_NS
