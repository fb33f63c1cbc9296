"""Bytes that are no request get an answer or a close, and whoever comes next is served."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from functools import partial
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nonsense import KEYS, NUMBERS, STRANGE, WORDS, Babbler
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sandbox import public_data, rest
from sandbox.errors import Refused
from sandbox.faults import Faults
from sandbox.kinds import KINDS, SHORT
from sandbox.overview import describe_fault
from sandbox.wire import encode

REQUESTS = 600
FRAMES = 150
CALLERS = 24
PATIENCE = 10
VERBS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X")
HEADERS = (
    *("Host", "Content-Length", "Content-Type", "Transfer-Encoding", "API-Key", "API-Sign"),
    *("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Expect", "Origin"),
    *("Content-Encoding", "Cookie", "Range", "Sec-WebSocket-Extensions", "X-Forwarded-For"),
)
TOKENS = (
    *("chunked", "gzip", "deflate", "close", "keep-alive, Upgrade", "websocket", "13", "-1", "5"),
    *("100-continue", "application/json", "multipart/form-data; boundary=x", "text/\xff", "0x5"),
    *("application/x-www-form-urlencoded; charset=nonsense", "127.0.0.1", "evil.example", ""),
)
PATHS = (
    *(f"/0/public/{name}" for name in public_data.METHODS),
    *(f"/0/private/{name}" for name in rest.PRIVATE),
    *("/", "/v2", "/public/v2", "/auth/v2", "/health", "/admin", "/admin/state", "/admin/keys"),
    *("/admin/mode", "/admin/clock/advance", "/admin/faults/F1", "/admin/faults/kinds"),
    *("/0", "/0/", "/0/public/", "/0/private/../../admin", "//", "*", "http://evil.example/", "/%"),
)
BROKEN = ("Traceback", "Error handling", "exception was never retrieved", "Exception in")


@pytest.fixture(scope="module")
def target(sandbox):
    """Give a sandbox that must have had no trouble when the module ends."""
    yield sandbox
    assert sandbox.process.poll() is None
    sums = sandbox.ask("/admin/state")["sums"]
    assert {Decimal(amount) for amount in sums.values()} == {0}
    sandbox.process.terminate()
    sandbox.process.wait(timeout=30)
    said = sandbox.process.stderr.read()
    assert not [word for word in BROKEN if word in said], said[-5000:]


@pytest.fixture
def longer(request):
    """Say how much more there is to try than usual."""
    wanted = request.config.getoption("--fuzz-examples")
    return max(wanted // 1000, 1)


def raw_request(random, babbler):
    """Make the bytes of a request that may have anything wrong with it."""
    path = random.choice(PATHS)
    form = babbler.twist(babbler.rest_order())
    query = urlencode({str(k): v for k, v in form.items()}, errors="replace")
    if random.random() < 0.4:
        path += "?" + (query if random.random() < 0.7 else random.choice(STRANGE))
    body = babbler.body(form, as_json=random.random() < 0.5)
    if random.random() < 0.2:
        body = random.randbytes(random.randrange(300))
    lines = [f"{random.choice(VERBS[:2] if random.random() < 0.7 else VERBS)} {path} HTTP/1.1"]
    lines += ["Host: 127.0.0.1", "Connection: close"]
    if random.random() < 0.9:
        lines.append(f"Content-Length: {len(body)}")
    for _ in range(random.choice((0, 0, 1, 2, 3))):
        value = random.choice(TOKENS) if random.random() < 0.7 else str(babbler.value())
        lines.append(f"{random.choice(HEADERS)}: {value}")
    whole = "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body
    if random.random() < 0.15:
        at = random.randrange(len(whole))
        whole = whole[:at] + random.randbytes(random.randrange(5)) + whole[at + 2 :]
    return whole


def answer_to(address, said):
    """Send bytes, wait for an answer, then say that no more will come and hear the rest."""
    with socket.create_connection(address, timeout=PATIENCE) as door:
        heard = b""
        with suppress(OSError):
            door.sendall(said)
        door.settimeout(0.3)
        with suppress(TimeoutError, ConnectionError):
            while part := door.recv(65536):
                heard += part
        door.settimeout(PATIENCE)
        with suppress(ConnectionError, BrokenPipeError):
            with suppress(OSError):
                door.shutdown(socket.SHUT_WR)
            while part := door.recv(65536):
                heard += part
        return heard


def test_requests_that_are_none(target, longer):
    host, port = target.http.removeprefix("http://").split(":")
    random = Random(5)
    babbler = Babbler(random, tuple)
    all_said = [raw_request(random, babbler) for _ in range(REQUESTS * longer)]
    with ThreadPoolExecutor(CALLERS) as pool:
        all_heard = list(pool.map(partial(answer_to, (host, int(port))), all_said))
    answered = 0
    for said, heard in zip(all_said, all_heard, strict=True):
        statuses = re.findall(rb"^HTTP/\d\.\d (\d{3}) ", heard)
        assert all(int(status) < 500 for status in statuses), (said, heard)
        assert bool(statuses) == bool(heard), (said, heard)
        answered += bool(statuses)
        if b"200" in statuses and b"/0/" in said.split(b"?")[0] and b"HEAD" not in said:
            body = json.loads(heard.split(b"\r\n\r\n", 1)[1])
            assert "result" in body or body["error"], (said, heard)

    assert answered > REQUESTS // 3
    assert target.ask("/health")["status"] == "ok"


def raw_frame(random, babbler):
    """Make a frame of the websocket, or what only looks like one."""
    text = babbler.request("no token").encode("utf-8", "surrogatepass")
    payload = text if random.random() < 0.6 else random.randbytes(random.randrange(200))
    first = random.choice((0x81, 0x81, 0x82, 0x80, 0x01, 0x88, 0x89, 0x8A, 0xC1, 0xFF, 0x00))
    length = len(payload)
    short = length < 126
    size = bytes([0x80 | length]) if short else b"\xfe" + length.to_bytes(2, "big")
    if random.random() < 0.1:
        size = bytes([random.choice((0xFF, 0x7F, 0xFE, length & 0x7F))]) + random.randbytes(8)
    mask = random.randbytes(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([first]) + size + mask + masked


def test_frames_that_are_none(target, longer):
    random = Random(6)
    babbler = Babbler(random, tuple)
    closed = 0
    for _ in range(FRAMES * longer):
        stream = connect(target.ws + random.choice(("/v2", "/public/v2", "/auth/v2")))
        with suppress(OSError):
            for _ in range(random.randrange(1, 4)):
                stream.socket.sendall(raw_frame(random, babbler))
            stream.socket.shutdown(socket.SHUT_WR)
        try:
            while True:
                assert isinstance(json.loads(stream.recv(timeout=PATIENCE)), dict)
        except ConnectionClosed:
            closed += 1

    assert closed == FRAMES * longer
    assert target.ask("/health")["connections"] == 0


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, 8 << 20])
def test_too_much_is_not_listened_to(target, size):
    with connect(target.ws + "/v2", max_size=None) as stream, suppress(ConnectionClosed):
        stream.send("x" * size)
        while True:
            json.loads(stream.recv(timeout=PATIENCE))
            stream.close()
    host, port = target.http.removeprefix("http://").split(":")
    start = f"POST /0/private/Balance HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    heard = answer_to((host, int(port)), start.encode() + b"x" * size)

    assert not heard or int(heard.split()[1]) < 500
    assert target.ask("/health")["status"] == "ok"


def test_faults_that_are_none(longer):
    names = st.sampled_from(
        [*Faults().add({"kind": "empty"}).__struct_fields__, "from", "for", *KEYS]
    )
    kinds = st.sampled_from([*KINDS, *SHORT, "nothing"])
    things = st.sampled_from([*WORDS, *NUMBERS, *STRANGE]) | st.integers() | st.floats() | st.none()
    choices = st.dictionaries(st.sampled_from(["between", "one_of"]), st.lists(things), max_size=2)

    @given(st.dictionaries(names, things | choices, max_size=5), kinds)
    @settings(max_examples=200 * longer, deadline=None)
    def hold(form, kind):
        faults, now = Faults(), 1_772_361_000_000_000_000
        with suppress(Refused):
            fault = faults.add(form | {"kind": kind}, now)
            assert encode(describe_fault(fault))
            for each in faults.due(now):
                faults.strike(each, "here", now)
            faults.take({kind}, now, method="AddOrder")
            faults.over(now)

    hold()
