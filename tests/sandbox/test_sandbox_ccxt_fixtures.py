"""What ccxt's own fixtures send is answered here, and what they hold is what is answered.

The fixtures trade LTC and USDT; here that is BTC and dollars, which takes the same amounts.
"""

import json
import re
import time
import urllib.request
from itertools import count
from pathlib import Path

import pytest
from running_sandbox import Running

from sandbox.keys import sign

FOLDER = Path(__file__).parents[3] / "shared" / "fixtures" / "kraken" / "ccxt"
RENAMED = {"XLTCZUSD": "XXBTZUSD", "LTCUSDT": "XXBTZUSD", "XBTUSDT": "XXBTZUSD"}
RENAMED |= {"ETHUSDT": "XDGUSD", "asset=USDT": "asset=ZUSD"}
NONCES = count(time.time_ns())
# Margin is not offered, and nobody here has placed the order that one fixture cancels.
REFUSED = {
    "Margin": "EGeneral:Permission denied",
    "cancel open trailing percent order": "EOrder:Invalid order",
}


def cases(name):
    if not (FOLDER / name).exists():
        return []
    methods = json.loads((FOLDER / name).read_text())["methods"]
    return [pytest.param(c, id=f"{m}: {c['description']}") for m in methods for c in methods[m]]


def renamed(text):
    return re.sub("|".join(RENAMED), lambda found: RENAMED[found[0]], text)


@pytest.fixture(scope="module")
def sandbox():
    """Run a sandbox with an account that can pay for the fixtures' orders."""
    funds = ("--balance", "USD=1000000", "--balance", "XBT=10", "--balance", "XRP=1000")
    running = Running("--clock", "simulated", "--start", "2026-03-01T10:30:00Z", *funds)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def key(sandbox):
    """Give a key of that account."""
    return sandbox.ask("/admin/keys", {"account": "fixtures"})


def send(sandbox, key, url, body):
    """Send a recorded request anew, signed with a nonce of today."""
    path = url.removeprefix("https://api.kraken.com")
    if body is None:
        return sandbox.ask(path)
    nonce = str(next(NONCES))
    form = re.sub(r"nonce=\d+", f"nonce={nonce}", body).encode()
    headers = {"API-Key": key["key"], "API-Sign": sign(key["secret"], path, nonce, form)}
    request = urllib.request.Request(sandbox.http + path, data=form, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.usefixtures("fixtures")
@pytest.mark.parametrize("case", cases("request_kraken.json"))
def test_what_ccxt_was_seen_to_send_is_answered(sandbox, key, case):
    body = case.get("output")
    answer = send(sandbox, key, renamed(case["url"]), body and renamed(body))

    told = case["description"]
    expected = [words for start, words in REFUSED.items() if told.startswith(start)]
    assert answer["error"] == expected
    assert ("result" in answer) != bool(expected)
    if case["method"] == "createOrder" and not expected:
        (txid,) = answer["result"]["txid"]
        kind = dict(part.split("=", 1) for part in body.split("&"))["ordertype"]
        shown = send(sandbox, key, "/0/private/QueryOrders", f"nonce=0&txid={txid}")
        assert shown["result"][txid]["descr"]["ordertype"] == kind


def leaves(value, path=""):
    """Give the path of everything in an answer, ids and the market's name made alike."""
    if isinstance(value, dict):
        found = set()
        for name, inner in value.items():
            shown = re.sub(r"[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{6}|XBTUSDT|XXBTZUSD", "*", name)
            found |= leaves(inner, f"{path}/{shown}")
        return found
    if isinstance(value, list):
        return {f"{path}/{len(value)}"} if all(not isinstance(v, list) for v in value) else set()
    return {path}


@pytest.fixture(scope="module")
def calls(sandbox):
    """Give the recorded calls, by description, as they are made here."""
    client = sandbox.new_client("fixtures")
    client.load_markets()

    def place(*arguments):
        return client.create_order("BTC/USD", *arguments)["id"]

    def query(*arguments):
        return client.privatePostQueryOrders({"txid": place(*arguments), "trades": "true"})

    def opened(*arguments):
        client.cancel_all_orders()
        place(*arguments)
        return client.privatePostOpenOrders()

    trailing = {"trailingPercent": "20%", "trigger": "index"}
    return {
        "create order": lambda: client.create_order("BTC/USD", "market", "buy", 0.1)["info"],
        "fetch spot limit order": lambda: query("limit", "buy", 0.1, 50, {"postOnly": True}),
        "closed market order": lambda: query("market", "buy", 0.1),
        "open take-profit market order": lambda: opened(
            "market", "sell", 0.1, None, {"takeProfitPrice": 1_000_000}
        ),
        "open stop-loss-limit order": lambda: opened(
            "limit", "sell", 0.1, 54, {"stopLossPrice": 55}
        ),
        "fetch open trailing stop order": lambda: opened("market", "sell", 0.1, None, trailing),
        "Spot ohlcv with since": lambda: client.publicGetOHLC({"pair": "XXBTZUSD"}),
        "spot trade": lambda: client.publicGetTrades({"pair": "XXBTZUSD", "count": 1}),
        "public spot ticker": lambda: client.publicGetTicker({"pair": "XXBTZUSD"}),
    }


# Given since the answers were recorded.
ADDED = {"aclass", "cl_ord_id", "trigger"}


@pytest.mark.usefixtures("fixtures")
@pytest.mark.parametrize("case", cases("response_kraken_spot_subset.json"))
def test_what_ccxt_was_seen_to_get_is_what_is_answered(calls, case):
    recorded = case["httpResponse"]
    (call,) = (c for start, c in calls.items() if case["description"].startswith(start))
    ours = call()
    if "error" not in ours:
        recorded = recorded["result"]

    there, here = leaves(recorded), leaves(ours)

    assert there <= here
    assert {path.rpartition("/")[2] for path in here - there} <= ADDED
