"""The live loop trades on nothing it has not reconciled, and outlives a silent exchange."""

import queue
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from orders_of_ours import NOON, XRP, accepted, filled, order
from paper_exchange import PaperExchange, serving
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from market import history
from market.bars import BarBuilder, interval_start, quiet_bars
from market.instruments import Quote, Side, Trade
from market.world import REAL
from serving.events import ModelRefused
from sql import reads
from sql.errors import LeaseTaken
from sql.lease import Lease
from streams.clock import ExchangeClock
from streams.events import (
    CaughtUp,
    ClockAdvanced,
    Described,
    ExecutionReport,
    OneSided,
    SystemStatus,
    Traded,
)
from streams.stream import Disconnected
from telemetry.points import InfluxSettings, Telemetry
from trader import accounts, journal, record
from trader.desk import Desk
from trader.duties import attend
from trader.exchange import Exchange
from trader.execution import OnStop
from trader.live import Trader
from trader.ordering import circumstances, send
from trader.orders import Rejected, Status
from trader.outage import Outage
from trader.settings import ExchangeSettings, TraderSettings
from trader.start import open_endpoint

AWAY = ExchangeSettings(
    rest_url="http://127.0.0.1:1", api_key="key", api_secret="c2VjcmV0", request_interval_seconds=0
)


@pytest.fixture
def exchange():
    with serving(PaperExchange()) as client:
        yield client


@pytest.fixture
def trader(engine, exchange, tmp_path):
    return a_trader(engine, exchange, tmp_path)


def a_trader(engine, exchange, folder):
    return Trader(
        engine=engine,
        exchange=exchange,
        public_data=None,
        settings=TraderSettings(),
        desks={},
        clock=ExchangeClock(NOON, 0.0),
        lease=Lease(engine, "kraken"),
        telemetry=Telemetry(InfluxSettings(url=None)),
        events=queue.Queue(),
        exchange_status="online",
        outage=Outage(folder / "outage.jsonl"),
        world=replace(REAL, monotonic=Ticking().now),
    )


class Ticking:
    """A clock that is two seconds further on at every look, so that every duty is due."""

    def __init__(self):
        self.seconds = 0.0

    def now(self):
        """Tell the time."""
        self.seconds += 2.0
        return self.seconds


def test_a_reconciliation_the_exchange_did_not_answer_is_owed_until_it_does(trader, exchange):
    trader.exchange = Exchange(AWAY)
    trader._take(CaughtUp())
    assert not trader.reporting

    trader.exchange = exchange
    attend(trader)

    assert trader.reporting


def test_a_reconciliation_the_exchange_refuses_is_owed_told_and_asked_for_again(trader):
    paper = PaperExchange()
    with serving(paper) as trader.exchange:
        paper.before["BalanceEx"] = 200, '{"error": ["EGeneral:Permission denied"]}'
        trader.turn(CaughtUp())
        attend(trader)
        assert not trader.reporting
        assert "Permission denied" in trader.health().detail["word"]

        paper.before.clear()
        trader.settle_due = 0.0
        attend(trader)

    assert trader.reporting
    assert trader.health().detail["word"] == ""


def test_a_refused_reconciliation_does_not_hide_that_no_reports_come(trader):
    paper = PaperExchange()
    with serving(paper) as trader.exchange:
        paper.before["BalanceEx"] = 200, '{"error": ["EAPI:Invalid nonce"]}'
        trader.turn(Disconnected(stream="private", reason="closed"))
        trader.reconcile("overdue order")
        attend(trader)

    assert trader.health().detail["word"] == "no execution reports: closed"
    assert trader.owed == "overdue order"


def test_without_execution_reports_nothing_counts_as_reporting(trader):
    trader._take(CaughtUp())
    assert trader.reporting

    trader._take(Disconnected(stream="private", reason="closed"))

    assert not trader.reporting


def test_a_report_of_an_order_nobody_knows_leads_to_a_halt(trader, engine, exchange):
    trader._take(CaughtUp())
    stranger = order(time_in_force="gtc")
    exchange.place(stranger)  # as if somebody else traded the account

    trader._take(report("new", "OAAAAA-AAAAA-AAAAAA", client_order_id=None))

    with Session(engine) as session:
        assert record.current_halt(session).reason_code == "reconciliation"


def test_a_reported_fill_is_booked_once_however_often_it_is_reported(trader, engine):
    one = order()
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
        journal.record_event(session, one.id, accepted("OAAAAA-AAAAA-AAAAAA"))
    fill = filled("10")

    for _ in range(2):
        trader._take(report("trade", "OAAAAA-AAAAA-AAAAAA", client_order_id=one.id, fill=fill))

    with Session(engine) as session:
        assert len(reads.fills(session)) == 1
        assert journal.order_by_id(session, one.id).status is Status.FILLED
        assert accounts.held(session, "XRP/USD") == 10


@pytest.mark.parametrize(
    "amount", [{"fee": None}, {"fee": Decimal(-1)}, {"last_price": Decimal(0)}]
)
def test_a_trade_reported_without_sound_amounts_is_read_from_the_exchanges_list_at_once(
    trader, engine, amount
):
    paper = PaperExchange()
    with serving(paper) as exchange:
        trader.exchange = exchange
        trader._take(CaughtUp())
        one = rest(trader, engine, exchange)
        (exchange_id,) = paper.orders
        paper.fill(exchange_id, Decimal(4))
        paper.do_cancelorder({"cl_ord_id": one.id})

        told = report("trade", exchange_id, client_order_id=one.id, fill=filled("4"))
        trader._take(replace(told, **amount))
        trader._take(report("canceled", exchange_id, client_order_id=one.id))

    with Session(engine) as session:
        assert accounts.held(session, "XRP/USD") == 4
        assert record.current_halt(session) is None


def test_a_fee_in_another_asset_is_a_difference_and_not_booked_as_money(trader, engine):
    paper = PaperExchange()
    with serving(paper) as trader.exchange:
        trader._take(CaughtUp())
        one = rest(trader, engine, trader.exchange)
        (exchange_id,) = paper.orders
        paper.fill(exchange_id, Decimal(10))
        (trade,) = paper.trades.values()
        paper.balances["ZUSD"] += Decimal(trade["fee"])
        paper.balances["XXRP"] -= Decimal("0.08")

        told = report("trade", exchange_id, client_order_id=one.id, fill=filled("10"))
        trader._take(replace(told, fee=Decimal("0.08"), fee_asset="XRP"))

    with Session(engine) as session:
        halt = record.current_halt(session)
    assert halt.reason_code == "reconciliation"
    assert "balance USD" in halt.reason


@contextmanager
def the_record_away(trader):
    """Refuse every connection to the record, the lease's own included."""
    away = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    known = trader.engine
    trader.engine = trader.lease._engine = away
    trader.lease.release()
    yield
    trader.engine = trader.lease._engine = known


def test_what_is_reported_while_the_record_is_away_is_booked_once_when_it_is_back(trader, engine):
    one = order()
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
        journal.record_event(session, one.id, accepted("OAAAAA-AAAAA-AAAAAA"))
    trader.turn(CaughtUp())
    told = report("trade", "OAAAAA-AAAAA-AAAAAA", client_order_id=one.id, fill=filled("10"))

    with the_record_away(trader):
        for _ in range(3):
            trader.turn(told)
        assert "the record is away" in trader.health().detail["word"]
    trader.turn(None)
    trader.turn(None)

    with Session(engine) as session:
        assert len(reads.fills(session)) == 1
        assert accounts.held(session, "XRP/USD") == 10
    assert trader.reporting
    assert trader.word == ""
    assert not list(trader.outage.kept())


def test_what_a_killed_trader_kept_is_told_by_the_next(trader, engine, exchange, tmp_path):
    one = order()
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
        journal.record_event(session, one.id, accepted("OAAAAA-AAAAA-AAAAAA"))
    told = report("trade", "OAAAAA-AAAAA-AAAAAA", client_order_id=one.id, fill=filled("10"))
    with the_record_away(trader):
        trader.turn(told)
    with (tmp_path / "outage.jsonl").open("ab") as file:
        file.write(b'{"exec_type": "tra')  # the disk was full, or the machine went down

    a_trader(engine, exchange, tmp_path).catch_up()

    with Session(engine) as session:
        assert accounts.held(session, "XRP/USD") == 10
    assert not (tmp_path / "outage.jsonl").exists()


def test_a_model_that_comes_as_the_record_goes_is_taken_up_when_it_is_back(trader):
    trader.desks["XRP/USD"] = Desk(instrument=XRP, interval=timedelta(minutes=1))
    refused = ModelRefused(
        symbol="XRP/USD", role="production", version=3, run_id="", reason="it does not fit"
    )

    with the_record_away(trader):
        trader.turn(refused)
        trader.turn(None)
    trader.turn(None)

    assert "it does not fit" in str(trader.desks["XRP/USD"].roster.refusals)
    assert not trader.outage.postponed


def test_entries_that_rest_are_cancelled_when_the_record_goes(trader, exchange):
    exchange.place(order(time_in_force="gtc"))
    assert len(exchange.open_orders()) == 1

    with the_record_away(trader):
        trader.turn(None)

        assert exchange.open_orders() == []


def test_an_entry_that_cannot_be_cancelled_keeps_no_other_on_the_book(trader):
    class Deaf(PaperExchange):
        def do_cancelorder(self, params):
            """Refuse to cancel the first order."""
            if params["cl_ord_id"] == first.id:
                return {"error": ["EGeneral:Internal error"]}
            return super().do_cancelorder(params)

    first = order(time_in_force="gtc")
    paper = Deaf()
    with serving(paper) as trader.exchange, the_record_away(trader):
        trader.exchange.place(first)
        trader.exchange.place(order(time_in_force="gtc", id="0" * 32))

        trader.turn(None)

    assert [placed["status"] for placed in paper.orders.values()] == ["open", "canceled"]


TOKEN = "a token of sixteen and more"


@contextmanager
def halted_over_http(trader, monkeypatch):
    """Halt over HTTP, and yield the answer's status and words."""
    monkeypatch.setenv("TRADER_HTTP_PORT", "0")
    monkeypatch.setenv("TRADER_HTTP_TOKEN", TOKEN)
    (endpoint,) = open_endpoint(trader)
    endpoint.start()
    try:
        answer = httpx.post(
            f"http://127.0.0.1:{endpoint.port}/halt",
            json={"reason": "fees"},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )
        yield answer.status_code, answer.text
    finally:
        endpoint.stop()


def test_a_halt_asked_while_the_record_is_away_holds_and_is_written_when_it_is_back(
    trader, engine, monkeypatch
):
    trader._take(CaughtUp())
    desk = Desk(instrument=XRP, interval=timedelta(minutes=1))
    with the_record_away(trader), halted_over_http(trader, monkeypatch) as (status, words):
        assert status == 503
        assert "PostgreSQL" in words
        # As far as the loop knows the record is there: it opens nothing all the same.
        assert circumstances(trader, desk).exchange_status == "halted over HTTP"
        trader.turn(None)
    trader.turn(None)
    trader.turn(None)

    with Session(engine) as session:
        halt = record.current_halt(session)
    assert (halt.reason_code, halt.reason, halt.who) == ("http", "fees", "http")
    assert circumstances(trader, desk).exchange_status == "online"


def test_a_halt_the_record_missed_is_written_though_the_loop_never_missed_the_record(
    trader, engine, monkeypatch
):
    trader.engine = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with halted_over_http(trader, monkeypatch):
        trader.engine = engine
    attend(trader)

    with Session(engine) as session:
        assert record.current_halt(session).reason == "fees"


def test_a_halt_asked_of_a_trader_that_is_then_killed_is_written_by_the_next(
    trader, engine, exchange, tmp_path, monkeypatch
):
    with the_record_away(trader), halted_over_http(trader, monkeypatch):
        pass

    trader.lease.release()
    attend(a_trader(engine, exchange, tmp_path))

    with Session(engine) as session:
        assert record.current_halt(session).reason == "fees"
    assert not list(tmp_path.iterdir())


def test_what_rests_is_taken_off_when_the_trader_is_told_to_stop(trader, engine, exchange):
    rest(trader, engine, exchange)

    trader.stop()
    trader.run()

    assert exchange.open_orders() == []


def test_the_switch_stays_on_for_what_could_not_be_taken_off(trader, engine):
    with resting_for_good(trader, engine) as paper:
        trader.stop()
        trader.run()

    assert [order["status"] for order in paper.orders.values()] == ["open"]
    assert paper.switch == 60


def test_the_switch_stays_on_while_the_record_cannot_say_what_rests(trader, engine):
    with resting_for_good(trader, engine) as paper, the_record_away(trader):
        trader.turn(None)
        trader.stop()
        trader.run()

    assert paper.switch == 60


@contextmanager
def resting_for_good(trader, engine):
    """Let an order rest, with the switch armed, that the exchange does not hear us cancel."""
    paper = PaperExchange()
    with serving(paper) as exchange:
        trader.exchange = trader.switch.exchange = exchange
        rest(trader, engine, exchange)
        attend(trader)
        paper.before["CancelOrder"] = None, ""
        yield paper


def test_what_rests_stays_when_the_trader_is_to_leave_it(trader, engine, exchange):
    trader.settings = trader.settings.model_copy(update={"on_stop": OnStop.LEAVE})
    one = rest(trader, engine, exchange)

    trader.stop()
    trader.run()

    assert [found.client_order_id for found in exchange.open_orders()] == [one.id]


def test_a_trader_that_was_told_to_stop_says_that_the_exchange_is_closed(trader):
    trader._take(CaughtUp())
    desk = Desk(instrument=XRP, interval=timedelta(minutes=1))
    assert circumstances(trader, desk).exchange_status == "online"

    trader.stop()

    assert circumstances(trader, desk).exchange_status == "stopping"


def rest(trader, engine, exchange):
    trader.desks["XRP/USD"] = Desk(instrument=XRP, interval=timedelta(minutes=1))
    one = order(time_in_force="gtc", worst=Decimal("2.2"))
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
    answer = exchange.place(one)
    with Session(engine) as session, session.begin():
        journal.record_event(session, one.id, answer)
    return one


def test_who_was_quicker_to_the_lease_trades_on(trader, engine):
    with the_record_away(trader):
        trader.turn(None)
    _holder = Lease(engine, "kraken")

    def wait():
        for _ in range(20):
            trader.turn(None)

    with pytest.raises(LeaseTaken):
        wait()


def test_a_quote_is_forgotten_when_a_side_of_the_book_is_gone(trader):
    desk = trader.desks["XRP/USD"] = Desk(instrument=XRP, interval=timedelta(minutes=1))
    desk.quote = Quote(symbol="XRP/USD", at=NOON, bid=Decimal(2), ask=Decimal("2.1"))

    trader.turn(OneSided(symbol="XRP/USD"))

    assert desk.quote is None


def test_the_loop_says_how_it_is(trader, engine):
    attend(trader)

    with Session(engine) as session:
        assert reads.trader_status(session).state == "waiting"


def report(kind, exchange_id, *, client_order_id, fill=None):
    return ExecutionReport(
        exec_type=kind,
        order_id=exchange_id,
        cl_ord_id=client_order_id,
        exec_id=fill and fill.exec_id,
        symbol="XRP/USD",
        side=Side.BUY,
        last_quantity=fill and fill.quantity,
        last_price=fill and fill.price,
        cost=fill and fill.cost,
        fee=fill and fill.fee,
        fee_asset="USD",
        liquidity="t",
        cumulative=None,
        status=None,
        reason=None,
        at=NOON,
        snapshot=False,
    )


def test_a_trade_moves_the_clock_so_that_no_bar_closes_in_the_future(trader):
    later = NOON + timedelta(days=2000)
    trader.desks["XRP/USD"] = Desk(instrument=XRP, interval=timedelta(minutes=1))

    trader._take(
        Traded(
            trade=Trade(
                symbol="XRP/USD",
                trade_id=1,
                at=later,
                side=Side.BUY,
                price=Decimal(2),
                quantity=Decimal(1),
            )
        )
    )

    assert trader.now() >= later


def test_a_bar_seen_too_late_is_left_to_the_exchanges_history(trader, engine):
    """After an absence, some of what a score would be about has happened already."""
    desk = trader.desks["XRP/USD"] = Desk(instrument=XRP, interval=timedelta(minutes=1))
    start = interval_start(NOON, desk.interval) - timedelta(hours=1)
    for number, minute in enumerate([0, 1, 2], 1):
        trader._take(
            Traded(
                trade=Trade(
                    symbol="XRP/USD",
                    trade_id=number,
                    at=start + timedelta(minutes=minute),
                    side=Side.BUY,
                    price=Decimal(2),
                    quantity=Decimal(1),
                )
            )
        )

    with Session(engine) as session:
        kept = history.last_bars(session, "XRP/USD", desk.interval, 10)
    assert kept == []
    assert desk.features is None
    assert desk.last_word.endswith("was seen too late")


START = interval_start(NOON, timedelta(minutes=1))


def test_the_clock_of_another_channel_closes_no_bar_before_its_last_trade(trader, engine):
    a_running_desk(trader)

    trader._take(ClockAdvanced(at=START + timedelta(seconds=60.2)))
    trader._take(traded(2, seconds=59.9))
    trader._take(ClockAdvanced(at=START + timedelta(seconds=61)))

    assert [(bar.start, bar.trades) for bar in on_record(engine)] == [(START, 2)]


def test_a_bar_that_missed_a_trade_is_taken_off_the_record_and_its_features_forgotten(
    trader, engine
):
    desk = a_running_desk(trader)
    fetched = a_bar(START - timedelta(minutes=1))
    with Session(engine) as session, session.begin():
        history.record_bars(session, [fetched], "candles")
    trader._take(ClockAdvanced(at=START + timedelta(seconds=61)))
    assert len(on_record(engine)) == 2

    trader._take(traded(2, seconds=59.9))
    attend(trader)

    assert on_record(engine) == [fetched]
    assert desk.builder.late == 1
    assert desk.features is None
    assert desk.last_word.endswith(":59 came after its bar had closed")


def test_a_trade_that_is_repeated_takes_nothing_off_the_record(trader, engine):
    a_running_desk(trader)
    trader._take(ClockAdvanced(at=START + timedelta(seconds=61)))

    trader._take(traded(1, seconds=1))
    attend(trader)

    assert len(on_record(engine)) == 1


def a_running_desk(trader):
    """Return a desk that is warm and has seen the first trade of a bar."""
    desk = Desk(instrument=XRP, interval=timedelta(minutes=1))
    trader.desks["XRP/USD"] = desk
    desk.trusted = True
    desk.builder = BarBuilder("XRP/USD", desk.interval, begin=START)
    desk.warm([(a_bar(START - timedelta(minutes=1)), (None, None))])
    trader._take(traded(1, seconds=1))
    return desk


def traded(number, *, seconds):
    return Traded(
        trade=Trade(
            symbol="XRP/USD",
            trade_id=number,
            at=START + timedelta(seconds=seconds),
            side=Side.BUY,
            price=Decimal(2),
            quantity=Decimal(1),
        )
    )


def a_bar(start):
    (bar,) = quiet_bars(
        "XRP/USD", timedelta(minutes=1), start, start + timedelta(minutes=1), Decimal(2)
    )
    return bar


def on_record(engine):
    with Session(engine) as session:
        return [bar for bar, _ in history.last_bars(session, "XRP/USD", timedelta(minutes=1), 10)]


def test_an_answer_that_cannot_be_leads_to_a_halt_and_not_to_an_end(trader, engine):
    """The order was proved absent and rejected, and then the exchange says it has it."""
    one = order(time_in_force="gtc")
    with Session(engine) as session, session.begin():
        journal.record_intent(session, one)
        journal.record_event(session, one.id, Rejected(at=NOON, reason="never reached it"))

    send(trader, one)

    with Session(engine) as session:
        assert record.current_halt(session).reason_code == "reconciliation"


def test_a_market_that_takes_no_orders_is_not_traded_though_the_exchange_is_online(trader, engine):
    desk = a_running_desk(trader)
    trader._take(CaughtUp())
    assert circumstances(trader, desk).exchange_status == "online"

    coarser = replace(XRP, price_decimals=2)
    trader._take(Described(instrument=coarser, status="cancel_only"))

    assert circumstances(trader, desk).exchange_status == "cancel_only"
    assert desk.instrument == coarser
    with Session(engine) as session:
        assert record.instruments(session)["XRP/USD"] == coarser


def test_what_holds_for_the_whole_exchange_holds_for_every_market(trader):
    desk = a_running_desk(trader)
    trader._take(CaughtUp())
    trader._take(Described(instrument=XRP, status="online"))

    trader._take(SystemStatus(status="maintenance"))

    assert circumstances(trader, desk).exchange_status == "maintenance"
