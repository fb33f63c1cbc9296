"""An order that rests, with a real sandbox: moved, filled as a maker, or cancelled in time."""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from circumstances_of_ours import circumstances
from sqlalchemy.orm import Session

from market.instruments import Quote, Side
from sql import explanation, reads
from sql.lease import Lease
from trader import journal, settlement
from trader.desk import Desk
from trader.exchange import Exchange
from trader.execution import worst_price
from trader.orders import Order, Status, client_order_id
from trader.pursuit import pursue
from trader.settings import ExchangeSettings

START = "2026-09-01T12:00:00Z"
KEY, SECRET = "resting", base64.b64encode(b"the secret of a test" * 3).decode()


@pytest.fixture
def sandbox():
    environment = dict(os.environ, KRAKEN_API_KEY=KEY, KRAKEN_API_SECRET=SECRET)
    options = ("--port", "0", "--clock", "simulated", "--seed", "3", "--start", START)
    running = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield re.search(r"http://\S+", running.stdout.readline())[0]
    finally:
        running.terminate()
        running.wait(10)
        running.stdout.close()


def ask(sandbox, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(sandbox + path, data=data, timeout=30) as answer:
        return json.loads(answer.read())


class Market:
    """One market of the sandbox, its clock, and our account there."""

    def __init__(self, sandbox, engine):
        self.sandbox, self.engine, self.lease = sandbox, engine, Lease(engine, "kraken")
        self.exchange = Exchange(
            ExchangeSettings(
                rest_url=sandbox, api_key=KEY, api_secret=SECRET, request_interval_seconds=0
            ),
            clock=self.now,
        )
        (instrument,) = self.exchange.instruments(["XRP/USD"])
        self.desk = Desk(instrument=instrument, interval=timedelta(minutes=1), trusted=True)

    def now(self):
        """Return the exchange's time."""
        stamp = ask(self.sandbox, "/health")["timestamp"]
        return datetime.fromisoformat(stamp).astimezone(UTC)

    def quote(self):
        """Return the best prices."""
        (row,) = ask(self.sandbox, "/0/public/Ticker?pair=XRPUSD")["result"].values()
        bid, ask_price = Decimal(row["b"][0]), Decimal(row["a"][0])
        return Quote(symbol="XRP/USD", at=self.now(), bid=bid, ask=ask_price)

    def send(self, number, side, quantity):
        """Write an order at the touch down and send it."""
        quote, now = self.quote(), self.now()
        one = Order(
            id=client_order_id(f"resting-{side}", number),
            symbol="XRP/USD",
            side=side,
            quantity=Decimal(quantity),
            limit=quote.bid if side is Side.BUY else quote.ask,
            worst=worst_price(side, quote, self.desk.instrument),
            time_in_force="gtc",
            created_at=now,
            deadline=now + timedelta(seconds=5),
        )
        with Session(self.engine) as session, session.begin():
            journal.record_intent(session, one)
        answer = self.exchange.place(one)
        with Session(self.engine) as session, session.begin():
            journal.record_event(session, one.id, answer)
        return one

    def look(self, seconds, patience):
        """Let time pass, look after what rests, and read the exchange's lists."""
        ask(self.sandbox, "/admin/clock/advance", {"seconds": seconds})
        self.desk.quote = self.quote()
        around = circumstances(self.now(), patience=timedelta(seconds=patience))
        pursue(self.lease, self.exchange, {"XRP/USD": self.desk}, lambda _: around)
        settlement.reconcile(self.engine, self.exchange, trigger="test")

    def order(self, one):
        """Return the order as it is on record."""
        with Session(self.engine) as session:
            return journal.order_by_id(session, one.id)

    def kinds(self, one):
        """Return what happened to the order, in turn."""
        with Session(self.engine) as session:
            return [event.kind for event in explanation.why(session, one.id).events]


@pytest.fixture
def market(sandbox, engine):
    opened = Market(sandbox, engine)
    assert settlement.reconcile(engine, opened.exchange, trigger="start").clean
    return opened


def test_orders_follow_the_market_until_taken_or_until_their_time_is_up(market):
    sent = [market.send(1, Side.BUY, "50")]
    for _ in range(10):
        market.look(6, patience=3600)
    for number in range(2, 6):
        sent.append(market.send(number, Side.SELL, "5"))
        for _ in range(7):
            market.look(6, patience=30)

    assert market.exchange.open_orders() == []
    ended = [market.order(one) for one in sent]
    assert {one.status for one in ended} == {Status.FILLED, Status.CANCELLED}
    assert all(one.worst <= one.limit for one in ended if one.side is Side.SELL)
    assert any("amending" in market.kinds(one) for one in sent)
    with Session(market.engine) as session:
        assert {fill.liquidity for fill in reads.fills(session)} == {"maker"}
        assert all(event.clean for event in reads.reconciliations(session, limit=100))
