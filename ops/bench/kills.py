"""A sandbox that is killed at drawn moments, and what it must still know afterwards.

Nothing waits for a time: the kill falls after the n-th answer of several requests that are
already on their way, or after the n-th report on the private websocket.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ops.bench.caller import Caller, ask
from ops.bench.exchange import running

if TYPE_CHECKING:
    from pathlib import Path

    from ops.bench.exchange import Sandbox

REQUESTS = range(4, 25)
PRICES = {"XRPUSD": Decimal("0.5"), "XDGUSD": Decimal("0.05")}
PAGE = 50


@dataclass
class Known:
    """What the exchange has told its client so far, and the faults found in what it says now."""

    orders: dict[str, str] = field(default_factory=dict)
    canceled: set[str] = field(default_factory=set)
    fills: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    asked: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list)

    def check(self, holds: object, words: str) -> None:
        """Note a fault unless a promise holds."""
        if not holds:
            self.faults.append(f"after kill {self.kills}: {words}")


def campaign(kills: int, seed: int, state: Path) -> Known:
    """Kill a sandbox so many times, each time in the midst of other requests.

    Args:
        kills: How often.
        seed: What the requests and the moments are drawn from.
        state: The state file, which should not exist yet.
    """
    chance, known, minted = random.Random(seed), Known(), None
    options = ("--state", str(state), "--speed", "60", "--fees", "8", "--seed", str(seed))
    money = ("--balance", "USD=100000", "--balance", "XRP=100000", "--balance", "DOGE=100000")
    for _ in range(kills):
        with running(*options, *money) as sandbox:
            caller = Caller(sandbox.http, "main", minted)
            minted = caller.minted
            compare(known, caller, sandbox)
            trade_until_killed(known, caller, sandbox, chance)
            known.kills += 1
    with running(*options, *money) as sandbox:
        caller = Caller(sandbox.http, "main", minted)
        compare(known, caller, sandbox)
        caller.close()
    return known


def trade_until_killed(
    known: Known, caller: Caller, sandbox: Sandbox, chance: random.Random
) -> None:
    """Send requests without waiting, and kill the exchange when some of them are answered."""
    token = caller.call("GetWebSocketsToken")["result"]["token"]
    with connect(f"{sandbox.http.replace('http', 'ws', 1)}/auth/v2") as stream:
        params = {"channel": "executions", "token": token, "snap_orders": False}
        stream.send(json.dumps({"method": "subscribe", "params": params}))
        wanted = [_draw(known, chance) for _ in range(chance.choice(REQUESTS))]
        for name, form in wanted:
            caller.send(name, form)
        answers = chance.randrange(len(wanted) + 1)
        for name, form in wanted[:answers]:
            _learn(known, name, form, caller.receive())
        if answers and chance.random() < 0.5:  # noqa: PLR2004 - every other time
            _hear(known, stream.recv(timeout=10))
        sandbox.kill()
        _learn_the_rest(known, caller, wanted[answers:])
        try:
            while True:
                _hear(known, stream.recv(timeout=10))
        except ConnectionClosed:
            caller.close()


def _learn_the_rest(known: Known, caller: Caller, wanted: list[tuple[str, dict[str, str]]]) -> None:
    """Read what was answered before the exchange died."""
    try:
        for name, form in wanted:
            _learn(known, name, form, caller.receive())
    except OSError:
        return


def _draw(known: Known, chance: random.Random) -> tuple[str, dict[str, str]]:
    known.asked += 1
    pair = chance.choice(sorted(PRICES))
    side, volume = chance.choice(("buy", "sell")), str(chance.randint(60, 400))
    order = {"pair": pair, "type": side, "volume": volume, "cl_ord_id": f"k{known.asked}"}
    match chance.randrange(6):
        case 0 | 1:
            return "AddOrder", {**order, "ordertype": "market"}
        case 2:
            return "AddOrder", {**order, "ordertype": "limit", "price": "+0.1%"}
        case 3 if known.orders:
            return "CancelOrder", {"txid": chance.choice(sorted(known.orders))}
        case 4 if known.orders:
            return "AmendOrder", {
                "txid": chance.choice(sorted(known.orders)),
                "order_qty": volume,
            }
        case _:
            price = str(PRICES[pair] * chance.randint(10, 20) / 20)
            return "AddOrder", {**order, "type": "buy", "ordertype": "limit", "price": price}


def _learn(known: Known, name: str, form: dict[str, str], answer: dict[str, Any]) -> None:
    if answer["error"]:
        return
    if name == "AddOrder":
        known.orders[answer["result"]["txid"][0]] = form["cl_ord_id"]
    elif name == "CancelOrder":
        known.canceled.add(form["txid"])


def _hear(known: Known, text: str | bytes) -> None:
    message = json.loads(text)
    if message.get("channel") == "executions":
        known.heard.update(e["exec_id"] for e in message["data"] if "exec_id" in e)


@dataclass(frozen=True, slots=True)
class Books:
    """What the exchange says now, all of it of one moment between two fills."""

    opened: dict[str, Any]
    closed: dict[str, Any]
    fills: dict[str, Any]
    entries: dict[str, Any]
    balances: dict[str, str]


def _books(caller: Caller) -> Books:
    """Ask for all of it again as long as resting orders were filled meanwhile."""
    fills = _pages(caller, "TradesHistory", "trades")
    while True:
        books = Books(
            opened=caller.call("OpenOrders")["result"]["open"],
            closed=_pages(caller, "ClosedOrders", "closed"),
            fills=fills,
            entries=_pages(caller, "Ledgers", "ledger"),
            balances=caller.call("Balance")["result"],
        )
        fills = _pages(caller, "TradesHistory", "trades")
        if set(fills) == set(books.fills):
            return books


def compare(known: Known, caller: Caller, sandbox: Sandbox) -> None:
    """Hold everything the exchange says now against what it said before, and against itself."""
    books = _books(caller)
    opened, fills = books.opened, books.fills
    both = opened | books.closed
    known.check(not set(opened) & set(books.closed), "an order is open and closed")
    for txid, name in known.orders.items():
        found = both.get(txid)
        known.check(found is not None, f"order {txid} was acknowledged and is forgotten")
        known.check(found is None or found["cl_ord_id"] == name, f"order {txid} is another one")
    names = Counter(order.get("cl_ord_id") for order in both.values())
    known.check(max(names.values(), default=0) <= 1, "a request was carried out twice")
    known.check(not known.canceled & set(opened), "a cancelled order is open again")
    known.check(known.heard <= set(fills), "a fill was reported and is forgotten")
    for txid, fill in known.fills.items():
        known.check(fills.get(txid) == fill, f"fill {txid} was shown and has changed")
    _check_sums(known, both, fills)
    _check_ledger(known, books)
    sums = ask(f"{sandbox.http}/admin/state")["sums"]
    known.check(not any(Decimal(amount) for amount in sums.values()), "the books do not balance")
    known.fills = fills


def _pages(caller: Caller, name: str, part: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while True:
        result = caller.call(name, ofs=str(len(found)))["result"]
        found |= result[part]
        if len(found) >= result["count"] or not result[part]:
            return found


def _check_sums(known: Known, orders: dict[str, Any], fills: dict[str, Any]) -> None:
    """Every order's fills are those of the history, each of them once."""
    volumes: Counter[str] = Counter()
    for fill in fills.values():
        volumes[fill["ordertxid"]] += Decimal(fill["vol"])  # type: ignore[assignment]  # exact
    for txid, order in orders.items():
        known.check(
            Decimal(order["vol_exec"]) == volumes[txid], f"order {txid} lacks or doubles a fill"
        )
    numbers = Counter((fill["pair"], fill["trade_id"], fill["type"]) for fill in fills.values())
    known.check(max(numbers.values(), default=0) <= 1, "a trade id was given twice")


def _check_ledger(known: Known, books: Books) -> None:
    """The entries add up to the balances, and every fill has exactly two of them."""
    entries = books.entries
    sums: dict[str, Decimal] = {}
    for entry in entries.values():
        before = sums.get(entry["asset"], Decimal(0))
        sums[entry["asset"]] = before + Decimal(entry["amount"]) - Decimal(entry["fee"])
    for asset, amount in books.balances.items():
        known.check(sums.get(asset, 0) == Decimal(amount), f"the ledger of {asset} does not add up")
    parts = Counter(entry["refid"] for entry in entries.values() if entry["type"] == "trade")
    known.check(set(parts) == set(books.fills), "fills and ledger disagree")
    known.check(set(parts.values()) <= {2}, "a fill was posted more or less than once")
