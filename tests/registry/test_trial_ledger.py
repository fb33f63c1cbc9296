"""Every trial ever made for a market counts against the best, also those that were cut off."""

import os
import subprocess
import sys
from pathlib import Path

import one_search
import optuna
import pytest
from one_search import MARKET, NAME
from waiting import until

from ops import postgres
from registry import search as searching
from registry.overfitting import deflated_sharpe
from registry.search import search, trials_ever
from registry.settings import StudySettings

HERE = Path(__file__).parent
ENDLESS = "1000"


@pytest.fixture
def address(server, request):
    """Give the test a database without our tables: studies keep to one of their own."""
    name = f"studies_{os.getpid()}_{abs(hash(request.node.name))}"
    postgres.create_databases(server, (name,))
    return server.url(name)


@pytest.fixture
def settings(address):
    return StudySettings(OPTUNA_STORAGE_URL=address)


@pytest.fixture
def storage(settings):
    return searching._storage(settings)


def trials(storage):
    studies = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=NAME, storage=storage).trials if NAME in studies else []


def test_a_search_killed_in_the_middle_goes_on_and_its_cut_off_trial_counts(
    address, settings, storage
):
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE.parent), str(HERE)])
    command = [sys.executable, str(HERE / "one_search.py"), address, ENDLESS]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}) as process:
        until(lambda: len(trials(storage)) >= 3, seconds=120, what="three trials")
        process.kill()
    begun = trials(storage)
    ended = [trial for trial in begun if trial.state == optuna.trial.TrialState.COMPLETE]

    found = search(one_search.course(len(ended) + 2), settings, market=MARKET, name=NAME)

    assert found.trials == trials_ever(storage, MARKET) == len(begun) + 2
    assert found.returns.shape[1] == len(ended) + 2
    assert [trial.params for trial in trials(storage)][: len(begun)] == [t.params for t in begun]


def test_trials_add_up_over_a_markets_searches_and_not_over_those_of_others(settings):
    course = one_search.course(1)

    first = search(course, settings, market=MARKET, name="xrp-usd-a")
    other = search(course, settings, market="XRP/USDT", name="xrp-usdt-a")
    second = search(course, settings, market=MARKET, name="xrp-usd-b")

    assert (first.trials, other.trials, second.trials) == (1, 1, 2)


def test_the_same_result_is_worth_less_after_more_trials(settings):
    found = search(one_search.course(2), settings, market=MARKET, name=NAME)

    few = deflated_sharpe(found.blocks, trials=2, spread=0.3)
    many = deflated_sharpe(found.blocks, trials=2000, spread=0.3)

    assert many < few
