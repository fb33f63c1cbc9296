"""A client of both doors of a sandbox in this process, which moves its time."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from sandbox import rest
from sandbox.connection import Connection
from sandbox.feeds import Feeds
from sandbox.keys import mint_key, sign
from sandbox.opening import Settings, open_venue
from sandbox.requests import Dialogue

SECOND = 1_000_000_000


class Sink(Connection):
    """A connection whose messages stay here as text."""

    def __init__(self):
        super().__init__(number=1, opens=frozenset({"public", "private"}))
        self.texts = []

    def send(self, message):
        """Keep a message."""
        self.texts.append(message.decode())


class Desk:
    """A client of both doors of a venue in this process, whose time it moves."""

    def __init__(self, venue):
        self.venue = venue
        self.key = mint_key("desk")
        venue.add_key(self.key, venue.sync())
        self.sink = Sink()
        self.dialogue = Dialogue(venue, Feeds(venue), self.sink)
        self.token = self.call("GetWebSocketsToken")["token"]

    def ask(self, name, *, as_json=False, **form):
        """Call a private method and give the whole answer, with numbers as they are spelled."""
        nonce = str(self.key.nonce + 1)
        form |= {"nonce": nonce}
        body = (json.dumps(form) if as_json else urlencode(form)).encode()
        signature = sign(self.key.secret, f"/0/private/{name}", nonce, body)
        headers = {"api-key": self.key.name, "api-sign": signature}
        return json.loads(rest.answer_private(self.venue, name, headers, body), parse_float=str)

    def call(self, name, **form):
        """Call a private method and give its result."""
        answer = self.ask(name, **form)
        assert not answer["error"], answer
        return answer["result"]

    def refusal(self, name, **form):
        """Call a private method and give the words of its refusal."""
        (text,) = self.ask(name, **form)["error"]
        return text

    def send(self, method, **params):
        """Call a method over the websocket and give its answer, numbers as they are spelled."""
        before = len(self.sink.texts)
        request = {"method": method, "params": params | {"token": self.token}}
        self.dialogue.hear(json.dumps(request))
        answers = [json.loads(t, parse_float=str) for t in self.sink.texts[before:]]
        return next(a for a in answers if a.get("method") == method)

    def heard(self):
        """Give the events of executions so far, and forget them."""
        read = [json.loads(text, parse_float=str) for text in self.sink.texts]
        self.sink.texts.clear()
        return [row for m in read if m.get("channel") == "executions" for row in m["data"]]

    def wait(self, seconds):
        """Let time pass on the exchange."""
        self.venue.clock.advance(int(seconds * SECOND))
        self.venue.commit(self.venue.sync())


def open_desk():
    """Open a sandbox and give a client of it."""
    made = open_venue(
        Settings(
            seed=7,
            market="synthetic",
            edge=150,
            clock="simulated",
            speed=1,
            start="2026-03-01T10:30:00Z",
            state=None,
            fees=8,
            balance=("USD=10000", "XRP=5000"),
            key="",
            secret="",
        )
    )
    return Desk(made)
