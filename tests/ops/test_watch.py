"""A component that crashes is started again, one that never starts is given up, none is lost."""

from __future__ import annotations

import os
import sys

import psutil
import pytest
from waiting import until

from ops import processes
from ops.components import Component
from ops.errors import CannotStart
from ops.home import new_mark
from ops.watch import State, Watched

SLEEPS = "import time; time.sleep(60)"
HAS_A_CHILD = (
    "import subprocess, sys, time; "
    f"subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); time.sleep(60)"
)


@pytest.fixture
def mark():
    made = new_mark()
    yield made
    processes.end(processes.marked(made), seconds=1)


def watched(mark, logs, script, *, once=False, **given):
    component = Component(
        name="part",
        address="nowhere",
        command=(sys.executable, "-c", script),
        environment={**os.environ, processes.MARK: f"{mark}/part"},
        once=once,
    )
    return Watched(
        **{
            "name": "part",
            "address": "nowhere",
            "logs": logs,
            "build": lambda: component,
            "probe": lambda _pid: "fine",
            **given,
        }
    )


def tick_until(part, state):
    def reached():
        part.tick(set())
        return part.state is state

    until(reached, 15, f"{part.name} becoming {state}")


def test_it_waits_for_what_it_needs(mark, tmp_path):
    part = watched(mark, tmp_path, SLEEPS, after=("database",))

    part.tick({"cache"})
    waiting = part.state
    part.tick({"cache", "database"})

    assert (waiting, part.state) == (State.WAITING, State.STARTING)


def test_after_a_crash_it_is_started_again(mark, tmp_path):
    part = watched(mark, tmp_path, SLEEPS)
    tick_until(part, State.RUNNING)
    first = part.child.pid
    psutil.Process(first).kill()

    tick_until(part, State.RESTARTING)
    said = part.word
    tick_until(part, State.RUNNING)

    assert said == "ended with signal 9; again in 1 s"
    assert part.child.pid != first


def test_what_a_killed_process_started_is_ended_before_it_starts_again(mark, tmp_path):
    part = watched(mark, tmp_path, HAS_A_CHILD)
    tick_until(part, State.RUNNING)
    until(lambda: len(processes.marked(mark)) == 2, 10, "the child of the component")
    psutil.Process(part.child.pid).kill()

    tick_until(part, State.RESTARTING)

    assert processes.marked(mark) == []


def test_one_that_never_starts_is_given_up_with_its_own_last_words(mark, tmp_path):
    part = watched(mark, tmp_path, "raise ValueError('port 80 is not ours')")

    with pytest.raises(CannotStart, match="ended with code 1: ValueError: port 80 is not ours"):
        tick_until(part, State.STOPPED)


def test_a_step_that_ends_well_is_done(mark, tmp_path):
    part = watched(mark, tmp_path, "", once=True, probe=lambda _pid: None)

    tick_until(part, State.DONE)

    assert part.healthy


def test_one_that_stops_answering_is_shown_and_left_alone(mark, tmp_path):
    words = iter(["fine"])
    part = watched(mark, tmp_path, SLEEPS, probe=lambda _pid: next(words, None))
    tick_until(part, State.RUNNING)
    pid = part.child.pid

    tick_until(part, State.SILENT)

    assert part.child.pid == pid


def test_a_process_of_another_stack_is_not_ours(mark, tmp_path):
    part = watched(new_mark(), tmp_path, SLEEPS)
    tick_until(part, State.RUNNING)

    ours = processes.marked(mark)
    processes.stop_all([part.child], 5)

    assert ours == []
    assert part.child.exit_code() == -15


def test_a_log_that_cannot_be_written_is_tried_again_and_stops_nothing_else(mark, tmp_path):
    part = watched(mark, tmp_path / "nowhere", SLEEPS, persistent=True)

    part.tick(set())

    assert part.state is State.RESTARTING
    assert "nowhere" in part.word
