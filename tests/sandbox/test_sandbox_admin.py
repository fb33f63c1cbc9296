"""The person who runs the sandbox sees all of it, and nobody else's web page may touch it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from decimal import Decimal

import pytest

from sandbox.admin import PAGE
from sandbox.guard import objection
from sandbox.kinds import GROUPS, KINDS, SHORT, takes

EVIL = "<img_src=x>"


def knock(sandbox, path, headers, method="POST"):
    request = urllib.request.Request(
        sandbox.http + path, data=b"{}", headers=headers, method=method
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def command(sandbox, *words):
    port = sandbox.http.rpartition(":")[2]
    line = [sys.executable, "-m", "sandbox", *words, "--port", port]
    return subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(scope="module")
def busy(sandbox):
    """Give a sandbox where somebody trades and listens."""
    client = sandbox.new_client("busy")
    client.create_order("XRP/USD", "market", "buy", 20)
    client.create_order("XRP/USD", "limit", "buy", 10, 1.0, {"clientOrderId": EVIL})
    stream = sandbox.public()
    stream.subscribe("book", symbol=["XRP/USD"])
    stream.text('"snapshot"', '"book"', '"data"')
    yield sandbox
    stream.close()


def test_the_state_tells_everything_at_a_glance(busy):
    state = busy.ask("/admin/state?most=5")

    assert state["clock"]["simulated"]
    assert state["market"] == {"source": "synthetic", "seed": 7, "edge": 150.0}
    assert state["mode"] == "online"
    assert [price["symbol"] for price in state["prices"]] == ["BTC/USD", "DOGE/USD", "XRP/USD"]
    (order,) = state["open"].values()
    assert (order["account"], order["symbol"], order["cl_ord_id"]) == ("busy", "XRP/USD", EVIL)
    assert Decimal(state["holds"]["busy"]["ZUSD"]) > 10
    assert sum(Decimal(fill["volume"]) for fill in state["fills"]) == 20
    (heard,) = state["connections"]
    assert heard["address"] == "127.0.0.1"
    assert (heard["door"], heard["topics"]) == ("/public/v2", ["book XRP/USD 10"])
    assert heard["sent"] >= 3
    assert heard["age"] >= 0
    assert {Decimal(amount) for amount in state["sums"].values()} == {0}


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_markup(busy):
    with urllib.request.urlopen(busy.http + "/admin", timeout=10) as answer:
        text, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert text.count(f'nonce="{nonce}"') == 2
    assert "NONCE" not in text
    addresses = [line for line in text.splitlines() if "//" in line and "www.w3.org" not in line]
    assert not [line for line in addresses if not line.lstrip().startswith("//")]
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert risky not in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example:8765", "Origin": "http://evil.example:8765"},
        {"Host": "rebound.evil.example"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/keys"),
        ("POST", "/admin/faults"),
        ("POST", "/admin/mode"),
        ("DELETE", "/admin/faults"),
        ("GET", "/admin/state"),
    ],
)
def test_another_page_may_not_administrate(busy, headers, method, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        knock(busy, path, headers, method)

    assert refused.value.code == 403
    assert json.loads(refused.value.read())["error"]


def test_its_own_page_and_programs_may(busy):
    host = busy.http.removeprefix("http://")

    assert knock(busy, "/admin/keys", {}) == 200
    assert knock(busy, "/admin/keys", {"Origin": busy.http, "Sec-Fetch-Site": "same-origin"}) == 200
    assert objection({"Host": host, "Sec-Fetch-Site": "none"}) is None
    assert objection({"Host": "[::1]:8765", "Origin": "http://[::1]:8765"}) is None
    assert objection({"Host": "localhost:8765"}) is None
    assert objection({"Host": "sandbox:8765"}) is None
    assert objection({"Host": host, "Sec-Fetch-Site": "cross-site"}, page=True) is None
    assert objection({"Host": "["}) is not None
    assert objection({}) is not None


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/admin/clock/advance", b'{"seconds": 1e300}', "which is a year"),
        ("/admin/clock/advance", b'{"seconds": NaN}', "must be JSON"),
        ("/admin/clock/advance", b'{"seconds": true}', "must be a number"),
        ("/admin/clock/advance", b"[" * 100_000, "must be JSON"),
        ("/admin/keys", b'{"account": "house:market"}', "not begin with house:"),
        ("/admin/keys", b'{"account": "\\ud800"}', "must be JSON"),
        ("/admin/keys", b'{"window": -1}', "window must be"),
        ("/admin/mode", b'{"mode": ["online"]}', "mode must be one of"),
        ("/admin/faults", b"[]", "must be a JSON object"),
        ("/admin/faults", b"\xff", "must be JSON"),
    ],
)
def test_nonsense_is_refused_in_words(busy, path, body, words):
    request = urllib.request.Request(busy.http + path, data=body)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)

    assert refused.value.code == 400
    assert words in json.loads(refused.value.read())["error"]


def test_the_page_offers_every_kind_of_fault_with_what_it_takes(busy):
    known = busy.ask("/admin/faults/kinds")

    offered = [name for names in GROUPS.values() for name in names]
    assert sorted(offered) == sorted([*KINDS, *SHORT])
    assert known["takes"] == {kind: takes(kind) for kind in KINDS}
    fields = {name for kind in KINDS for name in takes(kind)}
    assert fields <= known["usual"].keys()
    named = PAGE.read_text().split("const NAMES = {")[1].split("};")[0]
    assert not [field for field in fields if f"{field}: " not in named]


def test_a_terminal_shows_the_same(busy):
    shown = command(busy, "show")

    assert shown.returncode == 0
    assert "the books balance" in shown.stdout
    assert "buy 10.00000000 XRPUSD @ limit 1.00000  0.00000000" in shown.stdout
    assert "book XRP/USD 10" in shown.stdout
    state = json.loads(command(busy, "show", "--json").stdout)
    assert state["accounts"].keys() == busy.ask("/admin/state")["accounts"].keys()


def test_a_terminal_asks_for_a_fault_by_name(busy):
    asked = command(busy, "fault", "524", "method=Balance", "times=3")
    (waiting,) = busy.ask("/admin/faults")["waiting"]
    wrong = command(busy, "fault", "flood")
    listed = command(busy, "fault")

    assert asked.stdout == f"{waiting['id']} is asked for\n"
    assert (waiting["kind"], waiting["name"], waiting["status"]) == ("status", "524", 524)
    assert (waiting["method"], waiting["times"], waiting["after"]) == ("Balance", 3, True)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("kind must be one of")
    assert all(name in listed.stdout for name in [*KINDS, *SHORT])
    request = urllib.request.Request(f"{busy.http}/admin/faults/{waiting['id']}", method="DELETE")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.loads(answer.read()) == {"removed": [waiting["id"]]}


def test_a_sandbox_that_is_not_there_is_named_in_one_sentence():
    line = [sys.executable, "-m", "sandbox", "show", "--port", "1"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 3
    assert done.stderr.startswith("no sandbox answers at 127.0.0.1 port 1")
    assert done.stderr.count("\n") == 1
