"""How long until a trader knows everything again: after a cut connection, and a killed trader."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from market.world import World
from ops.bench.caller import ask
from ops.bench.exchange import running
from ops.bench.figures import Figure
from ops.bench.process import Traders, traders, until
from ops.bench.record import database
from sql import reads
from sql.lease import Lease
from streams.stream import Connected, Stream
from telemetry.points import InfluxSettings, Telemetry
from trader.settings import ExchangeSettings, TraderSettings
from trader.start import assemble, open_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from ops.bench.exchange import Sandbox
    from ops.bench.figures import Plan
    from trader.live import Trader

CUTS, FEW = 20, 3
KILLS, ONCE = 5, 1
GOAL = 5.0  # seconds


def measure(plan: Plan) -> list[Figure]:
    """Cut connections, then kill traders beside whom another stands by."""
    cuts = plan.runs or (FEW if plan.quick else CUTS)
    kills = min(cuts, ONCE if plan.quick else KILLS)
    with (
        tempfile.TemporaryDirectory() as folder,
        database() as engine,
        running("--seed", str(plan.seed)) as sandbox,
    ):
        again = [_cut(engine, sandbox, Path(folder)) for _ in range(cuts)]
        taken, reconciled = _kill(engine, sandbox, Path(folder), kills)
    return [
        _longest(
            "connections cut to everything known again",
            again,
            f"the longest of {cuts} cuts of all connections by the sandbox's fault `abort`, each "
            "the first of its connection, until every book is verified, trades are without a hole, "
            "executions and balances have caught up and a reconciliation was clean",
        ),
        _longest(
            "kill -9 of the live trader to the standby trading",
            taken,
            f"the longest of {kills} kills, until the standby has taken the lease, has reconciled "
            f"({reconciled} clean reconciliations at start) and says so",
        ),
    ]


def _longest(name: str, seconds: list[float], how: str) -> Figure:
    ordered = sorted(seconds)
    told = f"{how}; the median is {ordered[len(ordered) // 2]:.2f} s"
    return Figure(name=name, value=ordered[-1], unit="s", goal=GOAL, at_most=True, how=told)


@dataclass
class Heard:
    """The queue of a trader's events, and how often it took a stream for connected."""

    connected: dict[str, int] = field(default_factory=lambda: {"public": 0, "private": 0})

    def queue(self, size: int) -> Queue[object]:
        """Make the queue."""
        heard = self

        class Counting(Queue[object]):
            def get(self, block: bool = True, timeout: float | None = None) -> object:  # noqa: FBT001, FBT002 - Queue's own
                # Whoever takes it has by then done with what came before, the cut itself too.
                item = super().get(block, timeout)
                if isinstance(item, Connected):
                    heard.connected[item.stream] += 1
                return item

        return Counting(size)


def _cut(engine: Engine, sandbox: Sandbox, folder: Path) -> float:
    heard = Heard()
    with alive(engine, sandbox, folder, World(queue=heard.queue)) as trader:
        until(lambda: whole(trader), "the first connection", 0.001)
        before = _reconciliations(engine)
        ask(f"{sandbox.http}/admin/faults", {"kind": "abort"})
        return until(
            lambda: (
                min(heard.connected.values()) > 1
                and whole(trader)
                and _reconciliations(engine) > before
            ),
            "the reconnection",
            0.001,
        )


def _reconciliations(engine: Engine) -> int:
    with Session(engine) as session:
        found = reads.reconciliations(session, limit=1000)
    return sum(one.clean and one.trigger == "reconnect" for one in found)


def whole(trader: Trader) -> bool:
    """Tell whether a trader knows all there is to know of the market and of its orders."""
    return trader.reporting and all(desk.trusted for desk in trader.desks.values())


@contextmanager
def alive(engine: Engine, sandbox: Sandbox, folder: Path, world: World) -> Iterator[Trader]:
    """Run a whole live trader in threads of this process, as its own process would."""
    minted = ask(f"{sandbox.http}/admin/keys", {"account": "bench"})
    settings = ExchangeSettings(
        rest_url=sandbox.http,
        public_ws_url=f"{sandbox.websocket}/v2",
        private_ws_url=f"{sandbox.websocket}/v2",
        api_key=minted["key"],
        api_secret=minted["secret"],
        request_interval_seconds=0,
    )
    own = TraderSettings(outage_file=folder / "outage.jsonl", model_cache=folder)
    lease, telemetry = Lease(engine, own.account), Telemetry(InfluxSettings(url=None))
    trader = assemble(engine, lease, telemetry, own, settings, world=world)
    threads: list[Thread | Stream] = [Thread(target=trader.run), *open_streams(trader, settings)]
    for thread in threads:
        thread.start()
    try:
        yield trader
    finally:
        trader.stop()
        for thread in threads:
            thread.join() if isinstance(thread, Thread) else thread.stop()
        telemetry.close()
        lease.release()


def _kill(engine: Engine, sandbox: Sandbox, folder: Path, kills: int) -> tuple[list[float], int]:
    taken = []
    with traders(engine, sandbox, folder) as made:
        live = made.start()
        until(lambda: made.live() == live.pid, "the first trader's start")
        for number in range(1, kills + 1):
            standby = made.start("--standby")
            until(lambda n=number: _stands_by(made, n), "the standby's start")  # type: ignore[misc] # the default is the number
            live.kill()
            taken.append(until(lambda p=standby: made.live() == p.pid, "the take-over"))  # type: ignore[misc] # likewise
            live = standby
    with Session(engine) as session:
        found = reads.reconciliations(session, limit=1000)
    return taken, sum(one.clean and one.trigger == "start" for one in found)


def _stands_by(made: Traders, number: int) -> bool:
    return "standing by" in made.log(number).read_text()
