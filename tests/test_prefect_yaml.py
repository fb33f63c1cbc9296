"""Every deployment starts a flow that exists, with parameters it takes, at a known time."""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

from drift.verdict import Checked
from flows import check_drift

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "timetable.txt"
TEXT = yaml.safe_load((ROOT / "prefect.yaml").read_text())
DEPLOYMENTS = PrefectYamlModel.model_validate(TEXT).deployments
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
MOST_A_DAY = 600


def flow_of(deployment):
    path, name = deployment.entrypoint.split(":")
    return getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)


def title(deployment):
    path, _ = deployment.entrypoint.split(":")
    return f"{Path(path).stem}/{deployment.name}"


def starts(schedule):
    """Return when a schedule starts runs on one day."""
    if schedule.cron:
        rule = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    else:
        rule = IntervalSchedule(
            interval=schedule.interval, anchor_date=schedule.anchor_date, timezone=schedule.timezone
        )
    dates = rule.get_dates(n=MOST_A_DAY, start=MIDNIGHT, end=MIDNIGHT + timedelta(days=1))
    return [at for at in asyncio.run(dates) if at < MIDNIGHT + timedelta(days=1)]


def line(deployment):
    times = " ".join(
        schedule.cron or f"every {schedule.interval}" for schedule in deployment.schedules
    )
    given = " ".join(f"{name}={value}" for name, value in deployment.parameters.items())
    limit = deployment.concurrency_limit
    return (
        f"{title(deployment):<28}{times:<18}{limit.limit} {limit.collision_strategy:<11}"
        f"{deployment.work_pool.name:<7}{','.join(deployment.tags):<34}{given}\n"
        + "".join(f"{'':<28}on {' '.join(one['expect'])}\n" for one in deployment.triggers or [])
    )


@pytest.fixture(params=DEPLOYMENTS, ids=title)
def deployment(request):
    return request.param


def test_it_starts_a_flow_that_takes_its_parameters(deployment):
    flow = flow_of(deployment)

    assert isinstance(flow, Flow)
    flow.validate_parameters(deployment.parameters)


def test_its_flow_is_named_like_its_file(deployment):
    assert flow_of(deployment).name == Path(deployment.entrypoint.split(":")[0]).stem


def test_it_starts_at_least_once_a_day_in_utc(deployment):
    for schedule in deployment.schedules:
        assert schedule.timezone == "UTC"
        assert starts(schedule)


def test_it_runs_once_at_a_time_and_has_a_description(deployment):
    limit = deployment.concurrency_limit

    assert limit.limit == 1
    assert limit.collision_strategy in ConcurrencyLimitStrategy.__members__
    assert deployment.description


def test_every_flow_is_deployed():
    modules = (ROOT / "flows").glob("*.py")
    files = {path.stem for path in modules if "\n@flow(" in path.read_text()}

    assert files == {title(deployment).split("/")[0] for deployment in DEPLOYMENTS}


def test_no_two_runs_start_in_the_same_minute():
    minutes = Counter(
        at
        for deployment in DEPLOYMENTS
        for schedule in deployment.schedules
        for at in starts(schedule)
    )

    assert minutes.most_common(1)[0][1] == 1


def test_an_automation_waits_for_what_the_drift_check_announces(monkeypatch):
    announced = []
    monkeypatch.setattr(check_drift, "emit_event", lambda **event: announced.append(event))
    waiting = [one for deployment in DEPLOYMENTS for one in deployment.triggers or []]

    for trigger in waiting:
        symbol = trigger["parameters"]["symbol"]
        check_drift.announce(Checked(symbol=symbol, version=3, retrain=True, reason="it lost"))

        assert announced[-1]["event"] in trigger["expect"]
        assert announced[-1]["resource"] == trigger["match"]
        assert announced[-1]["payload"] == {"symbol": symbol, "cause": "drift", "reason": "it lost"}
        assert trigger["parameters"]["trigger"] == (
            "{{ event.payload.cause }}: {{ event.payload.reason }}"
        )
    assert {trigger["parameters"]["symbol"] for trigger in waiting} == {"XRP/USD", "DOGE/USD"}


def test_flows_run_from_the_checkout_that_the_environment_names():
    (step,) = TEXT["pull"]

    assert step == {
        "prefect.deployments.steps.set_working_directory": {"directory": "{{ $FRIDAY_CHECKOUT }}"}
    }


def test_the_timetable_is_the_one_that_was_reviewed(request):
    timetable = "".join(line(deployment) for deployment in DEPLOYMENTS)
    if request.config.getoption("--regenerate"):
        GOLDEN.write_text(timetable)

    assert timetable == GOLDEN.read_text()
