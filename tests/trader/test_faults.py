"""Whatever fails, no order is lost, doubled or unexplained, and the campaign would notice."""

import pytest

from ops.campaign import markets
from ops.campaign.campaign import campaign, play
from ops.campaign.mutations import MUTATIONS, without
from ops.campaign.storage import Storage

SEED = 2
RUNS = 60
MUTATED_RUNS = 100


@pytest.fixture
def storage(database_url, tmp_path):
    markets.write(tmp_path)
    storage = Storage(database_url, tmp_path)
    yield storage
    storage.dispose()


def test_faults_and_kills_leave_every_order_accounted_for(storage):
    result = campaign(storage, SEED, RUNS)

    assert result.failed == {}
    assert result.unreached == []
    assert sum(result.counts["orders"].values()) > RUNS
    assert sum(result.counts["faults"].values()) > RUNS
    assert sum(result.counts["killed"].values()) > RUNS / 5


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_campaign_notices_that_a_rule_is_gone(storage, rule):
    with without(rule):
        result = campaign(storage, SEED, MUTATED_RUNS, stop_at_first=True)

    assert result.failed


def test_a_run_is_the_same_whatever_was_played_before(storage):
    first = play(storage, SEED, 7)
    play(storage, SEED, 8)
    again = play(storage, SEED, 7)

    assert (again.story, again.orders, again.faults) == (first.story, first.orders, first.faults)
