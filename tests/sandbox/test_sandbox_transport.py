"""However an answer gets lost on its way, ccxt takes it as documented, and the truth is kept."""

import asyncio
import inspect
import socket

import ccxt
import ccxt.async_support as ccxt_async
import pytest

ORDER = ("XRP/USD", "limit", "buy", 10, 1.0)
NO_ANSWER = "no exception and no id"


def status(code, *, after=False):
    return {"kind": "status", "status": code, "after": after}


# The fault, what create_order makes of it (blocking and async where they differ), and whether
# the order lives.
TABLE = [
    *((status(code), "ExchangeNotAvailable", False) for code in (500, 502, 503, 520, 521, 522)),
    *((status(code), "ExchangeNotAvailable", False) for code in (525, 400, 403)),
    *((status(code), "RequestTimeout", False) for code in (504, 408)),
    (status(429), "RateLimitExceeded", False),
    (status(401), "AuthenticationError", False),
    (status(524), ("ExchangeError", NO_ANSWER), False),
    (status(502, after=True), "ExchangeNotAvailable", True),
    (status(520, after=True), "ExchangeNotAvailable", True),
    (status(524, after=True), ("ExchangeError", NO_ANSWER), True),
    ({"kind": "truncated"}, NO_ANSWER, True),
    ({"kind": "empty"}, NO_ANSWER, True),
    ({"kind": "drop_before"}, ("NetworkError", "ExchangeNotAvailable"), False),
    ({"kind": "drop_after"}, ("NetworkError", "ExchangeNotAvailable"), True),
    ({"kind": "delay_before", "seconds": 86400}, "RequestTimeout", False),
    ({"kind": "delay", "seconds": 86400}, "RequestTimeout", True),
]


class Doors:
    """The blocking and the async ccxt of one account."""

    def __init__(self, sandbox):
        self.loop = asyncio.new_event_loop()
        self.blocking = sandbox.new_client("unlucky")
        other = sandbox.new_client("unlucky")
        urls = {"api": sandbox.addresses()}
        keys = {"apiKey": other.apiKey, "secret": other.secret}
        self.awaited = ccxt_async.kraken({**keys, "enableRateLimit": False, "urls": urls})
        self.call("blocking", "load_markets")
        self.call("awaited", "load_markets")

    def call(self, door, method, *arguments):
        """Call a method of one of the two."""
        answer = getattr(getattr(self, door), method)(*arguments)
        return self.loop.run_until_complete(answer) if inspect.isawaitable(answer) else answer

    def place(self, door):
        """Place an order, and say what came of it."""
        client = getattr(self, door)
        client.timeout = 150
        try:
            placed = self.call(door, "create_order", *ORDER)
        except ccxt.BaseError as error:
            return type(error).__name__
        finally:
            client.timeout = 10_000
        assert placed["id"] is None
        return NO_ANSWER


@pytest.fixture(scope="module")
def doors(sandbox):
    """Give both clients for the whole table."""
    made = Doors(sandbox)
    yield made
    made.loop.run_until_complete(made.awaited.close())
    made.loop.close()


@pytest.mark.parametrize("door", ["blocking", "awaited"])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_lost_answer_is_taken_as_documented(sandbox, doors, door, row):
    fault, outcome, lives = row
    expected = (outcome, outcome) if isinstance(outcome, str) else outcome
    doors.call(door, "cancel_all_orders")
    name = sandbox.ask("/admin/faults", {"method": "AddOrder", **fault})["id"]

    assert doors.place(door) == expected[door == "awaited"]
    struck = [
        each["where"] for each in sandbox.ask("/admin/faults")["struck"] if each["id"] == name
    ]
    assert struck == ["AddOrder"]
    assert len(doors.call(door, "fetch_open_orders")) == lives


def test_a_refused_connection_is_a_network_error(sandbox):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        client = sandbox.new_client("unlucky")
        client.load_markets()
        client.urls["api"] = {"public": nobody, "private": nobody}
        with pytest.raises(ccxt.NetworkError) as raised:
            client.create_order(*ORDER)
    assert type(raised.value) is ccxt.NetworkError


@pytest.mark.parametrize("door", ["blocking", "awaited"])
def test_a_batch_with_one_leg_that_cannot_be_paid_raises_although_the_other_lives(doors, door):
    legs = [
        {"symbol": "XRP/USD", "type": "limit", "side": "buy", "amount": amount, "price": 1.0}
        for amount in (10, 900_000)
    ]
    doors.call(door, "cancel_all_orders")
    with pytest.raises(ccxt.InsufficientFunds):
        doors.call(door, "create_orders", legs)

    (living,) = doors.call(door, "fetch_open_orders")
    assert living["amount"] == 10
