"""What a new sandbox stack does first: fetch history, then train a first model a market.

The first model that passes the gate becomes production by policy, because on the sandbox
there is nothing to lose and otherwise nothing would trade. On a real exchange nobody but
a person promotes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from market.instruments import LEADER
from ops.errors import CannotStart
from registry.contract import model_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ops.prefect_api import FlowRun, Prefect

INGEST_WITHIN = 300.0
RETRAIN_WITHIN = 600.0
ATTEMPTS = 3
PAUSE = 5.0  # seconds, enough for whatever crashed to be started again


@dataclass(slots=True, kw_only=True)
class FirstModels:
    """The first round of a stack, run in a thread; `word` says where it is."""

    prefect: Prefect
    mlflow: str
    symbols: Sequence[str]
    going_on: Callable[[], bool]
    word: str = ""
    finished: bool = False

    def run(self) -> None:
        """Make a first model for every market that has none; what breaks is tried again."""
        for _ in range(ATTEMPTS):
            try:
                self._make([symbol for symbol in self.symbols if not self._has_model(symbol)])
            except (httpx.HTTPError, CannotStart) as error:
                self.word = f"the first models were not made: {error}"
                time.sleep(PAUSE)
            else:
                break
        self.finished = True

    def _make(self, symbols: Sequence[str]) -> None:
        if not symbols:
            return
        self.word = f"fetching two weeks of bars of {' and '.join(symbols)}"
        fetches = [
            self.prefect.run(f"ingest/{model_name(symbol)}") for symbol in (*symbols, LEADER)
        ]
        for fetch in fetches:
            self._wait(fetch, INGEST_WITHIN)
        said = []
        for symbol in symbols:
            self.word = f"training the first model of {symbol}"
            run = self.prefect.run(
                f"retrain/{model_name(symbol)}",
                {"trigger": "first start", "promote_first": True},
            )
            said.append(self._wait(run, RETRAIN_WITHIN))
        self.word = "; ".join(said)

    def _wait(self, run: FlowRun, seconds: float) -> str:
        ended = self.prefect.wait(run, seconds=seconds, going_on=self.going_on)
        if ended.state != "COMPLETED":
            raise CannotStart(f"flow run {ended.name} is {ended.state}: {ended.message}")
        return self.prefect.verdict(ended)

    def _has_model(self, symbol: str) -> bool:
        answer = httpx.get(
            f"{self.mlflow}/api/2.0/mlflow/registered-models/get",
            params={"name": model_name(symbol)},
            timeout=5.0,
            trust_env=False,
        )
        return answer.status_code == httpx.codes.OK
