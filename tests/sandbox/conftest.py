"""What the tests of the sandbox may ask for: processes, a floor without sockets, and clients."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import ccxt.async_support as ccxt_async
import pytest
from running_sandbox import Blocking, Running

from sandbox.connection import Connection
from sandbox.floor import Floor
from sandbox.keys import mint_key
from sandbox.opening import Settings, open_venue

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "kraken"
COUNT = itertools.count()


@pytest.fixture
def start():
    """Start sandboxes that are stopped when the test ends."""
    running = []

    def begin(*options):
        running.append(Running(*options))
        return running[-1]

    yield begin
    for each in running:
        each.end()


@pytest.fixture(scope="module")
def sandbox():
    """Run one sandbox with a simulated clock for the tests of a file."""
    running = Running("--clock", "simulated", "--start", "2026-03-01T10:30:00Z", "--fees", "8")
    yield running
    assert running.stop() == 0


@pytest.fixture
def fixtures():
    """Give the folder of recorded Kraken messages, or skip."""
    if not FIXTURES.is_dir():
        pytest.skip("the recorded Kraken messages are not beside this repository")
    return FIXTURES


class Caller:
    """A client on the floor that reads its answers at once."""

    def __init__(self, floor, opens=("public", "private")):
        self.connection = Connection(number=1, opens=frozenset(opens))
        self.floor = floor
        self.dialogue = floor.enter(self.connection, lambda *_: None)
        self.greeting = self.read()

    def read(self):
        """Read what has arrived."""
        found = [json.loads(message) for message in self.connection.waiting]
        self.connection.waiting.clear()
        return found

    def ask(self, method, req_id=None, **params):
        """Send a request and give the answers; the news that came with them are kept."""
        request = {"method": method} | ({"params": params} if method != "ping" else {})
        if req_id is not None:
            request["req_id"] = req_id
        self.dialogue.hear(json.dumps(request))
        found = self.read()
        self.news = [message for message in found if "method" not in message]
        return [message for message in found if "method" in message]

    def leave(self):
        """Go away."""
        self.floor.leave(self.connection)


def settings(**changes):
    wanted = {
        "seed": 7,
        "market": "synthetic",
        "edge": 150,
        "clock": "simulated",
        "speed": 1,
        "start": "2026-03-01T10:30:00Z",
        "state": None,
        "fees": 8,
        "balance": ("USD=10000", "XRP=1000"),
        "key": "",
        "secret": "",
    }
    return Settings(**{**wanted, **changes})


@pytest.fixture
def floor():
    """Give a floor without sockets, whose time is moved by hand."""
    venue = open_venue(settings())
    venue.add_key(mint_key("main"), venue.sync())
    made = Floor(venue)
    return SimpleNamespace(
        venue=venue,
        key=next(iter(venue.keys.values())),
        enter=lambda **opens: Caller(made, **opens),
        pulse=made.pulse,
        advance=lambda seconds: venue.clock.advance(int(seconds * 1e9)),
        token=lambda: venue.tokens.issue(next(iter(venue.keys.values())), venue.sync()),
    )


@pytest.fixture(params=["blocking", "async"])
def client(request, sandbox):
    """Give a ccxt with an account of its own that holds dollars and XRP."""
    made = sandbox.new_client(f"client {next(COUNT)}")
    made.create_order("XRP/USD", "market", "buy", 500)
    if request.param == "blocking":
        yield made
        return
    keys = {"apiKey": made.apiKey, "secret": made.secret}
    urls = {"api": sandbox.addresses()}
    blocking = Blocking(ccxt_async.kraken({**keys, "enableRateLimit": False, "urls": urls}))
    yield blocking
    blocking.end()
