"""A sandbox exchange in a process of its own, for the length of a measurement."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from websocket import create_connection

from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = re.compile(r"http://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Where a running sandbox listens, and its process id."""

    http: str
    pid: int

    @property
    def websocket(self) -> str:
        """Give the address of its websockets, without a path."""
        return self.http.replace("http", "ws", 1)

    def kill(self) -> None:
        """Kill the process at once, and wait until it is gone; only from within `running`."""
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def running(*options: str) -> Iterator[Sandbox]:
    """Start a sandbox on a free port and end it afterwards; raises CannotStart."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = ADDRESS.search(line)
            if found is None:
                raise CannotStart("the sandbox did not start")
            yield Sandbox(http=found[0], pid=process.pid)
        finally:
            process.terminate()


def listen(sandbox: Sandbox, symbols: list[str], channels: list[str], count: int) -> list[str]:
    """Collect `count` messages of public channels as the exchange sends them."""
    with closing(create_connection(f"{sandbox.websocket}/public/v2", timeout=10)) as socket:
        for channel in channels:
            asked = {"channel": channel, "symbol": symbols, "snapshot": True}
            socket.send(json.dumps({"method": "subscribe", "params": asked}))
        return [str(socket.recv()) for _ in range(count)]
