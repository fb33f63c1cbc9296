"""The exchange's switch is armed while we live, and off while it or we are closed."""

from datetime import timedelta

import pytest
from orders_of_ours import NOON
from paper_exchange import PaperExchange, serving

from trader.switch import DeadMansSwitch


@pytest.fixture
def paper():
    return PaperExchange()


@pytest.fixture
def switch(paper):
    with serving(paper) as client:
        yield DeadMansSwitch(client)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def asked(paper):
    return [int(params["timeout"]) for method, params in paper.asked if "After" in method]


def test_it_is_renewed_every_third_of_its_time(paper, switch):
    for second in range(45):
        switch.renew(after(second), "online")

    assert asked(paper) == [60, 60, 60]
    assert switch.age(after(45)) == timedelta(seconds=5)


def test_one_that_was_not_heard_grows_old(paper, switch):
    switch.renew(after(0), "online")
    paper.before["CancelAllOrdersAfter"] = 502, ""
    switch.renew(after(20), "online")

    assert switch.age(after(21)) == timedelta(seconds=21)


def test_before_it_was_ever_heard_it_is_off(switch):
    assert switch.age(NOON) is None
    switch.disarm()
    assert switch.age(NOON) is None


def test_it_is_off_while_the_exchange_is_closed(paper, switch):
    switch.renew(after(0), "online")
    switch.renew(after(1), "maintenance")
    switch.renew(after(2), "maintenance")

    assert asked(paper) == [60, 0]
    assert switch.age(after(2)) is None
    switch.renew(after(3), "online")
    assert switch.age(after(3)) == timedelta(0)


def test_one_whose_disarming_was_not_answered_is_not_counted_on(paper, switch):
    switch.renew(after(0), "online")
    paper.after["CancelAllOrdersAfter"] = None, ""
    switch.renew(after(1), "maintenance")
    assert paper.switch == 0

    del paper.after["CancelAllOrdersAfter"]
    switch.renew(after(2), "online")

    assert (switch.age(after(3)) is None) == (paper.switch == 0)
