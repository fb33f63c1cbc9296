"""A client that signs requests and sends them over one socket that is kept open."""

from __future__ import annotations

import json
import socket
import time
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from sandbox.keys import sign

READ = 1 << 16


def ask(address: str, form: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the sandbox's administration, posting a form if there is one."""
    data = None if form is None else json.dumps(form).encode()
    with urlopen(address, data=data, timeout=30) as answer:  # noqa: S310 - our own sandbox
        found: dict[str, Any] = json.loads(answer.read())
    return found


class Caller:
    """A key of one account. Requests may be sent before earlier ones were answered."""

    def __init__(self, http: str, account: str, minted: dict[str, str] | None = None) -> None:
        self.minted = minted or ask(f"{http}/admin/keys", {"account": account})
        self._nonce = time.time_ns()
        self._buffer = b""
        self.connect(http)

    def connect(self, http: str) -> None:
        """Open the socket; the key stays the same."""
        where = urlsplit(http)
        self._host = where.netloc
        self._buffer = b""
        self._socket = socket.create_connection((where.hostname or "", where.port or 0), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, name: str, form: dict[str, Any]) -> None:
        """Send a request; raises OSError if the exchange is gone."""
        self._nonce += 1
        nonce, path = str(self._nonce), f"/0/private/{name}"
        body = urlencode({"nonce": nonce, **form}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nAPI-Key: {self.minted['key']}\r\n"
            f"API-Sign: {sign(self.minted['secret'], path, nonce, body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)

    def receive(self) -> dict[str, Any]:
        """Wait for the next answer; raises ConnectionError if the exchange is gone."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        found: dict[str, Any] = json.loads(body)
        return found

    def _more(self) -> None:
        part = self._socket.recv(READ)
        if not part:
            raise ConnectionResetError("the exchange is gone")
        self._buffer += part

    def call(self, name: str, **form: Any) -> dict[str, Any]:
        """Send a request and wait for its answer, errors included."""
        self.send(name, form)
        return self.receive()
