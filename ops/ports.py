"""Which ports of the loopback are free."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def check(needed: Mapping[str, tuple[str, int]]) -> None:
    """Make sure that every part of a stack can have the port it is to listen on.

    Args:
        needed: What for -> the name in its option and variable, and the port.

    Raises:
        CannotStart: Two are to have the same one, or another program listens there.
    """
    used: dict[int, str] = {}
    for what, (name, port) in needed.items():
        variable = f"--{name}-port or FRIDAY_{name.upper()}_PORT"
        if (other := used.setdefault(port, what)) != what:
            raise CannotStart(
                f"port {port} is wanted for {other} and for {what}; choose another one with "
                f"{variable}"
            )
        if not is_free(port):
            raise CannotStart(
                f"port {port} is needed for {what} and another program listens there; stop that "
                f"program, or choose another port with {variable}"
            )
