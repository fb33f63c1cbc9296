"""How much memory a live trader takes, whether it grows, and what it leaves behind."""

from __future__ import annotations

import gc
import re
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
from sqlalchemy.orm import Session

from market.world import World
from ops.bench.caller import ask
from ops.bench.exchange import running
from ops.bench.figures import Figure
from ops.bench.process import traders, until
from ops.bench.reconnect import alive, whole
from ops.bench.record import database
from ops.ports import any_free
from sql import reads

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlalchemy import Engine

    from ops.bench.exchange import Sandbox
    from ops.bench.figures import Plan

MESSAGES, FEW = 1_000_000, 3_000
WARM, WARM_FEW = 50_000, 2_000
PASSING = 900  # seconds of the exchange's time that pass at once
MEBIBYTE = 1 << 20
LIMIT, GROWTH = 250.0, 10.0  # MiB
KINDS = re.compile(r'^friday_events_total\{kind="(BookChanged|Traded)"\} (\S+)$', re.MULTILINE)
BEGIN = ("--clock", "simulated", "--start", "2026-03-01T00:00:00Z")


def measure(plan: Plan) -> list[Figure]:
    """Let a market pass through a trader's own process, and stop one in this process."""
    messages = plan.runs or (FEW if plan.quick else MESSAGES)
    warm = min(messages, WARM_FEW if plan.quick else WARM)
    with tempfile.TemporaryDirectory() as folder, database() as engine:
        with running("--seed", str(plan.seed), *BEGIN) as sandbox:
            found = _soak(engine, sandbox, Path(folder), warm, messages)
        with running("--seed", str(plan.seed)) as sandbox:
            found += _leftovers(engine, sandbox, Path(folder))
    return found


def _soak(engine: Engine, sandbox: Sandbox, folder: Path, warm: int, messages: int) -> list[Figure]:
    port = any_free()
    metrics = f"http://127.0.0.1:{port}/metrics"
    with traders(engine, sandbox, folder) as made:
        trader = made.start(TRADER_HTTP_PORT=str(port))
        until(lambda: made.live() == trader.pid, "the trader's start")
        process = psutil.Process(trader.pid)
        _listen(engine, sandbox, lambda: heard(metrics) < warm)
        before, began = process.memory_full_info(), heard(metrics)
        _listen(engine, sandbox, lambda: heard(metrics) < began + messages)
        after, passed = process.memory_full_info(), heard(metrics) - began
        trader.terminate()
        code = trader.wait()
    how = (
        f"`friday trade` without a model beside a sandbox whose time is put forward; {began:,} "
        f"changes of books and trades to warm up, then {passed:,}, with every bar's features "
        f"computed and recorded; it ended with exit code {code} when told to"
    )
    return [
        Figure(
            name="memory of a trader",
            value=after.rss / MEBIBYTE,
            unit="MiB",
            goal=LIMIT,
            at_most=True,
            how=f"{how}; resident, {after.uss / MEBIBYTE:.0f} MiB of it shared with nobody",
        ),
        Figure(
            name="growth of memory",
            value=(after.uss - before.uss) / MEBIBYTE,
            unit="MiB",
            goal=GROWTH,
            at_most=True,
            how=f"{how}; private memory",
        ),
    ]


def heard(metrics: str) -> int:
    """Return how many changes of books and trades a trader has taken, by its own count."""
    with urlopen(metrics, timeout=10) as answer:  # noqa: S310 - our own trader
        return int(sum(float(count) for _, count in KINDS.findall(answer.read().decode())))


def _listen(engine: Engine, sandbox: Sandbox, lasting: Callable[[], bool]) -> None:
    """Let the exchange's time pass no faster than the trader follows."""
    while lasting():
        ask(f"{sandbox.http}/admin/clock/advance", {"seconds": PASSING})
        told = ask(f"{sandbox.http}/0/public/Time")["result"]["unixtime"]
        now = datetime.fromtimestamp(int(told), UTC) - timedelta(seconds=5)
        until(lambda: _time(engine) >= now, "the trader's catching up", 0.05)  # noqa: B023 - it is called at once


def _time(engine: Engine) -> datetime:
    with Session(engine) as session:
        said = reads.trader_status(session)
    return datetime.min.replace(tzinfo=UTC) if said is None else said.at


def _leftovers(engine: Engine, sandbox: Sandbox, folder: Path) -> list[Figure]:
    """Run a trader in this process until it knows everything, stop it, and look what is left."""
    engine.dispose()
    gc.collect()
    before = _threads_and_sockets()
    during = _live(engine, sandbox, folder)
    gc.collect()  # a trader's HTTP clients keep their connections as long as they live
    engine.dispose()
    after = _threads_and_sockets()
    more = [len(now - then) for now, then in zip(during, before, strict=True)]
    how = (
        "a whole trader in this process, until its books were verified and its executions had "
        f"caught up, then stopped and forgotten; while it lived it had {more[0]} threads and "
        f"{more[1]} sockets more"
    )
    return [
        Figure(
            name=f"{kind} left after a stop",
            value=float(len(now - then)),
            unit=kind,
            goal=0.0,
            at_most=True,
            how=how,
        )
        for kind, now, then in zip(("threads", "sockets"), after, before, strict=True)
    ]


def _threads_and_sockets() -> tuple[set[Hashable], set[Hashable]]:
    """Return every thread and every socket of this process, so that two moments can be compared.

    Counts would not do: what somebody else's socket, closed meanwhile, takes away would hide one
    that the trader left.
    """
    sockets = psutil.Process().net_connections()
    return set(threading.enumerate()), {(one.fd, one.laddr, one.raddr) for one in sockets}


def _live(engine: Engine, sandbox: Sandbox, folder: Path) -> tuple[set[Hashable], set[Hashable]]:
    """Return the threads and sockets there were when the trader knew everything."""
    with alive(engine, sandbox, folder, World()) as trader:
        until(lambda: whole(trader), "the first connection")
        return _threads_and_sockets()
