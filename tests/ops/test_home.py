"""A folder holds one stack, keeps its secrets to itself, and tells commands how to find it."""

from __future__ import annotations

import os

import pytest

from ops.errors import AlreadyRunning, CannotStart
from ops.home import Home, Line, Stack


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path / "friday")


def test_a_second_stack_in_the_folder_is_refused_while_the_first_one_runs(home):
    held = home.lock()

    with pytest.raises(AlreadyRunning, match="already running"):
        home.lock()
    os.close(held)
    os.close(home.lock())


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(home):
    first = home.secret("key", lambda: "made")
    second = home.secret("key", lambda: "made again")

    assert (first, second) == ("made", "made")
    assert (home.path / "secrets" / "key").stat().st_mode & 0o777 == 0o600


def test_what_a_stack_says_is_read_back(home):
    stack = Stack(
        supervisor=1,
        supervisor_created=2.0,
        mark="m",
        exchange="sandbox",
        started_at="2026-01-01T00:00:00+00:00",
        healthy_after=14.5,
        components=[Line(name="mlflow", address="a", state="running", word="w", pid=3)],
    )

    home.write(stack)
    found = home.read()
    home.forget()

    assert found == stack
    assert home.read() is None


def test_half_a_state_file_counts_as_none(home):
    (home.path / "state.json").write_text('{"supervisor": 1')

    assert home.read() is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(CannotStart, match=f"cannot write to {tmp_path}/file/friday"):
        Home.at(tmp_path / "file" / "friday")
