"""Nonsense of every degree: from an order that almost makes sense to bytes that are nothing.

The vocabulary is read out of the sandbox's own source, so a field or a value that is added
there is tried out here without anybody having to think of it.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import sandbox.admin
from sandbox import methods, public_data, requests, rest
from sandbox.connection import Connection

SOURCE = Path(sandbox.admin.__file__).parent
WORD = re.compile(r"[A-Za-z0-9][\w./:\[\]-]{0,23}")
NUMBERS = (
    *("0", "1", "10", "25", "0.5", "1.0", "1.70000", "0.00000001", "-1", "1e9", "1e-9", "+5%"),
    *("#2", "-0.01", "NaN", "Infinity", "1e400", "9" * 25, "1" * 400, "0x10", "1_0", "\u0663", ""),
    *("2026-03-01T10:30:05Z", "2026-03-01", "9999-12-31T23:59:59.999999Z", "0001-01-01", "+10"),
    *("1772361000", "1772361000.5", "1772361000000000000", "18446744073709551616", " 10 ", "10,5"),
)
STRANGE = (
    *("\x00", "\u202e", "\ud800", "\U0001f600", "%00", "<script>", "'; DROP TABLE orders; --"),
    *("a" * 5000, "\n\r\n", '"', "\\", "{}", "[]", "null", "true", "False", "None", "{{7*7}}"),
)
PLAIN = (0, 1, -1, 10, 2.5, 1e308, 2**70, True, False, None)
SERIOUS = ("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "add_order")


def _strings(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _keys(path):
    """Read what a module looks up by name in what a client sent."""
    for node in ast.walk(ast.parse(path.read_text())):
        inside = []
        if isinstance(node, ast.Subscript):
            inside = [node.slice]
        elif isinstance(node, ast.Call):
            inside = node.args
        for each in inside:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


FILES = sorted(SOURCE.glob("*.py"))
WORDS = sorted({s for path in FILES for s in _strings(path) if WORD.fullmatch(s)})
KEYS = sorted(
    {s for path in FILES for s in _keys(path) if re.fullmatch(r"[a-z][a-z_0-9]{1,23}", s)}
    | {f"close[{part}]" for part in ("ordertype", "price", "price2")}
)
CHANNELS = (*requests.PUBLIC, *requests.PRIVATE, "nothing")
SYMBOLS = ("XRP/USD", "DOGE/USD", "BTC/USD")


class Sink(Connection):
    """A connection whose messages stay here."""

    def __init__(self):
        super().__init__(number=1, opens=frozenset({"public", "private"}))
        self.sent = []

    def send(self, message):
        """Keep a message, which must be JSON."""
        self.sent.append(json.loads(message))


class Babbler:
    """Talks nonsense; the same generator of random numbers says the same."""

    def __init__(self, random, ids):
        self._random = random
        self._ids = ids
        self._public = [*public_data.METHODS, "Nothing", "", "../admin"]
        self._private = [*rest.PRIVATE, *SERIOUS[:5] * 4, "Nothing"]
        self._methods = [*requests.METHODS, *methods.METHODS, "nothing"]

    def value(self, depth=0):
        """Say something that may stand for a value."""
        draw = self._random.random()
        if draw < 0.92 or depth > 2:
            kinds = NUMBERS, WORDS, self._ids() or NUMBERS, STRANGE, PLAIN
            (kind,) = self._random.choices(kinds, (35, 25, 15, 7, 10))
            return self._random.choice(kind)
        if draw < 0.96:
            return [self.value(depth + 1) for _ in range(self._random.randrange(4))]
        return {self.key(): self.value(depth + 1) for _ in range(self._random.randrange(4))}

    def key(self):
        """Name a field."""
        return self._random.choice(KEYS if self._random.random() < 0.9 else WORDS)

    def twist(self, form):
        """Change a form that makes sense here and there, or not at all."""
        for _ in range(self._random.choice((0, 0, 1, 1, 1, 2, 3, 8))):
            kind = self._random.random()
            if kind < 0.2 and form:
                del form[self._random.choice(list(form))]
            elif kind < 0.6 and form:
                form[self._random.choice(list(form))] = self.value()
            else:
                form[self.key()] = self.value()
        return form

    def _terms(self):
        pick = self._random.choice
        near = f"{1.4 * self._random.uniform(0.9, 1.1):.5f}"
        lots = pick(("2", "10", "12.5", "100", "3000"))
        return near, lots, pick(("buy", "sell")), pick(("limit", "limit", "market", *ORDER_TYPES))

    def rest_order(self):
        """Ask for an order that makes sense, over REST."""
        near, lots, side, kind = self._terms()
        more = {"price2": near} if "limit" in kind and kind != "limit" else {}
        return {"pair": "XRPUSD", "type": side, "ordertype": kind, "volume": lots} | (
            {} if kind == "market" else {"price": near, **more}
        )

    def websocket_order(self):
        """Ask for an order that makes sense, over the websocket."""
        near, lots, side, kind = self._terms()
        order = {"symbol": "XRP/USD", "side": side, "order_type": kind, "order_qty": float(lots)}
        if "limit" in kind or kind == "iceberg":
            order["limit_price"] = float(near)
        if kind not in {"limit", "market", "iceberg"}:
            order["triggers"] = {"reference": "last", "price": float(near)}
        return order

    def private(self):
        """Call a private method over REST: its name, a form, and whether it is JSON."""
        name = self._random.choice(self._private)
        form = self.rest_order() if name in SERIOUS else {}
        if "Batch" in name:
            legs = [self.twist(self.rest_order()) for _ in range(self._random.randrange(1, 5))]
            form = {"pair": "XRPUSD", "orders": legs}
        elif name not in {"AddOrder", "CancelAll"}:
            form |= {"txid": self._random.choice(self._ids() or ("O",))}
        return name, self.twist(form), "Batch" in name or self._random.random() < 0.4

    def public(self):
        """Call a public method over REST: its name and a query."""
        form = self.twist({"pair": self._random.choice(("XRPUSD", "BTC/USD", "XDGUSD"))})
        return self._random.choice(self._public), {k: str(v) for k, v in form.items()}

    def request(self, token):
        """Say something over the websocket, as text."""
        name = self._random.choice(self._methods)
        if "subscribe" in name:
            form = {
                "channel": self._random.choice(CHANNELS),
                "symbol": [self._random.choice(SYMBOLS)],
            }
        elif name == "batch_add":
            legs = [self.twist(self.websocket_order()) for _ in range(self._random.randrange(1, 5))]
            form = {"symbol": "XRP/USD", "orders": legs}
        else:
            form = self.websocket_order() | {"order_id": self._random.choice(self._ids() or ("O",))}
        form["token"] = token
        whole = {"method": name, "params": self.twist(form), "req_id": self._random.randrange(99)}
        text = json.dumps(self.twist(whole) if self._random.random() < 0.2 else whole)
        return self.smear(text) if self._random.random() < 0.15 else text

    def smear(self, text):
        """Damage a text."""
        start, length = self._random.randrange(len(text) + 1), self._random.randrange(9)
        put = self._random.choice((text[start : start + length] * 2, "", *STRANGE, *NUMBERS))
        return text[:start] + put + text[start + length :]

    def body(self, form, *, as_json):
        """Write a form as the body of a request."""
        if as_json:
            return json.dumps(form).encode()
        flat = {str(key): value for key, value in form.items()}
        return urlencode(flat, doseq=self._random.random() < 0.3, errors="replace").encode()


ORDER_TYPES = tuple(
    word
    for word in WORDS
    if re.fullmatch(r"(stop-loss|take-profit|trailing-stop)(-limit)?|iceberg|settle-position", word)
)
