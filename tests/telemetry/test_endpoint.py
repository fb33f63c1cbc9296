"""The trader tells over HTTP how it is, and halts for who has the token, and for nobody else."""

import json
import socket
import struct
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from pydantic import ValidationError

from telemetry.endpoint import HUNG_AFTER, Answers, Endpoint, EndpointSettings, Health
from telemetry.errors import EndpointTaken
from telemetry.metrics import Metrics

TOKEN = "a token of sixteen and more"


class Loop:
    """What stands behind the endpoint."""

    def __init__(self):
        self.age, self.halts, self.metrics = 0.1, [], Metrics()
        self.halt = self.halts.append

    def answers(self):
        """Give what the endpoint asks."""
        return Answers(
            health=lambda: Health(age=self.age, detail={"state": "trading"}),
            metrics=self.metrics.text,
            halt=self.halt,
        )


@contextmanager
def running(loop, **settings):
    endpoint = Endpoint(EndpointSettings(port=0, **settings), loop.answers())
    endpoint.start()
    try:
        yield f"http://127.0.0.1:{endpoint.port}"
    finally:
        endpoint.stop()


def ask(url, body=None, **headers):
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_loop_that_turns_is_well():
    with running(Loop()) as url:
        status, body = ask(f"{url}/health")

    assert (status, json.loads(body)) == (200, {"well": True, "age": 0.1, "state": "trading"})


def test_a_loop_that_hangs_is_not_well_though_the_endpoint_answers():
    loop = Loop()
    loop.age = HUNG_AFTER + 1

    with running(loop) as url:
        status, body = ask(f"{url}/health")

    assert status == 503
    assert json.loads(body)["well"] is False


def test_stages_and_orders_are_there_for_prometheus():
    loop = Loop()
    loop.metrics.stage("decide", 0.002)
    loop.metrics.order("Accepted")

    with running(loop) as url:
        status, text = ask(f"{url}/metrics")

    assert status == 200
    assert 'friday_stage_seconds_bucket{le="0.0025",stage="decide"} 1.0' in text
    assert 'friday_stage_seconds_bucket{le="0.001",stage="decide"} 0.0' in text
    assert 'friday_orders_total{fate="Accepted"} 1.0' in text


def test_who_has_the_token_halts_with_a_reason():
    loop = Loop()

    with running(loop, token=TOKEN) as url:
        status, _ = ask(f"{url}/halt", {"reason": "fees"}, Authorization=f"Bearer {TOKEN}")

    assert (status, loop.halts) == (200, ["fees"])


def test_a_halt_that_the_record_could_not_take_is_answered_with_what_holds_instead():
    loop = Loop()
    loop.halt = lambda reason: f"not on record: {reason}"

    with running(loop, token=TOKEN) as url:
        status, body = ask(f"{url}/halt", {"reason": "fees"}, Authorization=f"Bearer {TOKEN}")

    assert (status, json.loads(body)) == (503, {"error": "not on record: fees"})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}])
def test_nobody_else_does(headers):
    loop = Loop()

    with running(loop, token=TOKEN) as url:
        status, body = ask(f"{url}/halt", {"reason": "fees"}, **headers)

    assert (status, loop.halts) == (403, [])
    assert TOKEN not in body


def test_without_a_token_nobody_halts():
    loop = Loop()

    with running(loop) as url:
        status, _ = ask(f"{url}/halt", {"reason": "fees"}, Authorization="Bearer ")

    assert (status, loop.halts) == (403, [])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"reason": 1}', b'{"reason": " "}', b"[" * 4000]
)
def test_a_halt_without_a_reason_is_refused(body):
    loop = Loop()

    with running(loop, token=TOKEN) as url:
        status, _ = ask(f"{url}/halt", body, Authorization=f"Bearer {TOKEN}")

    assert (status, loop.halts) == (400, [])


@pytest.mark.parametrize("path", ["/", "/halt", "/metrics/x", "/../health"])
def test_there_is_nothing_else(path):
    with running(Loop()) as url:
        status, _ = ask(url + path)

    assert status == 404


def test_a_port_that_is_taken_is_said_in_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(EndpointTaken, match=f"cannot answer HTTP on 127.0.0.1:{port}"):
            Endpoint(EndpointSettings(port=port), Loop().answers())


def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(ValidationError):
        EndpointSettings(port=0, token="short")


def hang_up(url, request):
    """Ask, and be gone before the answer, as a scraper whose patience is over."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(request)


@pytest.mark.parametrize(
    "request_", [b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /me", b"\x16\x03\x01"]
)
def test_who_hangs_up_leaves_no_stack_trace(request_, capfd):
    with running(Loop()) as url:
        for _ in range(20):
            hang_up(url, request_)
        assert ask(f"{url}/health")[0] == 200

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("reason", ["a\u0000b", "\ud800"])
def test_a_reason_that_the_record_cannot_hold_is_refused(reason):
    loop = Loop()

    with running(loop, token=TOKEN) as url:
        status, _ = ask(f"{url}/halt", {"reason": reason}, Authorization=f"Bearer {TOKEN}")

    assert (status, loop.halts) == (400, [])


def test_a_length_in_other_digits_is_refused(capfd):
    with running(Loop(), token=TOKEN) as url:
        host, port = url.removeprefix("http://").split(":")
        head = f"POST /halt HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(f"{head}Content-Length: \u00b2\r\n\r\n".encode("latin-1"))
            answer = client.recv(100)

    assert b" 400 " in answer
    assert capfd.readouterr().err == ""
