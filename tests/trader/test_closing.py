"""A closed bar leaves a score, a decision and at most one order, all or nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pytest
import xgboost as xgb
from circumstances_of_ours import circumstances
from orders_of_ours import XRP
from orders_of_ours import order as desk_order
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from market import features, history
from market.bars import Bar
from market.instruments import Quote
from registry.contract import Contract
from registry.served import ServedModel
from serving import deployment
from serving.events import ModelLoaded
from sql import trip
from sql.tables import DecisionRow, EquityMarkRow, OrderRow, PredictionRow
from trader import accounts, journal, ledger, record
from trader.closing import close_bar, decide_again, flatten, keep_bar
from trader.desk import Desk
from trader.execution import Policy
from trader.limits import Limits
from trader.memory import Memory
from trader.orders import Cancelled, Filled, Status

MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = {"objective": "binary:logistic", "nthread": 1}


def bar(number):
    price = Decimal(2) + Decimal(number % 7) / 1000
    return Bar(
        symbol="XRP/USD",
        interval=MINUTE,
        start=START + number * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(100 + number % 5),
        trades=4,
    )


@pytest.fixture(scope="module")
def booster():
    rows = np.random.default_rng(0).normal(size=(200, len(features.NAMES)))
    return xgb.train(PLAIN, xgb.DMatrix(rows, label=rows[:, 0] > 0), 3)


def model(booster, *, gain, role="production", version=1):
    contract = Contract(
        symbol="XRP/USD",
        interval_seconds=60,
        horizon_bars=10,
        features=features.NAMES,
        feature_hash=features.HASH,
        cost=0.005,
        gain=gain,
        loss=0.001,
        base_rate=0.2,
        platt_slope=0.0,
        platt_intercept=1.0,
        model_sha256=sha256(b"").hexdigest(),
        data_hash="0",
        trained_until=START,
        git_commit="0",
        gate_passed=True,
        gate_reason="every check passed",
    )
    return ModelLoaded(
        symbol="XRP/USD",
        role=role,
        version=version,
        run_id="run",
        artifact_sha256=contract.model_sha256,
        evidence={},
        served=ServedModel(contract=contract, booster=booster),
    )


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        lines = ledger.opening_lines("USD", Decimal(10_000))
        accounts.record_adjustment(
            opened, "opening:USD", lines, reason="opening", who="test", at=START
        )
        history.record_bars(opened, [bar(number) for number in range(features.WARM_UP)], "test")
        yield opened


@pytest.fixture
def desk():
    opened = Desk(instrument=XRP, interval=MINUTE, trusted=True)
    opened.warm((bar(number), (None, None)) for number in range(features.WARM_UP))
    opened.bid_depth = opened.ask_depth = Decimal(20_000)
    return opened


LAST = bar(features.WARM_UP)
AROUND = circumstances(LAST.end)


def quote(at=LAST.end):
    return Quote(symbol="XRP/USD", at=at, bid=Decimal("2.0000"), ask=Decimal("2.0010"))


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


def test_without_a_model_nothing_is_decided(session, desk):
    desk.quote = quote()

    assert close_bar(session, desk, LAST, AROUND) is None
    assert count(session, DecisionRow) == 0
    assert desk.last_word == "no production model"


def test_a_paying_edge_leaves_a_score_a_decision_and_a_pending_order(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)

    order = close_bar(session, desk, LAST, AROUND)

    stored = session.get(OrderRow, order.id)
    decision = session.get(DecisionRow, order.decision_id)
    prediction = session.get(PredictionRow, decision.prediction_id)
    assert stored.status == Status.PENDING
    assert (decision.action, decision.reason_code) == ("buy", "edge")
    assert prediction.probability == pytest.approx(0.7310586, abs=1e-6)
    assert len(prediction.features) == len(features.NAMES)


def test_an_edge_below_cost_is_written_down_as_a_no(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.001)

    assert close_bar(session, desk, LAST, AROUND) is None
    decision = session.scalars(select(DecisionRow)).one()
    assert (decision.action, decision.reason_code) == ("none", "no_edge")
    assert count(session, OrderRow) == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"exchange_status": "maintenance"}, "exchange_status"),
        ({"quote_age": timedelta(seconds=3)}, "stale_quote"),
        ({"now": LAST.end + timedelta(minutes=2)}, "stale_bar"),
        ({"limits": Limits(max_orders_per_minute=0)}, "throttle"),
        ({"clock_skew": None}, "clock_skew"),
        ({"deadline": timedelta(seconds=61)}, "deadline"),
    ],
)
def test_a_refused_order_is_a_decision_with_the_code_of_the_refusal(
    session, desk, booster, change, code
):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)

    assert close_bar(session, desk, LAST, replace(AROUND, **change)) is None
    assert session.scalars(select(DecisionRow.reason_code)).one() == code


def test_a_standing_halt_refuses_every_order(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    record.halt(session, reason_code="command", reason="drill", who="test", at=START)

    assert close_bar(session, desk, LAST, AROUND) is None
    assert session.scalars(select(DecisionRow.reason_code)).one() == "halted"


def test_an_untrusted_book_refuses_every_order(session, desk, booster):
    desk.quote, desk.trusted = quote(), False
    desk.roster.models["production"] = model(booster, gain=0.05)

    assert close_bar(session, desk, LAST, AROUND) is None
    assert session.scalars(select(DecisionRow.reason_code)).one() == "untrusted_feed"


def test_a_bar_is_acted_on_once_even_if_it_closes_again(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    first = close_bar(session, desk, LAST, AROUND)
    desk.warm((bar(number), (None, None)) for number in range(features.WARM_UP))

    assert first is not None
    assert close_bar(session, desk, LAST, AROUND) is None
    assert count(session, OrderRow) == 1


def test_a_challenger_scores_the_same_row_and_sends_nothing(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["challenger"] = model(booster, gain=0.05, role="challenger", version=2)
    desk.roster.models["production"] = model(booster, gain=0.001)

    assert close_bar(session, desk, LAST, AROUND) is None
    rows = session.scalars(select(PredictionRow).order_by(PredictionRow.model_version)).all()
    assert [row.role for row in rows] == ["production", "challenger"]
    assert rows[0].features == rows[1].features


def test_a_model_that_errs_costs_no_bar_and_no_trader(session, desk, booster):
    desk.quote = quote()
    sound, empty = (model(one, gain=0.05) for one in (booster, xgb.Booster()))
    for event in (sound, replace(empty, version=2)):
        for one in deployment.take_up(session, desk.roster, event, START, interval=MINUTE):
            desk.adopt(one)

    order = close_bar(session, desk, LAST, AROUND)

    assert session.get(DecisionRow, order.decision_id).inputs["model_version"] == 1
    assert session.scalars(select(PredictionRow.model_version)).all() == [1]
    assert "version 2 rolled back: it cannot score" in desk.roster.refusals["production"]


def test_without_a_quote_or_a_fee_the_decision_is_a_no_with_its_reason(session, desk, booster):
    desk.roster.models["production"] = model(booster, gain=0.05)

    assert close_bar(session, desk, LAST, AROUND) is None
    decision = session.scalars(select(DecisionRow)).one()
    assert (decision.action, decision.reason_code) == ("none", "no_quote")
    assert decision.inputs["model_version"] == 1


def test_a_decision_keeps_what_it_went_by(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)

    order = close_bar(session, desk, LAST, AROUND)

    inputs = session.get(DecisionRow, order.decision_id).inputs
    assert inputs["quote"]["ask"] == "2.001"
    assert inputs["base_rate"] == 0.2
    assert inputs["risk"]["standing"] == {"profit": "0", "opening": "0", "peak": "0"}
    assert inputs["risk"]["clock_skew"] == 0.0


def settle(session, order, *, filled="0"):
    at = order.created_at
    if Decimal(filled):
        fill = Filled(
            at=at,
            exec_id=f"T{order.id[:8]}",
            quantity=Decimal(filled),
            price=order.limit,
            cost=Decimal(filled) * order.limit,
            fee=Decimal(0),
            liquidity="maker",
        )
        journal.record_event(session, order.id, fill)
    return journal.record_event(session, order.id, Cancelled(at=at))


def test_what_rested_in_vain_is_decided_again_and_taken(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    rested = close_bar(session, desk, LAST, replace(AROUND, policy=Policy.POST_ONLY))
    assert (rested.limit, rested.time_in_force, desk.worked) == (Decimal(2), "gtc", rested.id)
    settle(session, rested)

    taken = decide_again(session, desk, replace(AROUND, policy=Policy.POST_ONLY))

    assert (taken.time_in_force, taken.rests) == ("ioc", False)
    assert taken.limit > quote().ask
    assert taken.decision_id == f"{rested.decision_id}-again"
    assert decide_again(session, desk, AROUND) is None


def test_a_loss_beyond_the_limit_halts_entries_until_a_person_resumes(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    bought = close_bar(session, desk, LAST, AROUND)
    settle(session, bought, filled=bought.quantity)
    trip.run(session, [accounts.equity_mark(START - timedelta(minutes=1), Decimal(400))])

    following = bar(features.WARM_UP + 1)
    keep_bar(session, desk, following, replace(AROUND, now=following.end))

    halt = record.current_halt(session)
    assert (halt.reason_code, halt.who) == ("daily_loss", "trader")


def test_a_loss_halts_even_where_nothing_would_be_bought(session, desk):
    trip.run(session, [accounts.equity_mark(START - timedelta(minutes=1), Decimal(400))])

    keep_bar(session, desk, LAST, AROUND)

    assert record.current_halt(session).reason_code == "daily_loss"


CHANGES = {
    "halted": lambda s: record.halt(
        s, reason_code="operator", reason="stop", who="operator", at=LAST.end
    ),
    "under_way": lambda s: journal.record_intent(
        s, replace(desk_order(), created_at=LAST.start, deadline=LAST.end)
    ),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_what_happened_since_the_account_was_read_is_decided_on(session, desk, booster, reason):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    memory = Memory()
    memory.prepare(session, [desk])
    CHANGES[reason](session)

    assert close_bar(session, desk, LAST, AROUND, memory) is None

    decision = session.scalars(select(DecisionRow)).one()
    assert (decision.action, decision.reason_code) == ("none", reason)
    assert count(session, PredictionRow) == 1


def test_a_bar_is_kept_with_the_worth_of_the_account_as_it_is(session, desk):
    memory = Memory()
    memory.prepare(session, [desk])
    bought = replace(desk_order(), created_at=LAST.start, deadline=LAST.end)
    journal.record_intent(session, bought)
    settle(session, bought, filled="1")

    keep_bar(session, desk, LAST, AROUND, memory)

    assert history.last_bars(session, "XRP/USD", MINUTE, 1)[0][0] == LAST
    profit = accounts.profit(accounts.totals(session), AROUND.marks)
    assert profit
    assert session.scalars(select(EquityMarkRow)).one().profit == profit


def test_entering_again_and_again_is_refused_and_halts(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    bought = replace(desk_order(), created_at=LAST.start, deadline=LAST.end)
    journal.record_intent(session, bought)
    settle(session, bought, filled="1")

    once = replace(AROUND, limits=Limits(max_entries_per_hour=1))

    assert close_bar(session, desk, LAST, once) is None
    assert session.scalars(select(DecisionRow.reason_code)).one() == "repeated_execution"
    assert record.current_halt(session).reason_code == "repeated_execution"


def test_flattening_sells_what_is_held_once_and_writes_down_a_refusal_once(session, desk, booster):
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    bought = close_bar(session, desk, LAST, AROUND)
    record.halt(session, reason_code="flatten", reason="going home", who="test", at=START)
    halt = record.current_halt(session)
    assert flatten(session, desk, AROUND, halt) is None  # an order is under way
    settle(session, bought, filled="50")

    stale = replace(AROUND, quote_age=timedelta(seconds=3))
    assert flatten(session, desk, stale, halt) is None
    assert flatten(session, desk, stale, halt) is None
    sold = flatten(session, desk, AROUND, halt)

    assert (sold.side, sold.quantity) == ("sell", 50)
    codes = session.scalars(select(DecisionRow.reason_code).order_by(DecisionRow.id)).all()
    assert sorted(codes) == ["edge", "flatten", "stale_quote"]
    settle(session, sold, filled="50")
    assert flatten(session, desk, AROUND, halt) is None


def test_what_other_markets_hold_makes_an_order_smaller_rather_than_refused(session, desk, booster):
    doge = replace(
        desk_order(), id="d" * 32, symbol="DOGE/USD", quantity=Decimal(10_000), limit=Decimal("0.1")
    )
    journal.record_intent(session, doge)
    settle(session, doge, filled="10000")
    desk.quote = quote()
    desk.roster.models["production"] = model(booster, gain=0.05)
    marks = {"XRP/USD": Decimal(2), "DOGE/USD": Decimal("0.14")}

    order = close_bar(session, desk, LAST, replace(AROUND, marks=marks))

    assert Decimal(99) < order.quantity * order.limit <= 100  # of 1500, 1400 is in DOGE
