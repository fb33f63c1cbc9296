"""A part is told to be healthy only by itself: a stranger on its port, or nobody, is not."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ops import health
from ops.prefect_api import Prefect


@pytest.fixture(params=[b"<html>hello</html>", b"[]", b"{}", b'{"registered_models": 3}', b"\xff"])
def stranger(request):
    """Run a server that answers every question well, and has no idea what it was asked."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(request.param)))
            self.end_headers()
            self.wfile.write(request.param)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_stranger_on_the_sandboxs_port_is_not_the_sandbox(stranger):
    assert health.http(f"{stranger}/health", health.exchange_time)(1) is None


def test_a_stranger_on_mlflows_port_breaks_nothing(stranger):
    assert health.mlflow(stranger)(1) in {None, "no model registered yet"}


def test_a_stranger_on_prefects_port_breaks_nothing(stranger):
    server = Prefect(f"{stranger}/api")

    assert health.worker(server, "friday")(1) is None
    assert health.prefect(server)(1) in {None, "0 deployments, nothing is scheduled"}
