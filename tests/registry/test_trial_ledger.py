"""Every trial ever made for a market counts against the best, also those that were cut off."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import one_search
import optuna
import pytest
import sqlalchemy
from one_search import MARKET, NAME
from optuna.trial import TrialState
from waiting import until

from ops import postgres
from registry.overfitting import deflated_sharpe
from registry.search import search
from registry.settings import StudySettings
from registry.studies import open_storage, trials_ever

HERE = Path(__file__).parent
ENDLESS = "1000"
WATCHED = (
    "SELECT count(*) FROM trials JOIN trial_heartbeats USING (trial_id) WHERE state = 'RUNNING'"
)


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
    return open_storage(settings)


def trials(storage):
    studies = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=NAME, storage=storage).trials if NAME in studies else []


def working(address):
    """Count the sessions in which a statement or a transaction is still under way."""
    engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return connection.scalar(
            sqlalchemy.text(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND state <> 'idle' AND pid <> pg_backend_pid()"
            )
        )


@pytest.fixture
def searching(address):
    """Give a function that starts an endless search in a process of its own."""
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE.parent), str(HERE)])
    command = [sys.executable, str(HERE / "one_search.py"), address, ENDLESS]
    with ExitStack() as stack:

        def start():
            process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def states(storage):
    return Counter(trial.state for trial in trials(storage))


def amid_a_trial(worker, storage):
    """Stop one of two workers; say whether both have a trial that is watched, or let it go on."""
    worker.send_signal(signal.SIGSTOP)
    # Optuna gives up only a trial whose heart has beaten, some milliseconds after it was asked for.
    with storage.engine.connect() as connection:
        if connection.scalar(sqlalchemy.text(WATCHED)) == 2:
            return True
    worker.send_signal(signal.SIGCONT)
    return False


def test_a_search_killed_in_the_middle_goes_on_and_its_cut_off_trial_counts(
    searching, settings, storage, address
):
    process = searching()
    until(lambda: len(trials(storage)) >= 3, seconds=120, what="three trials")
    process.kill()
    process.wait()
    until(lambda: not working(address), seconds=30, what="an end of what it had sent")
    begun = trials(storage)

    found = search(one_search.course(len(begun) + 2), settings, market=MARKET, name=NAME)

    assert found.trials == trials_ever(storage, MARKET) == len(trials(storage))
    assert found.returns.shape[1] == len(begun) + 3
    assert found.trials == len(begun) + 3 + states(storage)[TrialState.RUNNING]
    made = [tuple(sorted(t.params.items())) for t in trials(storage) if "rival" not in t.user_attrs]
    assert len(set(made)) == len(made)
    for before, now in zip(begun, trials(storage), strict=False):
        # What the killed one had sent may have arrived a moment after it was looked at.
        assert before.params.items() <= now.params.items()


def test_of_two_workers_on_one_study_one_may_be_killed_and_its_trial_is_made_again(
    searching, storage
):
    first = searching()
    until(lambda: len(trials(storage)) >= 2, seconds=120, what="the study")
    searching()
    until(lambda: amid_a_trial(first, storage), seconds=120, what="work of both")
    first.kill()
    until(
        lambda: any("failed_trial" in trial.system_attrs for trial in trials(storage)),
        seconds=120,
        what="a second try of the lost trial",
    )

    lost = next(t for t in trials(storage) if t.state is TrialState.FAIL)
    again = next(t for t in trials(storage) if "failed_trial" in t.system_attrs)
    assert again.system_attrs["failed_trial"] == lost.number
    assert lost.params.items() <= again.params.items()
    assert trials_ever(storage, MARKET) > again.number > lost.number


def test_a_rival_that_was_lost_in_its_trial_is_asked_again(settings, storage):
    study = optuna.create_study(study_name=NAME, storage=storage)
    study.enqueue_trial({}, user_attrs={"rival": True})
    lost = study.ask()

    found = search(one_search.course(1), settings, market=MARKET, name=NAME)

    assert np.isfinite([found.plain, found.boosted]).all()
    assert found.trials == 3
    assert trials(storage)[lost.number].state is TrialState.RUNNING


def test_workers_that_a_search_starts_end_with_it_and_make_no_trial_too_many(address, storage):
    settings = StudySettings(OPTUNA_STORAGE_URL=address, TRAINING_WORKERS=2)

    found = search(one_search.course(12), settings, market=MARKET, name=NAME)

    ended = states(storage)
    assert 13 <= ended[TrialState.COMPLETE] + ended[TrialState.PRUNED] <= 14
    assert found.trials == len(trials(storage))
    assert not multiprocessing.active_children()


def test_a_trial_given_up_half_way_counts_and_widens_the_spread(settings, storage):
    found = search(one_search.course(18), settings, market=MARKET, name=NAME)

    pruned = [trial for trial in trials(storage) if trial.state is TrialState.PRUNED]
    assert pruned
    assert found.trials == 19
    assert found.returns.shape[1] == 19 - len(pruned)
    assert all(2 <= len(trial.intermediate_values) + 1 < 4 for trial in pruned)
    assert found.given_up == len(pruned)
    sharpes = [trial.user_attrs["sharpe"] for trial in trials(storage)]
    assert found.spread >= np.std(sharpes, ddof=1) > 0


def test_trials_add_up_over_a_markets_searches_and_not_over_those_of_others(settings):
    course = one_search.course(1)

    first = search(course, settings, market=MARKET, name="xrp-usd-a")
    other = search(course, settings, market="XRP/USDT", name="xrp-usdt-a")
    second = search(course, settings, market=MARKET, name="xrp-usd-b")

    assert (first.trials, other.trials, second.trials) == (2, 2, 4)


def test_the_same_result_is_worth_less_after_more_trials(settings):
    found = search(one_search.course(2), settings, market=MARKET, name=NAME)

    few = deflated_sharpe(found.blocks, trials=2, spread=0.3)
    many = deflated_sharpe(found.blocks, trials=2000, spread=0.3)

    assert many < few
