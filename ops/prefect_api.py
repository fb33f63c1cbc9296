"""What the stack asks of Prefect, over HTTP: importing prefect costs two seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POOL = "local"
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
UNFINISHED = ["PENDING", "RUNNING", "CANCELLING"]
PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRun:
    """A run as Prefect knows it."""

    id: str
    name: str
    state: str
    message: str


class Prefect:
    """A Prefect server."""

    def __init__(self, api: str) -> None:
        self._client = httpx.Client(base_url=api, timeout=10.0, trust_env=False)

    def healthy(self) -> bool:
        """Return whether the server answers."""
        try:
            return self._client.get("/health", timeout=0.5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def make_pool(self) -> None:
        """Create the work pool of this machine if it is not there."""
        answer = self._client.post("/work_pools/", json={"name": POOL, "type": "process"})
        if answer.status_code not in {httpx.codes.CREATED, httpx.codes.CONFLICT}:
            raise CannotStart(f"Prefect refused to make its work pool: {answer.text[:200]}")

    def worker_online(self, name: str) -> bool:
        """Return whether the worker of this name polls the pool."""
        workers = self._post(f"/work_pools/{POOL}/workers/filter", {}, seconds=0.5)
        return any(row["name"] == name and row["status"] == "ONLINE" for row in workers)

    def deployments(self) -> int:
        """Return how many deployments there are."""
        return len(self._post("/deployments/filter", {}))

    def next_run(self) -> str:
        """Say when the next run is due."""
        found = self._post(
            "/flow_runs/filter",
            {
                "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
                "sort": "EXPECTED_START_TIME_ASC",
                "limit": 1,
            },
            seconds=0.5,
        )
        if not found:
            return "nothing is scheduled"
        due = datetime.fromisoformat(found[0]["expected_start_time"])
        return f"{_kind(found[0])} next, at {due:%H:%M} UTC"

    def active(self) -> list[str]:
        """Return what is running now, a few words each."""
        runs = self._runs({"state": {"type": {"any_": ["RUNNING"]}}}, seconds=0.5)
        return [" ".join(filter(None, (_kind(run), _symbol(run)))) for run in runs]

    def run(self, deployment: str, parameters: Mapping[str, Any] | None = None) -> FlowRun:
        """Ask for a run of a deployment, named flow/deployment, now.

        Args:
            deployment: Such as retrain/xrp-usd.
            parameters: In the place of the deployment's own of the same name.
        """
        found = self._client.get(f"/deployments/name/{deployment}")
        if found.status_code == httpx.codes.NOT_FOUND:
            raise CannotStart(f"Prefect has no deployment {deployment}")
        found.raise_for_status()
        known = found.json()
        made = self._post(
            f"/deployments/{known['id']}/create_flow_run",
            {
                "parameters": known["parameters"] | dict(parameters or {}),
                "state": {"type": "SCHEDULED"},
            },
        )
        return _flow_run(made)

    def wait(self, run: FlowRun, *, seconds: float, going_on: Callable[[], bool]) -> FlowRun:
        """Wait until a run has ended, the time is over or nobody wants to know any more."""
        deadline = time.monotonic() + seconds
        while going_on() and time.monotonic() < deadline:
            answer = self._client.get(f"/flow_runs/{run.id}")
            run = _flow_run(answer.json())
            if run.state in FINAL:
                break
            time.sleep(0.3)
        return run

    def verdict(self, run: FlowRun) -> str:
        """Return the sentence of the artifact a run left; every flow of ours leaves one."""
        found = self._post(
            "/artifacts/filter",
            {"artifacts": {"flow_run_id": {"any_": [run.id]}}, "sort": "CREATED_DESC"},
        )
        return next((str(row["description"]) for row in found if row.get("description")), "")

    def sweep(self) -> int:
        """Settle what a stack that died left behind: its runs have no owner any more.

        A deployed run that was going on is marked as crashed, which frees its place; one
        that a person runs in a terminal is left alone. Of the runs
        that fell due while the machine was off only the newest of each kind is kept, so
        that a week of absence does not come back as a stampede.
        """
        orphans = self._runs(
            {
                "state": {"type": {"any_": UNFINISHED}},
                "deployment_id": {"is_null_": False},
            }
        )
        for run in orphans:
            self._set_state(run, "CRASHED", "its stack ended before it did")
        late = self._runs(
            {
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
            }
        )
        kept: set[tuple[Any, str]] = set()
        for run in sorted(late, key=lambda run: str(run["expected_start_time"]), reverse=True):
            kind = (run["deployment_id"], str(run["parameters"]))
            if kind in kept:
                self._set_state(run, "CANCELLED", "fell due while the machine was off")
            kept.add(kind)
        return len(orphans)

    def _set_state(self, run: Mapping[str, Any], kind: str, message: str) -> None:
        self._post(
            f"/flow_runs/{run['id']}/set_state",
            {"state": {"type": kind, "message": message}, "force": True},
        )

    def _runs(self, where: Mapping[str, Any], *, seconds: float = 10.0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._post(
                "/flow_runs/filter",
                {"flow_runs": where, "limit": PAGE, "offset": len(found)},
                seconds=seconds,
            )
            found += page
            if len(page) < PAGE:
                return found

    def _post(self, path: str, body: Mapping[str, Any], *, seconds: float = 10.0) -> Any:
        answer = self._client.post(path, json=dict(body), timeout=seconds)
        if answer.is_error:
            raise CannotStart(f"Prefect refused {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()


def _flow_run(found: Mapping[str, Any]) -> FlowRun:
    state = found.get("state") or {}
    return FlowRun(
        id=found["id"],
        name=found["name"],
        state=str(found.get("state_type") or state.get("type")),
        message=str(state.get("message") or ""),
    )


def _kind(run: Mapping[str, Any]) -> str:
    tags = [tag.removeprefix("flow:") for tag in run.get("tags", []) if tag.startswith("flow:")]
    return tags[0] if tags else str(run["name"])


def _symbol(run: Mapping[str, Any]) -> str:
    return str(run.get("parameters", {}).get("symbol", ""))
