"""Points reach InfluxDB in its own line protocol, and its absence costs nothing."""

import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from waiting import until

from telemetry.points import CAPACITY, InfluxSettings, Telemetry

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def database():
    """Run a server that keeps what is written to it, as InfluxDB's write interface takes it."""
    lines, asked = [], []

    class Write(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            refused = self.path.startswith("/late") and not asked
            asked.append(self.path)
            lines.extend([] if refused else body.decode().splitlines())
            self.send_response(503 if refused else 204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Write)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", lines
    server.shutdown()
    server.server_close()


def test_a_point_arrives_with_its_tags_fields_and_time(database):
    url, lines = database
    telemetry = Telemetry(InfluxSettings(url=url))

    telemetry.point("quote", {"symbol": "XRP/USD"}, {"bid": 2.0, "ask": 2.1}, NOON)
    telemetry.close()

    assert lines == ["quote,symbol=XRP/USD ask=2.1,bid=2 1767268800000000000"]
    assert b'friday_points_total{fate="delivered"} 1.0' in telemetry.metrics.text()


def test_a_database_that_is_away_neither_blocks_nor_raises():
    telemetry = Telemetry(InfluxSettings(url="http://127.0.0.1:1"))
    began = time.monotonic()

    for _ in range(CAPACITY + 5):
        telemetry.point("quote", {"symbol": "XRP/USD"}, {"bid": 2.0}, NOON)

    assert time.monotonic() - began < 1
    assert b'friday_points_total{fate="dropped"} 5.0' in telemetry.metrics.text()
    telemetry.close()


def test_what_a_database_refused_is_delivered_when_it_takes_it(database):
    url, lines = database
    telemetry = Telemetry(InfluxSettings(url=f"{url}/late"))

    telemetry.point("quote", {"symbol": "XRP/USD"}, {"bid": 2.0}, NOON)
    until(lambda: lines == ["quote,symbol=XRP/USD bid=2 1767268800000000000"], 20, "delivery")

    telemetry.close()
    assert b'fate="dropped"' not in telemetry.metrics.text()


def test_without_a_url_nothing_is_opened_and_nothing_missing():
    telemetry = Telemetry(InfluxSettings(url=None))

    telemetry.point("quote", {}, {"bid": 2.0}, NOON)
    telemetry.close()

    assert b"friday_points_total{" not in telemetry.metrics.text()
