"""Is a component healthy, and what is it doing? Each probe answers within half a second.

A probe returns a word for the table, or None while its component is not healthy.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ops.errors import CannotStart
from sql.tables import TraderStatusRow
from trader.desk import WATCHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine

    from ops.prefect_api import Prefect

QUICKLY = 0.5  # seconds
# What reading an answer raises if it is not that of the part: a stranger has its port.
STRANGE = (ValueError, LookupError, TypeError, AttributeError)
SILENCE = 30.0  # seconds after which a trader that says nothing new is not healthy


def http(url: str, word: Callable[[httpx.Response], str]) -> Callable[[int], str | None]:
    """Return a probe that asks an address and puts the answer in a word."""
    client = httpx.Client(timeout=QUICKLY, trust_env=False)

    def probe(_pid: int) -> str | None:
        try:
            answer = client.get(url)
            return word(answer) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, *STRANGE):
            return None

    return probe


def exchange_time(answer: httpx.Response) -> str:
    """Say what the exchange's clock shows."""
    found = answer.json()
    return f"{found['timestamp'][:19].replace('T', ' ')}, {found['open_orders']} open orders"


def mlflow(address: str) -> Callable[[int], str | None]:
    """Return a probe of MLflow that lists each model's aliases."""
    client = httpx.Client(base_url=address, timeout=QUICKLY, trust_env=False)

    def probe(_pid: int) -> str | None:
        try:
            answer = client.get("/api/2.0/mlflow/registered-models/search")
            if answer.status_code != httpx.codes.OK:
                return None
            models = answer.json().get("registered_models", [])
            return "; ".join(map(_model, models)) or "no model registered yet"
        except (httpx.HTTPError, *STRANGE):
            return None

    return probe


def prefect(server: Prefect) -> Callable[[int], str | None]:
    """Return a probe of the Prefect server."""

    def probe(_pid: int) -> str | None:
        try:
            if not server.healthy():
                return None
            return f"{server.deployments()} deployments, {server.next_run()}"
        except (httpx.HTTPError, CannotStart, *STRANGE):
            return None

    return probe


def worker(server: Prefect, name: str) -> Callable[[int], str | None]:
    """Return a probe of the worker: online under its own name, and what it runs."""

    def probe(_pid: int) -> str | None:
        try:
            if not server.worker_online(name):
                return None
            return ", ".join(server.active()) or "idle"
        except (httpx.HTTPError, CannotStart, *STRANGE):
            return None

    return probe


def record(engine: Engine) -> Callable[[], bool]:
    """Return a probe of the record: whether it answers at all."""

    def probe() -> bool:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True

    return probe


def trader(
    engine: Engine, now: Callable[[], float] = time.monotonic
) -> Callable[[int], str | None]:
    """Return a probe of the trader: does this very process go on putting lines into the record?

    A line carries the exchange's time; how old it is, our own clock tells from when it changed.
    """
    heard: dict[tuple[int, datetime], float] = {}

    def probe(pid: int) -> str | None:
        query = select(TraderStatusRow).where(TraderStatusRow.process_id == pid)
        try:
            with Session(engine) as session:
                row = session.scalars(query).first()
        except DBAPIError:
            return None
        if row is None:
            return None
        since = heard.get((pid, row.at), now())
        heard.clear()
        heard[pid, row.at] = since
        return trader_word(row.state, row.detail) if now() - since <= SILENCE else None

    return probe


def trader_word(state: str, detail: dict[str, Any]) -> str:
    """Put the trader's own line into words: its state, then each market."""
    markets = [_market(symbol, found) for symbol, found in detail.get("markets", {}).items()]
    stopped = f"{state}: {detail['halt']}" if detail.get("halt") else state
    return "; ".join([stopped, *markets])


def _market(symbol: str, found: dict[str, Any]) -> str:
    if not found.get("traded", True):
        return f"{symbol} {WATCHED}"
    version = found.get("production")
    model = f"model {version}" if version else "no model"
    if challenger := found.get("challenger"):
        model += f" (challenger {challenger})"
    held = found.get("position", "0")
    holding = f", holds {held}" if held != "0" else ""
    refused = "".join(f", {reason}" for reason in found.get("refused", {}).values())
    overridden = "".join(
        f", {role} against its gate by the word of {word}"
        for role, word in found.get("overridden", {}).items()
    )
    return f"{symbol} {model}{overridden}{holding}{refused}, {found.get('word', '')}".rstrip(", ")


def _model(model: dict[str, Any]) -> str:
    aliases = sorted((row["alias"], row["version"]) for row in model.get("aliases", []))
    named = ", ".join(f"{alias} {version}" for alias, version in reversed(aliases))
    return f"{model['name']}: {named or 'no version chosen'}"
