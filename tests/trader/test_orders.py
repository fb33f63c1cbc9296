"""No news of an order, however late, repeated or shuffled, overfills it or changes the past."""

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders_of_ours import NOON, accepted, cancelled, filled, order

from trader.errors import IllegalTransition
from trader.orders import (
    ALLOWED,
    Accepted,
    Filled,
    LostTrack,
    Rejected,
    Status,
    apply,
    client_order_id,
)

LOST = LostTrack(at=NOON, reason="timeout")
REJECTED = Rejected(at=NOON, reason="EOrder:Insufficient funds")
EVENTS = [accepted(), filled(4), cancelled(), REJECTED, LOST]


def fold(events, start=None):
    """Apply fills once by exec id, as the journal does, and everything else as it comes."""
    now, seen = start or order(), set()
    for event in events:
        if isinstance(event, Filled):
            if event.exec_id in seen:
                continue
            seen.add(event.exec_id)
        now = apply(now, event)
    return now


def test_the_table_has_a_row_for_every_status():
    assert set(ALLOWED) == set(Status)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_either_applied_or_refused_by_name(status, event):
    now = order(status=status, filled=Decimal(10 if status is Status.FILLED else 0))

    if type(event) in ALLOWED[status]:
        assert apply(now, event).filled >= now.filled
    else:
        with pytest.raises(IllegalTransition, match=type(event).__name__):
            apply(now, event)


reports = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=0, max_size=4).filter(
    lambda parts: sum(parts) <= 10
)


@given(parts=reports, ended=st.booleans(), data=st.data())
def test_any_order_of_the_same_reports_with_repeats_ends_the_same(parts, ended, data):
    events = [accepted(), *(filled(q, f"T{n}") for n, q in enumerate(parts))]
    events += [cancelled()] if ended else []
    expected = fold(events)

    shuffled = data.draw(st.permutations(events + events))

    assert fold(shuffled) == expected
    assert expected.filled == sum(parts) <= expected.quantity


@given(
    st.lists(
        st.sampled_from([accepted(), cancelled(), LOST, *(filled(4, f"T{n}") for n in range(4))])
    )
)
def test_no_history_overfills_an_order(events):
    now, seen = order(), set()
    for event in events:
        try:
            if not (isinstance(event, Filled) and event.exec_id in seen):
                now = apply(now, event)
                seen.add(getattr(event, "exec_id", None))
        except IllegalTransition:
            pass

        assert 0 <= now.filled <= now.quantity


def test_a_fill_after_the_cancel_is_booked_and_the_order_stays_cancelled():
    now = fold([accepted(), cancelled(), filled(4)])

    assert (now.status, now.filled) == (Status.CANCELLED, 4)


def test_a_lost_answer_after_the_report_of_the_end_changes_nothing():
    ended = fold([accepted(), filled(10)])

    assert apply(ended, LOST) == ended


def test_an_unknown_order_keeps_all_of_its_exposure_reserved():
    assert fold([filled(4), LOST]).reserved == 6
    assert fold([accepted(), cancelled()]).reserved == 0


def test_a_second_exchange_id_is_refused():
    with pytest.raises(IllegalTransition, match="a second id"):
        fold([accepted("A"), accepted("B")])


def test_client_order_ids_are_hex_stable_and_never_shared():
    made = [client_order_id(d, n) for d, n in itertools.product(["a", "a/1", "b"], [1, 2, 11])]

    assert len(set(made)) == 9
    assert all(len(made_id) == 32 and int(made_id, 16) for made_id in made)
    assert client_order_id("a", 1) == made[0]


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "0", "-1"])
def test_nonsense_is_neither_an_order_nor_a_fill(amount):
    with pytest.raises(ValueError, match="must be positive"):
        order(quantity=Decimal(amount))
    with pytest.raises(ValueError, match="not a"):
        replace(filled(1), price=Decimal(amount))


def test_an_accepted_order_is_open():
    assert apply(order(), Accepted(at=NOON, exchange_id="O")).status is Status.OPEN


def test_an_order_proved_absent_may_still_be_left_without_an_answer():
    """A reconciliation beside the trader may be quicker than the request's time-out."""
    rejected = order(status=Status.REJECTED)

    assert apply(rejected, LOST) == rejected
