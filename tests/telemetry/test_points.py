"""Points reach InfluxDB in its own line protocol, and its absence costs nothing."""

import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pydantic import ValidationError
from waiting import until

from telemetry.points import CAPACITY, InfluxSettings, Telemetry

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def database():
    """Run a server that keeps what is written to it, as InfluxDB's write interface takes it."""
    lines, asked = [], []

    class Write(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            refused = self.path.startswith("/late") and not asked
            wrong = "poison" in body
            asked.append(self.path)
            lines.extend([] if refused or wrong else body.splitlines())
            self.send_response(503 if refused else 400 if wrong else 204)
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


def test_points_that_the_database_calls_wrong_keep_no_others_waiting(database):
    url, lines = database
    telemetry = Telemetry(InfluxSettings(url=url))

    telemetry.point("poison", {}, {"bid": 2.0}, NOON)
    dropped = b'friday_points_total{fate="dropped"} 1.0'
    until(lambda: dropped in telemetry.metrics.text(), 30, "the wrong point's end")
    telemetry.point("quote", {}, {"bid": 2.0}, NOON)
    telemetry.close()

    assert lines == ["quote bid=2 1767268800000000000"]


def test_a_database_that_refuses_is_told_once_and_without_the_token(database, capfd):
    url, lines = database
    telemetry = Telemetry(InfluxSettings(url=f"{url}/late", token="a-token-nobody-may-see"))

    telemetry.point("quote", {}, {"bid": 2.0}, NOON)
    until(lambda: lines, 30, "delivery")
    telemetry.close()

    said = capfd.readouterr().err.splitlines()
    assert said == [
        "points for InfluxDB are not delivered: it answers 503 Service Unavailable",
        "points for InfluxDB are delivered again",
    ]


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValidationError, match="INFLUXDB_URL must be"):
        InfluxSettings(url=url)


@pytest.mark.parametrize("token", ["hidden\nword", "hidden\u2603word"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_told(token):
    with pytest.raises(ValidationError, match="INFLUXDB_TOKEN must be") as refused:
        InfluxSettings(token=token)

    assert "hidden" not in str(refused.value)


def test_the_line_end_of_a_file_is_no_part_of_a_token():
    assert InfluxSettings(token="word\n").token.get_secret_value() == "word"
