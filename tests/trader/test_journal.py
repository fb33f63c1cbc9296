"""What is written once stays, what is repeated leaves no trace, money always adds up."""

import contextlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kraken_messages import instrument
from orders_of_ours import NOON, accepted, cancelled, filled, order
from sqlalchemy import text
from sqlalchemy.orm import Session
from test_strategy import situation
from waiting import until

from market.instruments import Side
from serving import tenure
from sql import explanation, promotions, reads, trip
from sql.tables import DecisionRow
from trader import accounts, journal, ledger, record
from trader.errors import IllegalTransition, OrderUnknown
from trader.orders import (
    Amending,
    AmendRefused,
    Cancelling,
    LostTrack,
    Status,
    client_order_id,
)
from trader.strategy import decide


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


def test_an_intent_is_written_once(session):
    assert journal.record_intent(session, order()) is True
    assert journal.record_intent(session, order()) is False
    assert journal.unsettled_orders(session) == [order()]


def test_a_fill_writes_fill_ledger_and_order_together_and_only_once(session):
    journal.record_intent(session, order())

    assert journal.record_fill(session, order().id, filled(4)) is True
    assert journal.record_fill(session, order().id, filled(4)) is False

    assert journal.order_by_id(session, order().id).filled == 4
    assert accounts.position(session, "XRP/USD").quantity == 4
    assert accounts.ledger_balances(session) == {"XRP": 4, "USD": Decimal("-8.064")}


def test_a_fill_that_overfills_leaves_nothing_behind(session):
    journal.record_intent(session, order())

    with pytest.raises(IllegalTransition):
        journal.record_event(session, order().id, filled(11))

    assert accounts.ledger_balances(session) == {}
    assert reads.fills(session) == []


def test_news_of_an_order_that_is_not_ours_is_refused(session):
    with pytest.raises(OrderUnknown, match="no order of ours"):
        journal.record_event(session, "f" * 32, accepted())


def test_one_trade_is_never_booked_on_two_orders(session):
    other = order(id=client_order_id("xrp-usd-2", 1))
    journal.record_intent(session, order())
    journal.record_intent(session, other)
    journal.record_event(session, order().id, filled(4))

    with pytest.raises(OrderUnknown, match="is booked on order"):
        journal.record_event(session, other.id, filled(4))


def test_reports_find_their_order_by_either_id(session):
    journal.record_intent(session, order())
    journal.record_event(session, order().id, accepted("OABC"))

    by_ours = journal.find_order(session, client_order_id=order().id, exchange_id=None)
    by_theirs = journal.find_order(session, client_order_id=None, exchange_id="OABC")
    assert by_ours == by_theirs == replace(order(), status=Status.OPEN, exchange_id="OABC")
    assert journal.find_order(session, client_order_id=None, exchange_id="OXYZ") is None


def test_lines_that_do_not_balance_are_not_booked(session):
    with pytest.raises(ValueError, match="does not balance"):
        accounts.book(session, "T1", ledger.opening_lines("USD", Decimal(5))[:1], NOON)


def test_profit_is_what_trades_brought_and_what_is_held_at_its_price(session):
    journal.record_intent(session, order())
    journal.record_event(session, order().id, filled(10, "T1"))

    assert accounts.profit(accounts.totals(session), {"XRP/USD": Decimal("2.5")}) == Decimal("4.84")
    assert accounts.profit(accounts.totals(session), {}) is None

    sell = order(id=client_order_id("xrp-usd-2", 1), side=Side.SELL)
    journal.record_intent(session, sell)
    journal.record_event(session, sell.id, filled(10, "T2", price="2.5"))
    assert accounts.profit(accounts.totals(session), {}) == Decimal("4.64")


def mark(session, profit, **before):
    trip.run(session, [accounts.equity_mark(NOON - timedelta(**before), Decimal(profit))])


def standing(session, profit, vouched=None):
    return accounts.standing(Decimal(profit), *accounts.marks(session, NOON, vouched))


def test_losses_are_counted_from_midnight_and_from_the_best_of_thirty_days(session):
    for profit, before in ((900, {"days": 31}), (70, {"days": 9}), (20, {"hours": 15}), (-5, {})):
        mark(session, profit, **before)

    found = standing(session, -10)

    assert (found.lost_today, found.drawdown) == (30, 80)


def test_the_first_mark_of_a_day_opens_it_where_there_is_none_before(session):
    assert standing(session, 7).lost_today == 0
    mark(session, 9, hours=1)

    assert standing(session, 7).lost_today == 2


def test_whoever_lifts_a_halt_over_losses_has_them_counted_from_when_it_was_raised(session):
    mark(session, 500, days=2)
    mark(session, 100, hours=1)
    halted = NOON - timedelta(hours=1)
    record.halt(session, reason_code="drawdown", reason="r", who="trader", at=halted)
    assert standing(session, 90).drawdown == 410
    assert accounts.lifted(session) == {}

    record.resume(session, reason="understood", who="test", at=NOON)

    vouched = accounts.lifted(session)["drawdown"]
    found = standing(session, 90, vouched)
    assert (found.lost_today, found.drawdown) == (10, 10)


def test_what_is_asked_of_an_order_is_on_record_and_too_late_it_changes_nothing(session):
    one = order(worst=Decimal("2.2"), time_in_force="gtc")
    journal.record_intent(session, one)
    journal.record_event(session, one.id, accepted())

    moved = journal.record_event(session, one.id, Amending(at=NOON, limit=Decimal("2.15")))
    back = AmendRefused(at=NOON, limit=Decimal("2.1"), reason="crosses")
    assert moved.limit == Decimal("2.15")
    assert journal.record_event(session, one.id, back).limit == Decimal("2.1")
    journal.record_event(session, one.id, Cancelling(at=NOON, reason="time"))
    assert journal.order_by_id(session, one.id).cancelling

    ended = journal.record_event(session, one.id, cancelled())
    again = journal.record_event(session, one.id, Amending(at=NOON, limit=Decimal(3)))
    assert again == ended
    kinds = [event.kind for event in explanation.why(session, one.id).events]
    assert kinds == ["intended", "accepted", "amending", "amendrefused", "cancelling", "cancelled"]


EVENTS = st.one_of(
    st.just(accepted()),
    st.just(cancelled()),
    st.just(LostTrack(at=NOON, reason="timeout")),
    st.builds(
        filled, st.sampled_from(["0.12345678", "3", "7"]), st.sampled_from(["T1", "T2", "T3"])
    ),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(news=st.lists(st.tuples(st.integers(0, 1), EVENTS), max_size=12))
def test_no_interleaving_of_reports_makes_ledger_position_and_orders_disagree(engine, news):
    bought = order()
    sold = order(id=client_order_id("xrp-usd-2", 1), side=Side.SELL)
    with Session(engine) as session:
        for one in (bought, sold):
            journal.record_intent(session, one)
        for which, event in news:
            with contextlib.suppress(IllegalTransition, OrderUnknown):
                journal.record_event(session, (bought, sold)[which].id, event)

        orders = [journal.order_by_id(session, one.id) for one in (bought, sold)]
        fills = reads.fills(session)
        held = accounts.position(session, "XRP/USD")
        assert accounts.held(session, "XRP/USD") == held.quantity
        balances = accounts.ledger_balances(session)
        session.rollback()

    assert all(0 <= one.filled <= one.quantity for one in orders)
    assert sum(fill.quantity for fill in fills) == sum(one.filled for one in orders)
    assert held.quantity == orders[0].filled - orders[1].filled
    assert balances.get("XRP", 0) == held.quantity
    cash = sum(fill.cost * (1 if fill.side == "sell" else -1) - fill.fee for fill in fills)
    assert balances.get("USD", 0) == cash


def test_a_halt_stands_until_a_person_gives_a_reason(session):
    first = record.halt(session, reason_code="operator", reason="lunch", who="anna", at=NOON)
    again = record.halt(session, reason_code="operator", reason="tea", who="anna", at=NOON)

    assert again == first
    assert record.current_halt(session).reason == "lunch"
    with pytest.raises(ValueError, match="needs a reason"):
        record.resume(session, reason=" ", who="anna", at=NOON)
    (lifted,) = record.resume(session, reason="back", who="anna", at=NOON)
    assert lifted.reason == "lunch"
    assert record.current_halt(session) is None
    assert reads.halts(session)[0].resume_reason == "back"


def test_a_halt_for_the_cause_that_is_being_lifted_is_a_halt_of_its_own(engine):
    def halt():
        with Session(engine) as session, session.begin():
            session.execute(text("SET application_name = 'halting'"))
            record.halt(session, reason_code="operator", reason="r", who="anna", at=NOON)

    def waits():
        with Session(engine) as session:
            return session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE application_name = 'halting' AND wait_event_type = 'Lock'"
                )
            )

    halt()
    second = Thread(target=halt)
    with Session(engine) as session, session.begin():
        record.resume(session, reason="back", who="anna", at=NOON)
        second.start()
        until(lambda: waits() or not second.is_alive(), 30, "the second halt")
    second.join(30)

    with Session(engine) as session:
        assert record.current_halt(session) is not None


def test_instruments_are_read_back_as_they_were_written(session):
    record.record_instruments(session, [instrument(taker_fee=Decimal("0.01"))], NOON)
    record.record_instruments(session, [instrument()], NOON)

    assert record.instruments(session) == {"XRP/USD": instrument()}


def test_a_trader_has_one_status(session):
    for state in ("starting", "active"):
        record.record_trader_status(
            session, account="main", process_id=7, state=state, detail={}, at=NOON
        )

    assert reads.trader_status(session).state == "active"
    assert reads.trader_status(session, "other") is None


def explained_order(session):
    """Write a whole chain from the promotion to the fill and return the order."""
    prediction = {
        "symbol": "XRP/USD",
        "interval_seconds": 60,
        "bar_start": NOON,
        "model_version": 3,
        "role": "production",
        "probability": 0.9,
        "horizon_bars": 10,
        "feature_hash": "abc",
        "features": [1.0, 2.0],
        "at": NOON,
    }
    promotions.record(
        session,
        action=promotions.PROMOTED,
        symbol="XRP/USD",
        from_version=None,
        to_version=3,
        who="policy",
        reason="first",
        evidence={},
        at=NOON - timedelta(hours=1),
    )
    tenure.record_deployment(
        session,
        symbol="XRP/USD",
        version=3,
        action="deployed",
        reason="promoted",
        run_id="run",
        artifact_sha256="sha",
        at=NOON - timedelta(minutes=1),
    )
    again = prediction | {"probability": 0.1}
    trip.run(session, [record.prediction(**prediction), record.prediction(**again)])
    decided = {
        "symbol": "XRP/USD",
        "bar_start": NOON,
        "scored": (prediction["model_version"], prediction["interval_seconds"]),
        "inputs": {},
        "at": NOON,
        "stamp": record.stamp(session),
    }
    wanted = decide(situation())
    decision = trip.run(session, [record.decision(wanted, **decided)])
    assert trip.run(session, [record.decision(wanted, **decided)]) is None
    sent = order(decision_id=decision, id=client_order_id(decision, 1))
    journal.record_intent(session, sent)
    journal.record_event(session, sent.id, accepted("OABC"))
    journal.record_event(session, sent.id, filled(10))
    return sent


def test_an_intent_is_written_with_a_decision_that_is_new_and_with_no_other(session):
    told = {"symbol": "XRP/USD", "bar_start": NOON, "inputs": {"why": "a :word"}, "at": NOON}
    now = record.stamp(session)
    decision = record.decision(decide(situation()), stamp=now, **told)
    sent = order(decision_id=decision.given["id"])

    assert trip.run(session, [journal.intent(sent, decision)]) == sent.id
    assert journal.order_by_id(session, sent.id).quantity == sent.quantity

    now = record.stamp(session)
    decision = record.decision(decide(situation()), stamp=now, **told)
    again = order(id="another", decision_id=sent.decision_id)
    assert trip.run(session, [journal.intent(again, decision)]) is None
    assert journal.order_by_id(session, again.id) is None


def test_nothing_is_written_of_a_decision_on_an_account_that_has_changed(session):
    told = {"symbol": "XRP/USD", "bar_start": NOON, "inputs": {}, "at": NOON}
    decision = record.decision(decide(situation()), stamp=record.stamp(session), **told)
    record.halt(session, reason_code="operator", reason="r", who="t", at=NOON)
    sent = order(decision_id=decision.given["id"])

    assert trip.run(session, [journal.intent(sent, decision)]) is None
    assert journal.order_by_id(session, sent.id) is None
    assert session.get(DecisionRow, sent.decision_id) is None


def test_why_tells_the_whole_chain_by_any_name_of_the_order(session):
    sent = explained_order(session)

    chain = explanation.why(session, sent.id)

    assert chain.decision["reason"].startswith("p 0.900")
    assert chain.prediction["probability"] == 0.9
    assert (chain.deployment["run_id"], chain.promotion["who"]) == ("run", "policy")
    assert [event.kind for event in chain.events] == ["intended", "accepted", "filled"]
    assert [fill.exec_id for fill in chain.fills] == ["T1"]
    assert sum(line.amount for line in chain.ledger if line.asset == "USD") == 0
    assert (chain.order.status, chain.order.average) == ("filled", 2)
    for name in ("OABC", sent.id[:8]):
        assert explanation.why(session, name) == chain
    assert explanation.why(session, "nothing") is None


def test_the_reads_show_what_was_traded(session):
    explained_order(session)

    (shown,) = reads.orders(session)
    (held,) = reads.positions(session)
    assert (shown.filled, shown.average, shown.reason_code) == (10, 2, "edge")
    assert (held.quantity, held.net_cash, held.trades) == (10, Decimal("-20.16"), 1)
    assert [str(b.amount) for b in reads.balances(session)] == ["-20.16", "10"]
    assert reads.orders(session, symbol="DOGE/USD") == []
