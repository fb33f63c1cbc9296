"""Is a component healthy, and what is it doing? Each probe answers within half a second.

A probe returns a word for the table, or None while its component is not healthy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ops.errors import CannotStart
from sql.tables import TraderStatusRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from ops.prefect_api import Prefect

QUICKLY = 0.5  # seconds


def http(url: str, word: Callable[[httpx.Response], str]) -> Callable[[int], str | None]:
    """Return a probe that asks an address and puts the answer in a word."""
    client = httpx.Client(timeout=QUICKLY, trust_env=False)

    def probe(_pid: int) -> str | None:
        try:
            answer = client.get(url)
        except httpx.HTTPError:
            return None
        return word(answer) if answer.status_code == httpx.codes.OK else None

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
        except httpx.HTTPError:
            return None
        if answer.is_error:
            return None
        models = answer.json().get("registered_models", [])
        return "; ".join(map(_model, models)) or "no model registered yet"

    return probe


def prefect(server: Prefect) -> Callable[[int], str | None]:
    """Return a probe of the Prefect server."""

    def probe(_pid: int) -> str | None:
        try:
            if not server.healthy():
                return None
            return f"{server.deployments()} deployments, {server.next_run()}"
        except (httpx.HTTPError, CannotStart):
            return None

    return probe


def worker(server: Prefect, name: str) -> Callable[[int], str | None]:
    """Return a probe of the worker: online under its own name, and what it runs."""

    def probe(_pid: int) -> str | None:
        try:
            if not server.worker_online(name):
                return None
            return ", ".join(server.active()) or "idle"
        except (httpx.HTTPError, CannotStart):
            return None

    return probe


def trader(engine: Engine) -> Callable[[int], str | None]:
    """Return a probe of the trader: has this very process put a line into the record?"""

    def probe(pid: int) -> str | None:
        query = select(TraderStatusRow).where(TraderStatusRow.process_id == pid)
        try:
            with Session(engine) as session:
                row = session.scalars(query).first()
                return None if row is None else trader_word(row.state, row.detail)
        except DBAPIError:
            return None

    return probe


def trader_word(state: str, detail: dict[str, Any]) -> str:
    """Put the trader's own line into words: its state, then each market."""
    markets = [_market(symbol, found) for symbol, found in detail.get("markets", {}).items()]
    halted = f"halted: {detail['halt']}" if detail.get("halt") else state
    return "; ".join([halted, *markets])


def _market(symbol: str, found: dict[str, Any]) -> str:
    version = found.get("production")
    model = f"model {version}" if version else "no model"
    if challenger := found.get("challenger"):
        model += f" (challenger {challenger})"
    held = found.get("position", "0")
    holding = f", holds {held}" if held != "0" else ""
    refused = "".join(f", {reason}" for reason in found.get("refused", {}).values())
    return f"{symbol} {model}{holding}{refused}, {found.get('word', '')}".rstrip(", ")


def _model(model: dict[str, Any]) -> str:
    aliases = sorted((row["alias"], row["version"]) for row in model.get("aliases", []))
    named = ", ".join(f"{alias} {version}" for alias, version in reversed(aliases))
    return f"{model['name']}: {named or 'no version chosen'}"
