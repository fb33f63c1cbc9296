"""A PostgreSQL that was stopped, not killed, counts as away, and nothing is lost over it."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from orders_of_ours import accepted, filled, order
from paper_exchange import PaperExchange, serving
from quick_postgres import QUICK
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from test_live import a_trader, report
from waiting import until

from market.world import REAL
from ops import postgres
from sql import reads
from sql.database import DatabaseSettings, limit_waiting, migrate, open_engine
from streams.events import CaughtUp
from trader import journal
from trader.orders import Status

PATIENCE = 0.3


@pytest.fixture(scope="module")
def server():
    """Run a server that no other test needs."""
    folder = Path(tempfile.mkdtemp(prefix="friday-stopped-"))
    folder.chmod(0o755)
    running = None
    try:
        running = postgres.start(folder / "postgres", settings=QUICK)
        postgres.create_databases(running, ("friday",))
        yield running
    finally:
        if running is not None:
            _each(running, psutil.Process.resume)
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def engine(server):
    opened = open_engine(DatabaseSettings(DATABASE_URL=server.url("friday")))
    migrate(opened)
    limit_waiting(PATIENCE)
    yield opened
    limit_waiting(None)
    opened.dispose()


def _each(server, act):
    for process in [server.process, *server.process.children()]:
        act(process)


def test_a_stopped_record_counts_as_away_and_is_told_everything_when_it_goes_on(
    server, engine, tmp_path
):
    one = order()
    with serving(PaperExchange()) as exchange:
        trader = a_trader(engine, exchange, tmp_path)
        trader.world = replace(REAL, monotonic=trader.world.monotonic)
        with Session(engine) as session, session.begin():
            journal.record_intent(session, one)
            journal.record_event(session, one.id, accepted("OAAAAA-AAAAA-AAAAAA"))
        trader.turn(CaughtUp())
        exchange.place(order(time_in_force="gtc", decision_id="another"))

        _each(server, psutil.Process.suspend)
        told = report("trade", "OAAAAA-AAAAA-AAAAAA", client_order_id=one.id, fill=filled("10"))
        for _ in range(2):
            trader.turn(told)

        assert "has not answered for 0.3 s" in trader.health().detail["word"]
        assert exchange.open_orders() == []
        assert len(list(trader.outage.kept())) == 2

        _each(server, psutil.Process.resume)
        until(lambda: trader.turn(None) or trader.outage.since is None, 10, "the record's return")

    with Session(engine) as session:
        assert len(reads.fills(session)) == 1
        assert journal.order_by_id(session, one.id).status is Status.FILLED
    assert trader.word == ""
    assert trader.reporting
    trader.lease.release()


def test_an_answer_that_takes_too_long_closes_its_connection_alone(engine):
    with engine.connect() as slow, engine.connect() as quick:
        with pytest.raises(OperationalError, match="has not answered"):
            slow.execute(text("SELECT pg_sleep(2)"))

        assert slow.invalidated
        assert quick.scalar(text("SELECT 1")) == 1
