"""The exchange's clock goes on between messages and never back."""

from datetime import UTC, datetime, timedelta

from streams.clock import ExchangeClock

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


def test_skew_is_the_median_delay_of_the_messages_that_moved_time_on():
    clock = ExchangeClock(START, heard=100.0, wall=START + timedelta(seconds=3))
    assert clock.skew is None

    for second in range(1, 60):
        late = 5.0 if second % 10 == 0 else 0.25
        clock.observe(START + timedelta(seconds=second), heard=100.0 + second + late)
        clock.observe(START - timedelta(hours=1), heard=100.0 + second + late)  # a snapshot's

    assert clock.skew == timedelta(seconds=3.25)


def test_without_a_time_of_our_own_no_skew_is_known():
    clock = ExchangeClock(START, heard=100.0)
    clock.observe(START + timedelta(seconds=1), heard=101.0)

    assert clock.skew is None
