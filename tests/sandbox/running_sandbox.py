"""A sandbox exchange in a process of its own, on a free port, started the way people do."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from tempfile import NamedTemporaryFile

import ccxt
from websockets.sync.client import connect

KEY = "test-key"
SECRET = base64.b64encode(b"the secret of a test" * 3).decode()


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

    def end(self):
        """Stop the process unless it has ended by itself, and close what it wrote to."""
        if self.process.poll() is None:
            self.stop()
        self._hang_up()

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
