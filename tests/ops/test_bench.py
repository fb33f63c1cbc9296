"""A figure says whether it holds, and the page keeps what was not measured again."""

import json
import subprocess
import sys

import psutil
import pytest
from waiting import until

from ops.bench.figures import Figure, Plan, write
from ops.commands.bench import NAMES


def a_figure(**changes):
    known = {"name": "orders", "value": 831.0, "unit": "orders/s", "how": "by ccxt", "goal": 500.0}
    return Figure(**known | changes)


@pytest.mark.parametrize(
    ("value", "at_most", "holds"),
    [
        (500.0, False, True),
        (499.9, False, False),
        (500.0, True, True),
        (500.1, True, False),
        (float("nan"), False, False),
        (float("nan"), True, False),
    ],
)
def test_a_figure_holds_on_the_right_side_of_its_goal(value, at_most, holds):
    assert a_figure(value=value, at_most=at_most).holds is holds


def test_a_figure_without_a_goal_is_only_told():
    assert a_figure(goal=None).holds


def test_a_machine_reads_six_fields():
    assert json.loads(json.dumps(a_figure().as_json())) == {
        "name": "orders",
        "value": 831.0,
        "unit": "orders/s",
        "goal": 500.0,
        "holds": True,
        "how": "by ccxt",
    }


def test_the_page_keeps_the_parts_that_were_not_measured_again(tmp_path):
    page = tmp_path / "benchmarks.md"

    write(page, {"feed": [a_figure(name="old")], "sandbox": [a_figure(name="kept")]}, "Then.")
    write(page, {"feed": [a_figure(name="fresh")]}, "Now.")

    text = page.read_text()
    assert "| fresh |" in text
    assert "| old |" not in text
    assert text.count("| kept | 831 orders/s | at least 500 | holds |") == 1
    assert text.index("## feed") < text.index("## sandbox")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_measurement(name):
    module = __import__(f"ops.bench.{name}", fromlist=["measure"])

    assert module.measure.__annotations__ == {"plan": "Plan", "return": "list[Figure]"}
    assert Plan() == Plan(quick=False, runs=None, seed=0, only=None, recording=None)


def test_a_measurement_that_is_told_to_end_takes_along_what_it_started():
    command = [sys.executable, "-c", "from ops.cli import main; main(['bench', 'fuzz'])"]

    def sandboxes():
        children = psutil.Process(measuring.pid).children()
        return [one for one in children if any(c.raddr for c in one.net_connections())]

    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as measuring:
        started = until(sandboxes, seconds=60, what="a sandbox at work")
        measuring.terminate()
        measuring.wait(timeout=60)

    _, left = psutil.wait_procs(started, timeout=10)
    assert left == []
