"""What a stack that died left in Prefect is settled before a worker starts again."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from prefect.states import Running, Scheduled

from ops.prefect_api import Prefect


@flow(name="swept")
def swept():
    pass


@pytest.mark.usefixtures("prefect_server")
def test_orphans_crash_and_of_the_late_runs_only_the_newest_stays():
    hour = timedelta(hours=1)
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(swept)
        deployment = client.create_deployment(flow_id, name="here")
        orphan = client.create_flow_run_from_deployment(deployment, state=Running())
        by_hand = client.create_flow_run(swept, state=Running())
        late = [
            client.create_flow_run_from_deployment(
                deployment, state=Scheduled(scheduled_time=datetime.now(UTC) - hours * hour)
            )
            for hours in (3, 2, 1)
        ]

        settled = Prefect(PREFECT_API_URL.value()).sweep()

        states = {
            run.id: client.read_flow_run(run.id).state_type.value
            for run in (orphan, by_hand, *late)
        }
    assert settled == 1
    assert states[orphan.id] == "CRASHED"
    assert states[by_hand.id] == "RUNNING"
    assert [states[run.id] for run in late] == ["CANCELLED", "CANCELLED", "SCHEDULED"]
