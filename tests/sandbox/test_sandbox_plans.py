"""A plan of faults strikes when it says, the same way for the same seed, and outlives a kill."""

import json
from collections import Counter
from pathlib import Path

import ccxt
import pytest
from websockets.exceptions import ConnectionClosed

from sandbox.errors import Refused
from sandbox.faults import Faults, read_fault
from sandbox.kinds import KINDS, SHORT, takes
from sandbox.plans import draw, read_plan

SECOND = 1_000_000_000
PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


def strikes(sandbox):
    return [
        (each["id"], each["stroke"], each["kind"])
        for each in sandbox.ask("/admin/faults")["struck"]
    ]


def test_every_kind_and_every_short_name_is_documented():
    text = PAGE.read_text()

    assert not [name for name in [*KINDS, *SHORT] if f"`{name}`" not in text]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_asked_for_by_name_with_what_it_takes(kind):
    usual = json.loads(
        json.dumps({"from": 5, "for": 10, "every": 2, "text": "E", "mode": "online"})
    )
    form = {"kind": kind} | {name: usual[name] for name in takes(kind) if name in usual}
    fault = Faults().add(form, 100 * SECOND)

    assert (fault.kind, fault.name) == (kind, kind)
    assert (fault.begins, fault.ends) == (105 * SECOND, 115 * SECOND)


def test_a_short_name_stands_for_a_kind_and_may_be_varied():
    assert read_fault({"kind": "524"}).status == 524
    assert read_fault({"kind": "524"}).after
    assert not read_fault({"kind": "524", "after": False}).after
    assert read_fault({"kind": "internal_error"}).text == "EGeneral:Internal error"


def test_a_fault_strikes_only_in_its_time():
    faults = Faults()
    faults.add({"kind": "missing", "times": 0, "from": 10, "for": 10}, 100 * SECOND)
    struck = [s for s in range(40) if faults.take({"missing"}, (100 + s) * SECOND) is not None]

    assert struck == list(range(10, 20))
    (gone,) = faults.over(140 * SECOND)
    assert gone.struck == 10
    assert not faults.waiting


def test_a_fault_may_begin_at_a_time_of_the_exchange():
    faults = Faults()
    fault = faults.add({"kind": "missing", "from": "2026-03-01T00:00:10Z"}, 0)

    assert faults.take({"missing"}, fault.begins - 1) is None
    assert faults.take({"missing"}, fault.begins) is fault


def test_a_fault_may_let_the_first_occasions_pass():
    faults = Faults()
    faults.add({"kind": "missing", "skip": 3, "times": 2})

    assert [faults.take({"missing"}, 0) is not None for _ in range(6)] == [
        *(False, False, False),
        *(True, True),
        False,
    ]


def test_what_strikes_by_itself_does_so_again_and_again_in_its_time():
    faults = Faults()
    faults.add({"kind": "close", "from": 10, "every": 30, "for": 100, "times": 0})
    struck = []
    for second in range(200):
        for fault in faults.due(second * SECOND):
            faults.strike(fault, "", second * SECOND)
            struck.append(second)

    assert struck == [10, 40, 70, 100]


def test_a_jump_over_many_moments_is_one_stroke():
    faults = Faults()
    faults.add({"kind": "abort", "every": 1, "times": 0})

    assert len(faults.due(3600 * SECOND)) == 1
    assert not faults.due(3600 * SECOND)
    assert len(faults.due(3601 * SECOND)) == 1


def test_a_sudden_fault_that_chance_spares_is_over():
    faults = Faults()
    faults.add({"kind": "token_expiry", "chance": 0})

    assert not faults.due(0)
    assert not faults.waiting


def drawn(seed):
    plan = read_plan(
        b"""[{"kind": {"one_of": ["502", "drop_after", "delay"]}, "repeat": 200,
              "from": {"between": [0, 3600]}, "times": {"between": [1, 5]},
              "chance": {"between": [0.5, 0.75]}}]"""
    )
    faults = Faults(seed)
    return [faults.add(form) for form in plan]


def test_a_plan_leaves_to_the_seed_what_it_likes():
    made = drawn(1)

    assert made == drawn(1)
    assert made != drawn(2)
    assert Counter(fault.name for fault in made).keys() == {"502", "drop_after", "delay"}
    assert {fault.times for fault in made} == {1, 2, 3, 4, 5}
    assert all(0 <= fault.begins <= 3600 * SECOND for fault in made)
    assert all(0.5 <= fault.chance <= 0.75 for fault in made)
    assert len({fault.begins for fault in made}) > 150


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[1]",
        b"\xff",
        b'[{"kind": "empty", "repeat": 0}]',
        b'[{"repeat": 20000}]',
        b"[" * 9999,
    ],
)
def test_a_plan_that_is_none_is_refused(text):
    with pytest.raises(Refused):
        read_plan(text)


@pytest.mark.parametrize(
    "choice",
    [{"between": [2, 1]}, {"between": ["a", "b"]}, {"one_of": []}, {}, {"between": [1, 2], "x": 1}],
)
def test_a_choice_that_is_none_is_refused(choice):
    with pytest.raises(Refused, match="a choice must look like"):
        draw({"times": choice}, 1)


@pytest.mark.parametrize(
    "form",
    [
        *({"from": -1}, {"from": "soon"}, {"for": 1e300}, {"every": -1}, {"skip": -1}),
        *({"times": 10**30}, {"share": 2}, {"kind": "maintenance", "mode": "closed"}),
        *({"seconds": -1}, {"chance": float("nan")}, {"kind": ["empty"]}, {"colour": "red"}),
    ],
)
def test_a_fault_out_of_bounds_is_refused(form):
    with pytest.raises(Refused):
        Faults().add({"kind": "close"} | form)


PLAN = [
    {"kind": "close", "code": 1001, "from": 10},
    {"kind": "maintenance", "from": 20, "for": 10},
    {"kind": "524", "method": "Balance", "from": 40, "times": 2},
    {"kind": "rate_limit", "share": 0.05, "from": 60},
]
BEGIN = ("--clock", "simulated", "--start", "2026-03-01T10:30:00Z")


@pytest.fixture
def planned(start, tmp_path):
    """Start a sandbox with a plan, again and again with the same state."""
    (tmp_path / "plan").write_text(json.dumps(PLAN))
    options = (*BEGIN, "--state", str(tmp_path / "state"), "--faults", str(tmp_path / "plan"))
    return lambda: start(*options)


def test_a_plan_strikes_at_its_times(planned):
    sandbox = planned()
    stream = sandbox.public()
    stream.text('"status"')
    sandbox.advance(9)
    assert strikes(sandbox) == []
    sandbox.advance(1)
    with pytest.raises(ConnectionClosed) as closed:
        stream.socket.recv(timeout=5)
    assert closed.value.rcvd.code == 1001
    sandbox.advance(11)
    assert sandbox.ask("/health")["mode"] == "maintenance"
    sandbox.advance(10)
    assert sandbox.ask("/health")["mode"] == "online"


def test_a_plan_outlives_a_kill_in_the_middle_of_it(planned):
    sandbox = planned()
    client = sandbox.new_client("planned")
    sandbox.advance(21)
    sandbox.kill()

    sandbox = planned()
    client.urls["api"] = sandbox.addresses()
    assert sandbox.ask("/health")["mode"] == "maintenance"
    assert strikes(sandbox) == [("F1", 1, "close"), ("F2", 1, "maintenance")]
    sandbox.advance(20)
    assert sandbox.ask("/health")["mode"] == "online"
    with pytest.raises(ccxt.ExchangeError):
        client.privatePostBalance()
    sandbox.kill()

    sandbox = planned()
    client.urls["api"] = sandbox.addresses()
    assert strikes(sandbox)[2:] == [("F3", 1, "status")]
    with pytest.raises(ccxt.ExchangeError):
        client.privatePostBalance()
    assert client.privatePostBalance()["result"]["ZUSD"] == "10000.0000"
    assert strikes(sandbox)[2:] == [("F3", 1, "status"), ("F3", 2, "status")]
    assert [fault["id"] for fault in sandbox.ask("/admin/faults")["waiting"]] == ["F4"]
    assert sandbox.ask("/admin/faults", {"kind": "empty"})["id"] == "F5"


def test_a_stroke_is_a_line_with_its_id_on_standard_error(start):
    sandbox = start(*BEGIN)
    name = sandbox.ask("/admin/faults", {"kind": "token_expiry"})["id"]
    sandbox.process.terminate()
    said = sandbox.process.stderr.read()

    assert f"fault {name}.1, token_expiry, struck tokens" in said
