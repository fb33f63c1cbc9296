"""A few private endpoints of Kraken on the loopback, whose answers can be lost or garbled.

It fills what it is told to fill; there is no market. Balances are exact sums.
"""

import json
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

from trader.exchange import Exchange
from trader.settings import ExchangeSettings

PAIRS = {
    "XXRPZUSD": {
        "altname": "XRPUSD",
        "wsname": "XRP/USD",
        "base": "XXRP",
        "quote": "ZUSD",
        "cost_decimals": 8,
        "pair_decimals": 5,
        "lot_decimals": 8,
        "ordermin": "1.65",
        "costmin": "0.5",
        "status": "online",
    },
    "XDGUSD": {
        "altname": "XDGUSD",
        "wsname": "XDG/USD",
        "base": "XXDG",
        "quote": "ZUSD",
        "cost_decimals": 9,
        "pair_decimals": 7,
        "lot_decimals": 8,
        "ordermin": "50",
        "costmin": "0.5",
        "status": "online",
    },
}
TERMINAL = {"closed", "canceled", "expired"}


class PaperExchange:
    """One account: its orders, trades and balances, and the faults to inject."""

    def __init__(self):
        self.now = Decimal(1_790_000_000)
        self.orders, self.trades = {}, {}
        self.balances = {"ZUSD": Decimal("10000.0000"), "XXRP": Decimal("5.25")}
        self.fill_on_arrival = Decimal(0)
        self.ledger_step = None  # what money is rounded to in balances, and not in trades
        self.switch = None
        self.before, self.after = {}, {}  # method -> (status, body) instead of / after acting
        self.asked = []

    def handle(self, path, params):
        """Answer a request, or act and lose the answer, as the faults say."""
        method = path.rsplit("/", 1)[-1]
        self.asked.append((method, params))
        if method in self.before:
            return self.before[method]
        body = json.dumps(getattr(self, f"do_{method.lower()}")(params))
        return self.after.get(method, (200, body))

    def do_time(self, _):
        """Answer time."""
        return _ok({"unixtime": int(self.now), "rfc1123": ""})

    def do_systemstatus(self, _):
        """Answer systemstatus."""
        return _ok({"status": "online", "timestamp": ""})

    def do_assetpairs(self, _):
        """Answer assetpairs."""
        return _ok(PAIRS)

    def do_tradevolume(self, params):
        """Answer tradevolume."""
        pairs = params["pair"].split(",")
        fees = {pair: {"fee": "0.8000"} for pair in pairs}
        return _ok({"fees": fees, "fees_maker": {pair: {"fee": "0.4000"} for pair in pairs}})

    def do_balanceex(self, _):
        """Answer balanceex."""
        return _ok({k: {"balance": f"{v:f}", "hold_trade": "0"} for k, v in self.balances.items()})

    def do_addorder(self, params):
        """Answer addorder."""
        txid = f"O{len(self.orders):05}-AAAAA-AAAAAA"
        self.orders[txid] = {
            "cl_ord_id": params["cl_ord_id"],
            "status": "open",
            "opentm": float(self.now),
            "descr": {"pair": PAIRS[params["pair"]]["altname"], "type": params["type"]},
            "vol": params["volume"],
            "vol_exec": "0",
            "limit": params["price"],
        }
        if self.fill_on_arrival:
            self.fill(txid, self.fill_on_arrival)
        if params["timeinforce"] == "IOC":
            self.end(txid, "canceled")
        return _ok({"descr": {"order": "..."}, "txid": [txid]})

    def do_openorders(self, params):
        """Answer openorders."""
        return _ok({"open": self._find(params, closed=False)})

    def do_closedorders(self, params):
        """Answer closedorders."""
        found = self._find(params, closed=True)
        return _ok({"closed": found, "count": len(found)})

    def do_tradeshistory(self, params):
        """Answer tradeshistory."""
        start, offset = Decimal(params["start"]), int(params["ofs"])
        found = {k: v for k, v in self.trades.items() if Decimal(str(v["time"])) > start}
        page = dict(list(found.items())[offset : offset + 50])
        return _ok({"trades": page, "count": len(found)})

    def do_cancelallordersafter(self, params):
        """Answer cancelallordersafter; the switch never fires here."""
        self.switch = int(params["timeout"])
        return _ok({"currentTime": "", "triggerTime": ""})

    def do_amendorder(self, params):
        """Answer amendorder."""
        for order in self._find(params, closed=False).values():
            order["limit"] = params["limit_price"]
            return _ok({"amend_id": "TAAAAA-AAAAA-AAAAAA"})
        return {"error": ["EOrder:Unknown order"]}

    def do_cancelorder(self, params):
        """Answer cancelorder."""
        found = self._find(params, closed=False)
        for txid in found:
            self.end(txid, "canceled")
        return _ok({"count": len(found)}) if found else {"error": ["EOrder:Unknown order"]}

    def fill(self, txid, quantity, price=None):
        """Trade some of an order at a price, with its fee."""
        order = self.orders[txid]
        side, quantity = order["descr"]["type"], Decimal(quantity)
        price = Decimal(price or order["limit"])
        cost = quantity * price
        fee = (cost * Decimal("0.008")).quantize(Decimal("0.00000001"))
        pair = next(k for k, v in PAIRS.items() if v["altname"] == order["descr"]["pair"])
        sign = 1 if side == "buy" else -1
        base = PAIRS[pair]["base"]
        self.balances[base] = self.balances.get(base, Decimal(0)) + sign * quantity
        self.balances["ZUSD"] -= self._kept(sign * cost) + self._kept(fee)
        self.now += 1
        self.trades[f"T{len(self.trades):05}-AAAAA-AAAAAA"] = {
            "ordertxid": txid,
            "pair": pair,
            "time": float(self.now),
            "type": side,
            "price": f"{price:f}",
            "cost": f"{cost:f}",
            "fee": f"{fee:f}",
            "vol": f"{quantity:f}",
            "maker": False,
        }
        order["vol_exec"] = f"{Decimal(order['vol_exec']) + quantity:f}"
        if Decimal(order["vol_exec"]) == Decimal(order["vol"]):
            self.end(txid, "closed")

    def _kept(self, amount):
        return amount if self.ledger_step is None else amount.quantize(self.ledger_step)

    def end(self, txid, status):
        """Close an order that is open."""
        order = self.orders[txid]
        if order["status"] == "open":
            order.update(status=status, closetm=float(self.now), reason=None)

    def _find(self, params, *, closed):
        return {
            txid: order
            for txid, order in self.orders.items()
            if (order["status"] in TERMINAL) == closed
            and params.get("cl_ord_id", order["cl_ord_id"]) == order["cl_ord_id"]
            and not int(params.get("ofs", 0))
        }


def _ok(result):
    return {"error": [], "result": result}


@contextmanager
def serving(paper):
    """Serve the account on a free port and yield a real client of it."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer, or the kernel holds the second back

        def do_GET(self):
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self):
            size = int(self.headers["Content-Length"])
            self._answer(dict(parse_qsl(self.rfile.read(size).decode())))

        def _answer(self, params):
            status, body = paper.handle(urlsplit(self.path).path, params)
            if status is None:
                self.close_connection = True
                return
            raw = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        settings = ExchangeSettings(
            rest_url=f"http://127.0.0.1:{server.server_port}",
            api_key="key",
            api_secret="c2VjcmV0",
            request_interval_seconds=0,
        )
        yield Exchange(settings)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
