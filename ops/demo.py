"""One whole round where nobody sits at the screen: train, judge, promote, trade, look back.

The exchange's clock runs faster than ours, so that an hour of trading fits into minutes.
Every flow runs as a deployment through Prefect, exactly as on a schedule.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click
import httpx
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from market.instruments import LEADER
from ops import assembly, demo_summary, ports, promotion
from ops.databases import settings_for
from ops.errors import AnswerIsNo, CannotStart, FridayError
from ops.home import Home
from ops.table import Board
from registry.contract import model_name
from registry.errors import RegistryError
from sql import reads
from sql.database import open_engine
from sql.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from ops.components import Plan
    from ops.prefect_api import FlowRun, Prefect

FLOW_WITHIN = 240.0
TRADE_WITHIN = 150.0
CHALLENGED = "XRP/USD"
FAILURES = (FridayError, RegistryError, DatabaseError, SQLAlchemyError, httpx.HTTPError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing the demo did, how long it took, and what came of it."""

    name: str
    seconds: float
    said: str


@dataclass(slots=True, kw_only=True)
class Round:
    """The round as it goes on; `failure` is None once it has ended well."""

    plan: Plan
    prefect: Prefect
    engine: Engine
    going_on: Callable[[], bool]
    word: str = ""
    finished: bool = False
    failure: str | None = "it was stopped before it had ended"
    steps: list[Step] = field(default_factory=list)

    def run(self) -> None:
        """Play the round; ends at the first thing that fails."""
        try:
            self._play(assembly.symbols(self.plan))
            self.failure = None
        except FAILURES as error:
            self.failure = str(error)
        finally:
            self.finished = True

    def _play(self, symbols: Sequence[str]) -> None:
        fetched = [f"ingest/{model_name(symbol)}" for symbol in (*symbols, LEADER)]
        self._flows("fetch bars", [(fetch, {}) for fetch in fetched])
        for symbol in symbols:
            self._flows(f"train {symbol}", [(f"retrain/{model_name(symbol)}", DEMO)])
            self._step(f"promote {symbol}", partial(self._promote, symbol))
        self._flows(
            f"train a challenger for {CHALLENGED}",
            [(f"retrain/{model_name(CHALLENGED)}", DEMO)],
        )
        self._step("trade until a position was opened and closed", self._await_trade)
        self._flows(
            "look for drift", [(f"check_drift/{model_name(symbol)}", {}) for symbol in symbols]
        )
        self._flows(
            "compare the models and the accounts",
            [
                (f"analyse_experiment/{model_name(CHALLENGED)}", {}),
                ("reconcile/account", {"trigger": "demo"}),
            ],
        )
        self._check_accounts()

    def _flows(self, name: str, wanted: Sequence[tuple[str, dict[str, str]]]) -> None:
        def act() -> str:
            runs = [self.prefect.run(deployment, given) for deployment, given in wanted]
            return "\n".join(self._wait(run) for run in runs)

        self._step(name, act)

    def _step(self, name: str, act: Callable[[], str]) -> None:
        self.word, began = name, time.monotonic()
        said = act()
        self.steps.append(Step(name=name, seconds=time.monotonic() - began, said=said))

    def _wait(self, run: FlowRun) -> str:
        ended = self.prefect.wait(run, seconds=FLOW_WITHIN, going_on=self.going_on)
        said = self.prefect.verdict(ended)
        if ended.state != "COMPLETED":
            raise CannotStart(f"flow run {ended.name} is {ended.state}: {ended.message or said}")
        return said

    def _promote(self, symbol: str) -> str:
        from registry import store  # noqa: PLC0415 - mlflow takes seconds to import
        from registry.settings import ModelRegistrySettings  # noqa: PLC0415 - not before a round runs

        settings = ModelRegistrySettings.model_validate({"MLFLOW_TRACKING_URI": self.plan.mlflow})
        client = store.open_registry(settings)
        passed = [found for found in store.versions(client, symbol) if found.passed]
        if not passed:
            raise AnswerIsNo(f"the gate passed no version of {symbol}, so nothing can trade")
        promotion.promote(
            self.engine, client, symbol, passed[0].version, who="demo", reason="its gate passed"
        )
        return f"{symbol}: version {passed[0].version} has the alias production"

    def _await_trade(self) -> str:
        deadline = time.monotonic() + TRADE_WITHIN
        while self.going_on() and time.monotonic() < deadline:
            with Session(self.engine) as session:
                closed = demo_summary.round_trips(reads.fills(session, limit=10_000))
            if closed:
                return f"closed so far: {', '.join(f'{n} in {s}' for s, n in closed.items())}"
            time.sleep(0.5)
        raise AnswerIsNo(f"no position was opened and closed within {TRADE_WITHIN:.0f} s")

    def _check_accounts(self) -> None:
        with Session(self.engine) as session:
            last = reads.reconciliations(session, limit=1)
        if not last or not last[0].clean:
            raise AnswerIsNo("the record and the exchange differ, and no news explains it")


DEMO = {"trigger": "demo"}


def run(parent: Path, stopping: Callable[[], bool], *, speed: float, keep: bool) -> None:
    """Play a round on free ports in a folder of its own, then stop everything.

    Raises:
        AnswerIsNo: The round did not end well; the folder is kept.
    """
    began = time.monotonic()
    home = Home.at(parent / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    _lock = home.lock()
    plan = assembly.prepare(home, _wishes(speed))
    engine = open_engine(settings_for(plan.databases.friday), pool_size=2)
    played: list[Round] = []

    def story(prefect: Prefect) -> Round:
        played.append(
            Round(plan=plan, prefect=prefect, engine=engine, going_on=lambda: not stopping())
        )
        return played[0]

    with Board("Gal-Friday demo") as board:
        supervisor = assembly.assemble(plan, board, trader=True, began=began, story=story)
        try:
            supervisor.run(lambda: stopping() or played[0].finished)
            summary = demo_summary.write(home, engine, supervisor.healthy_after, played[0].steps)
        finally:
            engine.dispose()
            supervisor.stop()
    _tell(home, summary, played[0].failure, time.monotonic() - began, keep=keep)


def _tell(home: Home, summary: str, failure: str | None, seconds: float, *, keep: bool) -> None:
    click.echo(summary)
    click.echo(f"everything is stopped after {seconds:.0f} s")
    if failure is not None:
        raise AnswerIsNo(f"the demo did not end well: {failure}; everything is in {home.path}")
    if not keep:
        shutil.rmtree(home.postgres)


def _wishes(speed: float) -> assembly.Wishes:
    return assembly.Wishes(
        database=None,
        exchange="sandbox",
        trader=True,
        speed=speed,
        mlflow_port=ports.any_free(),
        prefect_port=ports.any_free(),
        sandbox_port=ports.any_free(),
    )
