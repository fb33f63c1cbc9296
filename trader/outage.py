"""While PostgreSQL is away: open nothing, forget nothing.

Execution reports are kept in a file, line by line and synced, before anything else is done
with them, and told to the record when it is back. A line cut off by a crash was never
acknowledged to anybody and is left out: reconciliation reads the trade from the exchange.
A halt that the record could not take is kept beside them, and holds at once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec
from sqlalchemy.exc import InterfaceError, OperationalError

from market.errors import ExchangeRefused, ExchangeUnreachable
from market.instruments import Side
from sql.errors import LeaseLost
from streams.events import ExecutionReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.events import ModelEvent
    from trader.exchange import Exchange
    from trader.orders import ListedOrder

# What a question to the record raises while it is away, or away again since the last.
AWAY = (OperationalError, InterfaceError, LeaseLost)


class Outage:
    """The reports and the changes of models that wait for the record; one file an account."""

    def __init__(self, path: Path) -> None:
        self.since: float | None = None  # on our monotonic clock
        self.postponed: list[ModelEvent] = []
        self._path, self._asked = path, path.with_suffix(".halt")
        # Why somebody wants us to halt whom the record did not hear; any thread may set it.
        kept = self._asked.exists()
        self.halt = self._asked.read_text(errors="replace") if kept else None

    def keep(self, report: ExecutionReport) -> None:
        """Write a report to the disk and wait until it is there."""
        _sync(self._path, "ab", msgspec.json.encode(report) + b"\n")

    def ask(self, reason: str) -> None:
        """Halt, and keep the reason on the disk until the record takes it."""
        self.halt = reason
        with suppress(OSError):  # a full disk forgets it with this process; it holds until then
            _sync(self._asked, "wb", reason.encode())

    def kept(self) -> Iterator[ExecutionReport]:
        """Yield the reports, oldest first."""
        if not self._path.exists():
            return
        for line in self._path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield msgspec.json.decode(line, type=ExecutionReport)

    def end(self) -> None:
        """Forget the reports, which are on record now."""
        self._path.unlink(missing_ok=True)
        self.since = None

    def halted(self) -> None:
        """Forget the halt, which is on record now."""
        self.halt = None
        self._asked.unlink(missing_ok=True)


def take_back(exchange: Exchange) -> None:
    """Cancel every order of ours that would buy, as far as the exchange hears it."""
    resting: list[ListedOrder] = []
    with suppress(ExchangeUnreachable, ExchangeRefused):
        resting = exchange.open_orders()
    for order in resting:
        if order.side is Side.BUY and order.client_order_id is not None:
            with suppress(ExchangeUnreachable, ExchangeRefused):
                exchange.cancel(order.client_order_id)


def _sync(path: Path, mode: Literal["ab", "wb"], content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
