"""Our account at the paper exchange, in this process: requests get lost or come late.

The client is the real one; only the socket is missing. Whatever happens at the exchange is
told in execution reports, which a test hands on as it likes.
"""

import io
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import requests
from paper_exchange import PaperExchange
from requests.adapters import BaseAdapter

from market.instruments import Side
from market.world import World
from streams.events import ExecutionReport
from trader.answers import moment
from trader.exchange import Exchange
from trader.settings import ExchangeSettings

ADDRESS = "http://paper"
NOT_PLACED = '{"error":["EOrder:Insufficient funds"]}'
DEADLINE = timedelta(seconds=5)
AMOUNTS = ("vol", "price", "cost", "fee")


class Door(BaseAdapter):
    """Hands requests to the account that is open now, in place of a socket."""

    paper = None

    def send(self, request, *_, **__):
        """Answer a request, or raise what a lost answer raises."""
        parts, body = urlsplit(request.url), request.body or ""
        text = body if isinstance(body, str) else body.decode()
        status, answer = self.paper.handle(parts.path, dict(parse_qsl(parts.query or text)))
        if status is None:
            raise requests.ConnectionError("the answer got lost", request=request)
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.raw = io.BytesIO(answer.encode())
        response.headers["Content-Type"] = "application/json"
        return response

    def close(self):
        """There is nothing to close."""


def _session():
    session = requests.Session()
    session.trust_env = False
    session.mount(ADDRESS, DOOR)
    return session


DOOR = Door()
WORLD = World(http=_session, sleep=lambda _: None)
# One client for all accounts, since making ccxt's takes longer than a short life of orders.
EXCHANGE = Exchange(
    ExchangeSettings(
        rest_url=ADDRESS, api_key="key", api_secret="c2VjcmV0", request_interval_seconds=0
    ),
    clock=lambda: moment(DOOR.paper.now),
    world=WORLD,
)


class Account:
    """A thousand dollars and a hundred XRP, and what has become of them."""

    def __init__(self):
        self.paper = DOOR.paper = PaperExchange()
        self.paper.balances = {"ZUSD": Decimal("1000.0000"), "XXRP": Decimal("100.00000000")}
        self.under_way = {}  # requests that may still arrive, by our id
        self.reports = []
        self._told = set()

    @property
    def now(self):
        """Return the exchange's time."""
        return moment(self.paper.now)

    def send(self, order, fate):
        """Place an order through the client; the fate says what becomes of the request."""
        paper = self.paper
        faults = {
            "lost": (paper.before, (None, "")),
            "late": (paper.before, (None, "")),
            "refused": (paper.before, (200, NOT_PLACED)),
            "unheard": (paper.after, (None, "")),
        }
        where, answer = faults.get(fate, (paper.after, None))
        if answer is not None:
            where["AddOrder"] = answer
        placed = EXCHANGE.place(order)
        where.pop("AddOrder", None)
        if fate == "late":
            self.under_way[order.id] = (paper.asked[-1][1], order.deadline)
        return placed

    def arrive(self, order_id):
        """Let a request come in at last; one that is too late the exchange refuses."""
        params, deadline = self.under_way.pop(order_id)
        if self.now <= deadline:
            self.paper.do_addorder(params)

    def standing(self):
        """Return the exchange's ids of the orders that may trade."""
        return [txid for txid, row in self.paper.orders.items() if row["status"] == "open"]

    def alive(self):
        """Return our ids of the orders that stand, or may do so yet, as often as they do."""
        coming = [key for key, (_, deadline) in self.under_way.items() if self.now <= deadline]
        return coming + [self.paper.orders[txid]["cl_ord_id"] for txid in self.standing()]

    def left(self, txid):
        """Return how much of an order has yet to trade."""
        row = self.paper.orders[txid]
        return Decimal(row["vol"]) - Decimal(row["vol_exec"])

    def news(self):
        """Return the reports of what has happened since the last call."""
        found = []
        for txid, row in self.paper.orders.items():
            found += self._once(("new", txid), row, txid, row["opentm"])
        for exec_id, trade in self.paper.trades.items():
            txid = trade["ordertxid"]
            row = self.paper.orders[txid]
            found += self._once(("trade", txid, exec_id), row, txid, trade["time"], trade)
        for txid, row in self.paper.orders.items():
            if row["status"] == "canceled":
                found += self._once(("canceled", txid), row, txid, row["closetm"])
        self.reports += found
        return found

    def _once(self, key, row, txid, at, trade=None):
        if key in self._told:
            return []
        self._told.add(key)
        amounts = trade or dict.fromkeys(AMOUNTS)
        exact = {name: text and Decimal(text) for name, text in amounts.items() if name in AMOUNTS}
        return [
            ExecutionReport(
                exec_type=key[0],
                order_id=txid,
                cl_ord_id=row["cl_ord_id"],
                exec_id=key[2] if trade else None,
                symbol="XRP/USD",
                side=Side(row["descr"]["type"]),
                last_quantity=exact["vol"],
                last_price=exact["price"],
                cost=exact["cost"],
                fee=exact["fee"],
                fee_asset="USD",
                liquidity="t",
                cumulative=None,
                status=None,
                reason=None,
                at=moment(at),
                snapshot=False,
            )
        ]
