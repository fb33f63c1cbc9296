"""Many runs on one set of processes: each is drawn, killed amid orders, healed and judged."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ops.bench.caller import Caller, ask
from ops.errors import CannotStart
from ops.outages.fleet import Fleet, until
from ops.outages.occasion import occasion
from ops.outages.plan import STRETCH, draw
from ops.outages.verdict import judge
from sql.database import DatabaseSettings, open_engine
from trader.status import TRADING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Engine

    from ops.outages.plan import Plan
    from trader.execution import Policy

PAUSE = 0.3
HEALING, AGREEING = 90.0, 120.0  # seconds a system may take to trade again, and to agree
WHOLE_EVERY = STRETCH  # runs after which all orders are compared, not only the recent ones
STATUS = "SELECT process_id, state, at, detail::text FROM trader_status"
STORY = (
    "SELECT at, symbol, action, reason_code, reason FROM decisions ORDER BY at DESC LIMIT 12",
    "SELECT id, order_id, kind, detail, at FROM order_events ORDER BY id DESC LIMIT 24",
    "SELECT id, status, created_at, deadline FROM orders ORDER BY created_at DESC LIMIT 6",
    "SELECT * FROM halts ORDER BY id DESC LIMIT 4",
    "SELECT * FROM discrepancies ORDER BY id DESC LIMIT 8",
)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a run went; times are seconds of the wall."""

    plan: Plan
    occasion: bool = False
    killed: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    healed: float = 0.0
    took: float = 0.0
    orders: int = 0
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Result:
    """All runs by number, and what the processes said when they ended by themselves."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> dict[int, Outcome]:
        """The runs in which something was wrong."""
        return {number: one for number, one in self.outcomes.items() if one.wrong}

    def wrong(self, *words: str) -> int:
        """Count the sentences about what went wrong that begin with one of the words."""
        lines = [line for one in self.outcomes.values() for line in one.wrong]
        return sum(line.startswith(words) for line in lines)


class Campaign:
    """The processes, and the campaign's own ways to look at them."""

    def __init__(self, folder: Path, seed: int, policy: Policy) -> None:
        self.seed, self.policy = seed, policy
        self.fleet = Fleet(folder, seed, policy)
        self.engine: Engine
        self._minted: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._live = 0

    def begin(self) -> None:
        """Start everything and wait until it trades."""
        self.fleet.start()
        self.engine = open_engine(DatabaseSettings(DATABASE_URL=self.fleet.url))
        self._minted = ask(f"{self.fleet.address}/admin/keys", {"account": "main"})
        self._await_trading()

    def end(self) -> None:
        """Stop everything."""
        self.engine.dispose()
        self.fleet.stop()

    def play(self, number: int) -> Outcome:
        """Play one run; what went wrong is in its outcome."""
        plan = draw(self.seed, number)
        outcome, began = Outcome(plan=plan), time.monotonic()
        try:
            since = self._exchange_time()
            before = self._orders()
            self._disturb(outcome)
            self._heal(outcome)
            whole = number % WHOLE_EVERY == WHOLE_EVERY - 1
            outcome.wrong = self._agree(None if whole else since)
            outcome.orders = self._orders() - before
        except CannotStart as error:
            outcome.wrong = [f"not healed: {error}", *self._judged()]
        if outcome.wrong:
            outcome.story = self._story()
        outcome.took = time.monotonic() - began
        return outcome

    def _disturb(self, outcome: Outcome) -> None:
        plan, caller = outcome.plan, self._caller()
        self._faults.clear()

        def hurt() -> None:
            for fault in plan.faults:
                shown = ask(f"{self.fleet.address}/admin/faults", dict(fault))
                self._faults[shown["id"]] = fault["kind"]

        outcome.occasion = occasion(self.fleet, caller, plan, hurt)
        caller.close()
        for place, victim in enumerate(plan.victims):
            if place:
                time.sleep(plan.apart / 1000)
            outcome.killed += self.fleet.kill(victim, self._live, plan.away, plan.backend)

    def _heal(self, outcome: Outcome) -> None:
        """Let everything come back, take back the faults, and wait until it trades."""
        began = time.monotonic()
        until(self._is_back, HEALING, "the return of every process")
        shown = ask(f"{self.fleet.address}/admin/faults?most=10000")
        for stroke in shown["struck"]:
            if stroke["id"] in self._faults:
                outcome.struck[self._faults[stroke["id"]]] += 1
        self._take_back_faults()
        self._await_trading()
        outcome.healed = time.monotonic() - began

    def _agree(self, since: datetime | None) -> list[str]:
        """Compare until the two sides agree, since orders flow meanwhile, or give up."""
        deadline = time.monotonic() + AGREEING
        caller = self._caller()
        while True:
            self.fleet.tend()
            wrong = judge(self.engine, caller, since)
            if not wrong or time.monotonic() > deadline:
                caller.close()
                return wrong
            time.sleep(PAUSE)

    def _judged(self) -> list[str]:
        """Compare once, if both sides can be asked."""
        try:
            caller = self._caller()
            wrong = judge(self.engine, caller, None)
            caller.close()
        except (OSError, KeyError, DBAPIError):
            return []
        return wrong

    def _is_back(self) -> bool:
        """Tend the processes; tell whether all run and the servers answer."""
        self.fleet.tend()
        return self.fleet.all_alive() and self.fleet.exchange_answers()

    def _await_trading(self) -> None:
        """Wait until a live trader has said, from now on, that it trades."""
        stale = self._status()

        def trades() -> bool:
            self.fleet.tend()
            said = self._status()
            fresh = said is not None and (stale is None or said[2] != stale[2])
            return said is not None and fresh and said[1] == TRADING and self._runs(said[0])

        try:
            until(trades, HEALING, "trading")
        except CannotStart as error:
            raise CannotStart(f"{error}; the status is {self._status()}") from error

    def _runs(self, process_id: int) -> bool:
        self._live = process_id
        return process_id in self.fleet.traders()

    def _status(self) -> tuple[int, str, datetime, str] | None:
        try:
            with self.engine.connect() as connection:
                found = connection.execute(text(STATUS)).one_or_none()
        except DBAPIError:
            return None
        return None if found is None else (found[0], found[1], found[2], found[3])

    def _story(self) -> list[str]:
        """Return what the record says last, to find out why a run failed."""
        told = [f"status: {self._status()}"]
        try:
            with self.engine.connect() as connection:
                told += [str(row) for ask_for in STORY for row in connection.execute(text(ask_for))]
        except DBAPIError as error:
            told.append(f"the record is away: {error}")
        return told

    def _orders(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM orders")).scalar_one())

    def _exchange_time(self) -> datetime:
        told = ask(f"{self.fleet.address}/0/public/Time")["result"]["unixtime"]
        return datetime.fromtimestamp(told, UTC)

    def _caller(self) -> Caller:
        return Caller(self.fleet.address, "main", self._minted)

    def _take_back_faults(self) -> None:
        request = Request(f"{self.fleet.address}/admin/faults", method="DELETE")  # noqa: S310 - our own sandbox
        urlopen(request, timeout=30).close()  # noqa: S310 - likewise


@contextmanager
def started(seed: int, policy: Policy, keep: Path | None = None) -> Iterator[Campaign]:
    """Run a campaign's processes in a folder of their own; `keep` gets the logs if given."""
    folder = Path(tempfile.mkdtemp(prefix="friday-outages-"))
    running = Campaign(folder, seed, policy)
    try:
        running.begin()
        yield running
    finally:
        running.end()
        if keep is not None:
            for log in folder.rglob("*.log"):
                shutil.copy(log, keep / log.name)
        shutil.rmtree(folder, ignore_errors=True)


def campaign(
    seed: int,
    numbers: Iterable[int],
    *,
    progress: Callable[[int, Outcome], None] | None = None,
    keep: Path | None = None,
) -> Result:
    """Play the runs of these numbers.

    All processes begin anew after a run that fails, and when orders are worked otherwise.
    """
    result, waiting = Result(), list(numbers)
    while waiting:
        policy = draw(seed, waiting[0]).policy
        with started(seed, policy, keep) as running:
            while waiting and draw(seed, waiting[0]).policy is policy:
                number = waiting.pop(0)
                result.outcomes[number] = outcome = running.play(number)
                if progress is not None:
                    progress(number, outcome)
                if outcome.wrong:
                    break
            result.ends += running.fleet.ends
    return result
