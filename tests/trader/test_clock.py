"""The exchange's clock goes on between messages and never back."""

from datetime import UTC, datetime, timedelta

from trader.clock import ExchangeClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_time_goes_on_between_messages():
    clock = ExchangeClock(START, heard=100.0)

    assert clock.now(103.5) == START + timedelta(seconds=3.5)


def test_a_message_from_the_future_moves_the_clock_forward():
    clock = ExchangeClock(START, heard=100.0)

    clock.observe(START + timedelta(minutes=1), heard=101.0)

    assert clock.now(101.0) == START + timedelta(minutes=1)


def test_a_late_message_does_not_turn_it_back():
    clock = ExchangeClock(START, heard=100.0)

    clock.observe(START - timedelta(minutes=1), heard=101.0)

    assert clock.now(101.0) == START + timedelta(seconds=1)
