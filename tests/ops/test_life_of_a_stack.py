"""Commands tell a stack that runs from one that was killed, and make no folder to find out."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from ops.cli import main
from ops.commands.stack import Stopping
from ops.home import Home, Line, Stack

ENDS_AT_ONCE = (sys.executable, "-c", "pass")


@pytest.fixture
def friday(monkeypatch, tmp_path, capsys):
    """Run a command in a folder of its own and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as ending:
            main(list(arguments))
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run


@pytest.fixture
def killed(tmp_path):
    """Leave what a stack leaves whose supervisor was killed and is not yet reaped."""
    with subprocess.Popen(ENDS_AT_ONCE) as supervisor:
        created = psutil.Process(supervisor.pid).create_time()
        os.waitid(os.P_PID, supervisor.pid, os.WEXITED | os.WNOWAIT)
        home = Home.at(tmp_path / "home")
        line = Line(name="mlflow", address="a", state="running", word="", pid=None)
        home.write(
            Stack(
                supervisor=supervisor.pid,
                supervisor_created=created,
                mark="0" * 32,
                exchange="sandbox",
                started_at="2026-01-01T00:00:00+00:00",
                components=[line],
            )
        )
        yield home


@pytest.mark.usefixtures("killed")
def test_a_stack_that_was_killed_does_not_run_though_nobody_has_reaped_it(friday):
    code, output, complaint = friday("status")

    assert (code, output) == (3, "")
    assert "was killed" in complaint
    assert "friday down" in complaint


def test_what_a_killed_stack_left_is_taken_down_at_once(friday, killed):
    code, output, _ = friday("down")

    assert (code, output.startswith("ended 0 processes")) == (0, True)
    assert killed.read() is None


@pytest.mark.usefixtures("killed")
def test_the_doctor_does_not_take_a_killed_stack_for_a_running_one(friday):
    code, output, _ = friday("doctor")

    assert code == 1
    assert "our own stack runs" not in output
    assert "was killed" in output


@pytest.mark.parametrize("command", ["status", "down"])
def test_asking_for_a_stack_makes_no_folder(friday, command, tmp_path):
    code, _, complaint = friday(command)

    assert (code, complaint.startswith("no stack runs in")) == (3, True)
    assert not (tmp_path / "home").exists()


def test_a_hangup_that_is_ignored_stays_ignored():
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stopping = Stopping()
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
