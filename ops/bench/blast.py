"""A websocket server on the loopback that sends a file's lines as fast as they are read.

It is a process of its own (`python -m ops.bench.blast FILE`), so that what reads has an
interpreter for itself. It sends when the first message has come, and then closes.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from ops.errors import CannotStart
from ops.ports import LOOPBACK, any_free

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def blasting(file: Path) -> Iterator[str]:
    """Serve a file's lines for a while and give the address; raises CannotStart."""
    command = [sys.executable, "-m", "ops.bench.blast", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("ws://"):
                raise CannotStart("the server of recorded messages did not start")
            yield line.strip()
        finally:
            process.terminate()


def serve(file: Path) -> None:
    """Serve until ended."""
    texts = file.read_text().splitlines()

    async def send(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.receive()
        for text in texts:
            await socket.send_str(text)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/v2", send)
    port = any_free()

    def announce(_: object) -> None:
        sys.stdout.write(f"ws://{LOOPBACK}:{port}/v2\n")
        sys.stdout.flush()

    web.run_app(app, host=LOOPBACK, port=port, print=announce)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
