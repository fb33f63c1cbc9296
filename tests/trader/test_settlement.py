"""Whatever got lost between us and the exchange is found, mended once, and never guessed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from orders_of_ours import NOON, accepted, order
from paper_exchange import PaperExchange, serving
from sqlalchemy.orm import Session

from market.errors import ExchangeUnreachable
from sql import reads
from trader import accounts, journal, record, settlement
from trader.orders import LostTrack, Rejected, Status, client_order_id

AT_ONCE = timedelta(0)
OVERDUE, ALMOST, LATER = 20, 70, 100


@pytest.fixture
def paper():
    return PaperExchange()


@pytest.fixture
def exchange(paper):
    with serving(paper) as client:
        yield client


@pytest.fixture
def reconcile(engine, exchange):
    def run():
        return settlement.reconcile(engine, exchange, trigger="test", pause=AT_ONCE)

    return run


@pytest.fixture
def opened(reconcile):
    assert reconcile().opened


def intend(engine, one):
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
    return one


def note(engine, one, event):
    with Session(engine) as session, session.begin():
        return journal.record_event(session, one.id, event)


def send(engine, exchange, one):
    """Go the way of every order: intent committed, sent, answer written down."""
    return note(engine, intend(engine, one), exchange.place(one))


def state(engine, one):
    with Session(engine) as session:
        return journal.order_by_id(session, one.id)


def assert_settled(engine, paper, reconcile):
    """Check that the ledger is the exchange's balances and that nothing is left to find."""
    again = reconcile()
    assert (again.clean, again.differences) == (True, ())
    with Session(engine) as session:
        ours = {k: v for k, v in accounts.ledger_balances(session).items() if v}
    assert ours == {"USD": paper.balances["ZUSD"], "XRP": paper.balances["XXRP"]}


def test_the_first_reconciliation_opens_the_ledger_with_what_is_there(engine, paper, reconcile):
    found = reconcile()

    assert (found.clean, found.opened, found.differences) == (True, True, ())
    with Session(engine) as session:
        assert accounts.ledger_balances(session) == {"USD": 10_000, "XRP": Decimal("5.25")}
        assert accounts.position(session, "XRP/USD").quantity == 0
        assert {row.reason for row in reads.adjustments(session)} == {
            "balance before the first entry"
        }
    assert_settled(engine, paper, reconcile)


@pytest.mark.usefixtures("opened")
def test_what_nothing_explains_halts_whoever_looked(engine, paper, reconcile):
    paper.balances["ZUSD"] += 1

    found = reconcile()

    assert not found.clean
    with Session(engine) as session:
        halt = record.current_halt(session)
    assert (halt.reason_code, halt.reason) == ("reconciliation", found.reason)


@pytest.mark.usefixtures("opened")
def test_fills_nobody_told_us_about_are_booked_to_the_last_digit(
    engine, paper, exchange, reconcile
):
    paper.fill_on_arrival = Decimal("3.12345678")
    one = send(engine, exchange, order())

    found = reconcile()

    assert found.clean
    assert [(d.level, d.action) for d in found.differences] == [
        ("fill", "booked"),
        ("order", "cancelled"),
    ]
    assert (state(engine, one).status, state(engine, one).filled) == (
        Status.CANCELLED,
        Decimal("3.12345678"),
    )
    assert_settled(engine, paper, reconcile)


@pytest.mark.usefixtures("opened")
def test_an_order_whose_answer_was_lost_is_adopted_with_its_fills(
    engine, paper, exchange, reconcile
):
    paper.after["AddOrder"] = (None, "")
    paper.fill_on_arrival = Decimal(10)
    one = send(engine, exchange, order())
    assert (one.status, one.reserved) == (Status.UNKNOWN, 10)

    assert reconcile().clean
    assert state(engine, one).status is Status.FILLED
    assert_settled(engine, paper, reconcile)


@pytest.mark.usefixtures("opened")
def test_an_order_that_never_arrived_waits_for_its_deadline_and_is_then_given_up(
    engine, paper, exchange, reconcile
):
    paper.before["AddOrder"] = (None, "")
    one = send(engine, exchange, order())

    found = reconcile()
    assert (found.clean, found.waiting) == (True, (one.id,))
    assert state(engine, one).reserved == 10

    paper.now += OVERDUE  # the lists may lag: it is looked for, not fenced off
    assert reconcile().waiting == (one.id,)
    paper.now += ALMOST
    assert reconcile().waiting == (one.id,)
    assert state(engine, one).reserved == 10
    assert not any(method == "CancelOrder" for method, _ in paper.asked)

    paper.now += OVERDUE
    found = reconcile()
    assert (found.clean, found.waiting) == (True, ())
    assert state(engine, one).status is Status.REJECTED
    asked = [method for method, params in paper.asked if params.get("cl_ord_id") == one.id]
    assert asked[-5:] == [
        "OpenOrders",
        "ClosedOrders",
        "CancelOrder",
        "OpenOrders",
        "ClosedOrders",
    ]
    assert_settled(engine, paper, reconcile)


@pytest.mark.usefixtures("opened")
def test_a_crash_between_intent_and_sending_leaves_an_order_that_is_given_up(
    engine, paper, reconcile
):
    one = intend(engine, order())
    reconcile()
    paper.now += LATER

    # However late it is, the lists may lag behind at the first look.
    assert reconcile().waiting == (one.id,)
    paper.now += LATER

    assert reconcile().clean
    assert state(engine, one).status is Status.REJECTED


@pytest.mark.usefixtures("opened")
def test_the_fence_cancels_an_order_that_the_lists_did_not_show_yet(
    engine, paper, exchange, reconcile, monkeypatch
):
    one = send(engine, exchange, order(time_in_force="gtc"))
    note(engine, one, LostTrack(at=NOON, reason="test"))
    paper.now += LATER
    hidden = paper.do_openorders
    monkeypatch.setattr(paper, "do_openorders", lambda _: {"error": [], "result": {"open": {}}})
    assert reconcile().waiting == (one.id,)
    paper.now += LATER

    found = reconcile()

    assert found.clean
    assert state(engine, one).status is Status.CANCELLED
    assert hidden({})["result"]["open"] == {}


@pytest.mark.usefixtures("opened")
def test_a_resting_order_that_fills_later_is_followed(engine, paper, exchange, reconcile):
    one = send(engine, exchange, order(time_in_force="gtc"))
    txid = one.exchange_id
    for quantity in ("2.5", "0.5"):
        paper.fill(txid, quantity)
        assert reconcile().clean
    assert (state(engine, one).status, state(engine, one).filled) == (Status.OPEN, 3)

    paper.fill(txid, 7)
    assert reconcile().clean
    assert state(engine, one).status is Status.FILLED
    assert_settled(engine, paper, reconcile)


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    "fault",
    [
        ("balance", lambda paper: paper.balances.update(ZUSD=paper.balances["ZUSD"] + 1)),
        ("balance", lambda paper: paper.balances.update(XETH=Decimal("0.00000001"))),
        ("fill", lambda paper: last(paper.trades).update(fee="0.01")),
        ("fill", lambda paper: last(paper.trades).update(price="2.2")),
        ("fill", lambda paper: paper.trades.clear()),
        ("fill", lambda paper: paper.trades.update(X=last(paper.trades) | {"ordertxid": "OX"})),
        ("order", lambda paper: paper.orders.update(OX=resting(paper))),
        ("order", lambda paper: last(paper.orders).update(vol_exec="2")),
        ("order", lambda paper: paper.orders.clear()),
    ],
)
def test_every_difference_that_no_news_explains_is_found_and_kept(
    engine, paper, exchange, reconcile, fault
):
    one = send(engine, exchange, order(time_in_force="gtc"))
    paper.fill(one.exchange_id, 3)
    assert reconcile().clean

    level, spoil = fault
    spoil(paper)
    found = reconcile()

    assert not found.clean
    assert level in {d.level for d in found.differences if not d.explained}
    assert "unexplained, first" in found.reason
    with Session(engine) as session:
        (latest, *_) = reads.reconciliations(session)
    assert (latest.clean, len(latest.discrepancies)) == (False, len(found.differences))
    assert not reconcile().clean


def last(rows):
    return list(rows.values())[-1]


def resting(paper):
    return last(paper.orders) | {"cl_ord_id": None, "status": "open"}


@pytest.mark.usefixtures("opened")
def test_a_deposit_is_accepted_on_a_person_s_word(engine, paper, exchange, reconcile):
    paper.balances["ZUSD"] += 500
    assert not reconcile().clean

    changes = settlement.accept(engine, exchange, who="anna", reason="deposit")

    assert changes == {"USD": 500}
    assert_settled(engine, paper, reconcile)
    with Session(engine) as session:
        assert reads.adjustments(session)[0].reason == "deposit"


@pytest.mark.usefixtures("opened")
def test_accepting_a_deposit_books_a_trade_nobody_told_us_about_as_a_trade(
    engine, paper, exchange, reconcile
):
    one = intend(engine, order())
    paper.fill_on_arrival = Decimal(4)
    exchange.place(one)
    paper.balances["ZUSD"] += 500
    paper.now += 3

    changes = settlement.accept(engine, exchange, who="anna", reason="deposit")

    assert changes == {"USD": 500}
    assert_settled(engine, paper, reconcile)
    with Session(engine) as session:
        assert accounts.held(session, "XRP/USD") == 4


def test_an_exchange_that_does_not_answer_changes_nothing(engine, paper, reconcile):
    paper.before["BalanceEx"] = (503, "")

    with pytest.raises(ExchangeUnreachable):
        reconcile()

    with Session(engine) as session:
        assert reads.reconciliations(session) == []
        assert accounts.ledger_balances(session) == {}


@pytest.mark.usefixtures("opened")
def test_an_order_listed_twice_under_our_id_is_left_for_a_person(engine, paper, reconcile):
    one = intend(engine, order())
    for txid in ("O1", "O2"):
        paper.do_addorder(
            {
                "cl_ord_id": one.id,
                "pair": "XXRPZUSD",
                "type": "buy",
                "volume": "10",
                "price": "2",
                "timeinforce": "GTC",
            }
        )
        assert txid

    found = reconcile()

    assert not found.clean
    assert "several" in found.differences[0].found


def test_the_outcome_is_a_page_a_person_can_read(reconcile):
    page = reconcile().markdown()

    assert "The record agrees with the exchange." in page


@pytest.mark.usefixtures("opened")
def test_an_accepted_order_is_followed_without_its_answer(engine, exchange, reconcile):
    one = intend(engine, order(time_in_force="gtc"))
    placed = exchange.place(one)

    assert reconcile().clean
    assert state(engine, one).exchange_id == placed.exchange_id
    assert state(engine, one) == note(engine, one, accepted(placed.exchange_id))


@pytest.mark.usefixtures("opened")
def test_an_order_that_stands_although_we_hold_it_rejected_is_left_for_a_person(
    engine, exchange, reconcile
):
    """Its absence was proved, and then it is there: nothing that we know explains that."""
    one = intend(engine, order(time_in_force="gtc"))
    note(engine, one, Rejected(at=NOON, reason="never reached the exchange"))
    exchange.place(one)

    found = reconcile()

    assert not found.clean
    assert found.differences[0].expected == "no such order"


@pytest.mark.usefixtures("opened")
def test_what_the_exchanges_ledger_rounds_off_is_booked_and_halts_nothing(
    engine, paper, exchange, reconcile
):
    paper.ledger_step = Decimal("0.0001")
    for number in range(6):
        paper.fill_on_arrival = Decimal("3.12345678") + number
        limit = Decimal("0.52343") + Decimal(number) / 1000
        name = client_order_id("rounding", number + 1)
        send(engine, exchange, order(id=name, limit=limit, created_at=NOON))

    found = reconcile()

    assert found.clean
    (rounding,) = [d for d in found.differences if d.level == "balance"]
    assert (rounding.subject, rounding.action) == ("USD", "rounding booked")
    assert_settled(engine, paper, reconcile)


@pytest.mark.usefixtures("opened")
def test_more_than_rounding_takes_from_so_many_fills_is_left_for_a_person(
    engine, paper, exchange, reconcile
):
    paper.ledger_step = Decimal("0.0001")
    paper.fill_on_arrival = Decimal("3.12345678")
    send(engine, exchange, order(limit=Decimal("0.52343")))
    paper.balances["ZUSD"] -= Decimal("0.0003")

    found = reconcile()

    assert not found.clean
    assert [d.subject for d in found.differences if not d.explained] == ["USD"]


@pytest.mark.usefixtures("opened")
def test_without_a_fill_to_round_not_a_ten_thousandth_is_explained(paper, reconcile):
    paper.balances["ZUSD"] -= Decimal("0.0001")

    assert not reconcile().clean
