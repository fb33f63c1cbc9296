"""Alpaca as far as its recorded answers go, on the loopback."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import pytest

from market.settings import AlpacaSettings

RESPONSES = Path(__file__).parents[3] / "shared" / "data" / "alpaca" / "responses"
KEY, SECRET = "PKTESTKEYID", "0123456789secretsecret"


def recorded(name):
    """Return the path and the body of a recorded answer."""
    file = RESPONSES / f"{name}.json"
    if not file.exists():
        pytest.skip(f"no recorded answer at {file}")
    found = json.loads(file.read_text())
    return urlsplit(found["url_template"]).path, found["response"]


@contextmanager
def serving(*answers):
    """Give the answers in turn, the last for ever; yields the settings and what was asked.

    An answer is a body, or (status, headers, body).
    """
    asked, left = [], list(answers)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            asked.append((url.path, dict(parse_qsl(url.query)), dict(self.headers)))
            one = left.pop(0) if len(left) > 1 else left[0]
            status, headers, body = one if isinstance(one, tuple) else (200, {}, one)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield settings(f"http://127.0.0.1:{server.server_port}"), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings(url):
    """Return settings with a key of nobody's."""
    return AlpacaSettings(
        api_key_id=KEY, api_secret_key=SECRET, api_data_url=url, request_interval_seconds=0
    )
