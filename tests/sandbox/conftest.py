"""A sandbox exchange in a process of its own, on a free port, started the way people do."""

from __future__ import annotations

import asyncio
import base64
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import SimpleNamespace

import ccxt
import ccxt.async_support as ccxt_async
import pytest
from websockets.sync.client import connect

from sandbox.connection import Connection
from sandbox.floor import Floor
from sandbox.keys import mint_key
from sandbox.opening import Settings, open_venue

KEY = "test-key"
SECRET = base64.b64encode(b"the secret of a test" * 3).decode()
FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "kraken"
COUNT = itertools.count()


class Running:
    """One sandbox process."""

    def __init__(self, *options):
        environment = dict(os.environ, KRAKEN_API_KEY=KEY, KRAKEN_API_SECRET=SECRET)
        # A file and not a pipe: nobody reads along, and a full pipe would stop the process.
        with NamedTemporaryFile("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "--port", "0", *options],
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env=environment,
            )
            self.process.stderr = Path(said.name).open()  # noqa: SIM115 - closed with the process
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, self.process.stderr.read()
        self.http = found[0]
        self.ws = self.http.replace("http", "ws", 1)

    def client(self, key=KEY, secret=SECRET):
        """Give an unmodified ccxt that talks to this sandbox."""
        urls = {"api": self.addresses()}
        return ccxt.kraken(
            {"apiKey": key, "secret": secret, "enableRateLimit": False, "urls": urls}
        )

    def addresses(self):
        """Give the addresses that any ccxt takes, over REST and the websocket."""
        doors = {"publicV2": self.ws + "/public/v2", "privateV2": self.ws + "/auth/v2"}
        ws = {"public": self.ws, "private": self.ws, **doors}
        return {"public": self.http, "private": self.http, "ws": ws}

    def new_client(self, account="main"):
        """Give a ccxt with a key and an account of its own."""
        minted = self.ask("/admin/keys", {"account": account})
        return self.client(minted["key"], minted["secret"])

    def ask(self, path, body=None):
        """Ask an address, posting a body if there is one."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.http + path, data=data, timeout=30) as answer:
            return json.loads(answer.read())

    def advance(self, seconds):
        """Move the simulated clock."""
        return self.ask("/admin/clock/advance", {"seconds": seconds})

    def public(self):
        """Open the public websocket."""
        return Stream(self.ws + "/public/v2")

    def private(self, client, door="/auth/v2"):
        """Open the private websocket with a fresh token."""
        stream = Stream(self.ws + door)
        stream.token = client.privatePostGetWebSocketsToken()["result"]["token"]
        return stream

    def kill(self):
        """Kill the process as kill -9 does."""
        self.process.kill()
        self.process.wait()
        self._hang_up()

    def stop(self):
        """Ask the process to stop and give its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=5)
        self._hang_up()
        return code

    def _hang_up(self):
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()


class Stream:
    """A websocket whose messages can be waited for by their nature."""

    def __init__(self, url):
        self.socket = connect(url, max_queue=None)
        self.token = None

    def send(self, method, **params):
        """Call a method."""
        if self.token is not None:
            params["token"] = self.token
        said = {"params": params} if method != "ping" else {}
        self.socket.send(json.dumps({"method": method, **said, "req_id": 7}))

    def subscribe(self, channel, **params):
        """Subscribe to a channel."""
        self.send("subscribe", channel=channel, **params)

    def text(self, *wanted, timeout=10):
        """Wait for a message that holds all the parts."""
        while True:
            message = self.socket.recv(timeout=timeout)
            if all(part in message for part in wanted):
                return message

    def wait(self, *wanted, timeout=10):
        """Wait for such a message and read it."""
        return json.loads(self.text(*wanted, timeout=timeout))

    def close(self):
        """Close the socket."""
        self.socket.close()


class Blocking:
    """Lets an async client be used like a blocking one."""

    def __init__(self, client):
        self.client = client
        self.loop = asyncio.new_event_loop()

    def __getattr__(self, name):
        method = getattr(self.client, name)

        def call(*arguments, **named):
            answer = method(*arguments, **named)
            if inspect.isawaitable(answer):
                return self.loop.run_until_complete(answer)
            return answer

        return call if callable(method) else method

    def end(self):
        """Close the client and its loop."""
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


@pytest.fixture
def start():
    """Start sandboxes that are stopped when the test ends."""
    running = []

    def begin(*options):
        running.append(Running(*options))
        return running[-1]

    yield begin
    for each in running:
        if each.process.poll() is None:
            each.stop()


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
