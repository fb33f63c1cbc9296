"""What rests is moved, ended and followed up as decided, and a halt reaches it at once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from circumstances_of_ours import circumstances
from orders_of_ours import NOON, XRP, accepted, cancelled, filled, order
from paper_exchange import PaperExchange, serving
from sqlalchemy.orm import Session

from market.instruments import Quote, Side
from sql import explanation
from sql.errors import LeaseLost
from sql.lease import Lease
from trader import journal, record
from trader.desk import Desk
from trader.limits import Limits
from trader.orders import client_order_id
from trader.pursuit import pursue

LATER = NOON + timedelta(seconds=10)


def quote(bid="2.000", ask="2.001"):
    return Quote(symbol="XRP/USD", at=LATER, bid=Decimal(bid), ask=Decimal(ask))


def resting(side=Side.BUY):
    limit, worst = ("2.000", "2.005") if side is Side.BUY else ("2.001", "1.996")
    return order(
        side=side, limit=Decimal(limit), worst=Decimal(worst), time_in_force="gtc", decision_id=None
    )


@pytest.fixture
def paper():
    return PaperExchange()


@pytest.fixture
def exchange(paper):
    with serving(paper) as client:
        yield client


@pytest.fixture
def desk():
    return Desk(
        instrument=XRP,
        interval=timedelta(minutes=1),
        trusted=True,
        quote=quote(),
        bid_depth=Decimal(20_000),
        ask_depth=Decimal(20_000),
    )


@pytest.fixture
def lease(engine):
    return Lease(engine, "kraken")


@pytest.fixture
def look(lease, exchange, desk):
    """Look after what rests, at so many seconds past noon."""

    def act(after=10, **changes):
        around = circumstances(NOON + timedelta(seconds=after), **changes)
        return pursue(lease, exchange, {"XRP/USD": desk}, lambda _: around)

    return act


def send(engine, exchange, one):
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
        journal.record_event(session, one.id, replace(exchange.place(one), at=NOON))


def test_an_order_is_moved_with_the_touch_by_amending_it(engine, exchange, paper, desk, look):
    send(engine, exchange, resting())
    desk.quote = quote("2.003", "2.004")

    assert look() == []

    (theirs,) = paper.orders.values()
    assert (theirs["limit"], theirs["status"]) == ("2.003", "open")
    assert kinds(engine) == ["intended", "accepted", "amending"]
    with Session(engine) as session:
        assert journal.order_by_id(session, resting().id).limit == Decimal("2.003")


@pytest.mark.parametrize("age", [timedelta(seconds=2.1), timedelta(seconds=-1), None])
def test_an_order_is_not_moved_by_a_quote_that_is_old(engine, exchange, desk, look, age):
    send(engine, exchange, resting())
    desk.quote = quote("2.003", "2.004")

    look(quote_age=age)

    with Session(engine) as session:
        assert journal.order_by_id(session, resting().id).limit == Decimal("2.000")


def test_an_order_the_exchange_would_not_move_keeps_its_limit(engine, exchange, paper, desk, look):
    send(engine, exchange, resting())
    desk.quote = quote("2.003", "2.004")
    paper.before["AmendOrder"] = 200, '{"error": ["EOrder:Post only order"]}'

    look()

    with Session(engine) as session:
        assert journal.order_by_id(session, resting().id).limit == Decimal("2.000")


def test_an_order_whose_move_is_not_answered_reserves_the_dearer_price(
    engine, exchange, paper, desk, look
):
    send(engine, exchange, resting())
    desk.quote = quote("2.003", "2.004")
    paper.after["AmendOrder"] = 502, ""

    look()

    with Session(engine) as session:
        assert journal.order_by_id(session, resting().id).limit == Decimal("2.003")


def test_an_order_that_is_not_ours_to_move_yet_is_left_alone(engine, exchange, paper, desk, look):
    send(engine, exchange, resting())
    desk.quote, desk.trusted = quote("2.003", "2.004"), False

    look()

    assert next(iter(paper.orders.values()))["limit"] == "2"


def test_an_order_whose_time_is_up_is_cancelled_until_the_exchange_hears_it(
    engine, exchange, paper, look
):
    send(engine, exchange, resting())
    paper.before["CancelOrder"] = None, ""

    look(after=30)
    assert status(paper) == "open"
    del paper.before["CancelOrder"]
    look(after=31)
    assert status(paper) == "open"
    look(after=33)

    assert status(paper) == "canceled"
    assert kinds(engine) == ["intended", "accepted", "cancelling", "cancelling"]


@pytest.mark.parametrize(
    ("code", "side", "left"),
    [
        ("command", Side.BUY, "canceled"),
        ("command", Side.SELL, "canceled"),
        ("daily_loss", Side.BUY, "canceled"),
        ("daily_loss", Side.SELL, "open"),
    ],
)
def test_a_halt_ends_at_once_what_may_not_rest(engine, paper, look, code, side, left):  # noqa: PLR0917 - a fixture each
    with serving(paper) as exchange:
        send(engine, exchange, resting(side))
    halt(engine, code)

    look(after=1)

    assert status(paper) == left


def test_an_order_that_ended_in_vain_is_followed_up_once(engine, exchange, desk, look):
    send(engine, exchange, resting())
    desk.worked = resting().id
    assert look() == []
    assert desk.worked is not None

    with Session(engine) as session, session.begin():
        journal.record_event(session, resting().id, cancelled())

    assert look() == []  # there is no score to decide again by
    assert desk.worked is None


def test_flattening_sells_the_position_and_goes_on_until_nothing_is_left(engine, desk, look):
    bought = order(id=client_order_id("b", 1), decision_id=None, quantity=Decimal(100))
    with Session(engine) as session, session.begin():
        journal.record_intent(session, bought)
        journal.record_event(session, bought.id, filled("100"))
    halt(engine, "flatten")

    desk.bid_depth = Decimal(480)
    (first,) = look(limits=Limits(depth_share=Decimal("0.25")))
    assert (first.side, first.time_in_force) == (Side.SELL, "ioc")
    assert first.quantity * first.limit <= 120
    assert look() == []  # the first is still under way
    with Session(engine) as session, session.begin():
        journal.record_event(session, first.id, accepted())
        journal.record_event(session, first.id, filled(first.quantity, "T2"))

    desk.bid_depth = Decimal(20_000)
    (second,) = look(after=20)
    assert second.quantity == 100 - first.quantity


def test_who_lost_the_lease_since_it_was_checked_sells_nothing(engine, look, lease):
    bought = order(id=client_order_id("b", 1), decision_id=None, quantity=Decimal(100))
    with Session(engine) as session, session.begin():
        journal.record_intent(session, bought)
        journal.record_event(session, bought.id, filled("100"))
    halt(engine, "flatten")
    lease.release()

    with pytest.raises(LeaseLost):
        look()

    with Session(engine) as session:
        assert journal.unsettled_orders(session) == []


def test_flattening_sends_nothing_while_all_is_halted(engine, desk, look):
    bought = order(id=client_order_id("b", 1), decision_id=None, quantity=Decimal(100))
    with Session(engine) as session, session.begin():
        journal.record_intent(session, bought)
        journal.record_event(session, bought.id, filled("100"))
    halt(engine, "flatten")
    halt(engine, "command")

    assert look() == []
    assert "halted" in desk.last_word


def halt(engine, code):
    with Session(engine) as session, session.begin():
        record.halt(session, reason_code=code, reason="because", who="test", at=NOON)


def status(paper):
    (theirs,) = paper.orders.values()
    return theirs["status"]


def kinds(engine):
    with Session(engine) as session:
        return [event.kind for event in explanation.why(session, resting().id).events]
