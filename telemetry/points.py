"""Numbers for others to look at: metrics for Prometheus, ticks for InfluxDB if configured.

Neither can hold up the trading path. Points for InfluxDB wait in a bounded queue that loses
its oldest when it is full, and counts them; a thread of its own delivers. That it cannot is
said once, and so is that it can again.
"""

from __future__ import annotations

import sys
from collections import deque
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from telemetry.metrics import Metrics

if TYPE_CHECKING:
    from datetime import datetime

CAPACITY = 10_000  # points; some minutes of quotes
BATCH = 1_000
FLUSH_EVERY = 1.0  # seconds
TIMEOUT = 2_000  # milliseconds
WRONG = frozenset({400, 413, 422})  # what InfluxDB answers to points that it never takes


class InfluxSettings(BaseSettings):
    """Where ticks and metrics go; without a URL they go nowhere."""

    model_config = SettingsConfigDict(env_prefix="INFLUXDB_", hide_input_in_errors=True)

    url: str | None = None
    token: SecretStr = SecretStr("")
    org: str = "gal-friday"
    bucket: str = "gal-friday"

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        try:
            found = urlsplit(value or "http://nowhere")
        except ValueError:
            found = urlsplit("")
        if found.scheme not in {"http", "https"} or not found.hostname:
            raise ValueError("INFLUXDB_URL must be like http://127.0.0.1:8086")
        return value

    @field_validator("token")
    @classmethod
    def _can_be_sent(cls, value: SecretStr) -> SecretStr:
        # One that cannot would be told whole by what refuses to send it.
        text = value.get_secret_value().strip()
        if not text.isascii() or not text.isprintable():
            raise ValueError("INFLUXDB_TOKEN must be what InfluxDB shows when a token is made")
        return SecretStr(text)


class Telemetry:
    """The metrics of one trader, and its points on their way to InfluxDB."""

    def __init__(self, settings: InfluxSettings) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._waiting: deque[dict[str, Any]] = deque()
        self._lock, self._closing = Lock(), Event()
        self._thread: Thread | None = None
        self._refused = False
        if settings.url:
            self._thread = Thread(target=self._deliver, name="influxdb", daemon=True)
            self._thread.start()

    def point(
        self, measurement: str, tags: dict[str, str], fields: dict[str, float], at: datetime
    ) -> None:
        """Queue one point; returns at once."""
        if self._thread is None:
            return
        record = {"measurement": measurement, "tags": tags, "fields": fields, "time": at}
        with self._lock:
            self._waiting.append(record)
            full = len(self._waiting) > CAPACITY
            if full:
                self._waiting.popleft()
        if full:
            self.metrics.points("dropped", 1)

    def close(self) -> None:
        """Try once to deliver what waits."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(2 * TIMEOUT / 1000)

    def _deliver(self) -> None:
        # 56 MiB that a trader without InfluxDB does not need.
        from influxdb_client import InfluxDBClient  # noqa: PLC0415 - as above
        from influxdb_client.client.write_api import SYNCHRONOUS  # noqa: PLC0415 - as above

        settings = self._settings
        with InfluxDBClient(
            url=str(settings.url),
            token=settings.token.get_secret_value(),
            org=settings.org,
            timeout=TIMEOUT,
        ) as client:
            api = client.write_api(write_options=SYNCHRONOUS)
            while not self._closing.wait(FLUSH_EVERY):
                self._flush(api)
            self._flush(api)

    def _flush(self, api: Any) -> None:
        from influxdb_client.rest import ApiException  # noqa: PLC0415 - as above
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - as above

        while self._waiting:
            with self._lock:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                api.write(bucket=self._settings.bucket, record=batch)
            except ApiException as error:
                self._tell(f"it answers {error.status} {error.reason}")
                if error.status not in WRONG:
                    self._put_back(batch)
                    return
                self.metrics.points("dropped", len(batch))
            except (HTTPError, OSError) as error:
                self._tell(type(error).__name__)
                self._put_back(batch)
                return
            else:
                self.metrics.points("delivered", len(batch))
                self._tell(None)

    def _tell(self, refusal: str | None) -> None:
        """Say it if points could be delivered before and cannot now, or the other way round."""
        if self._refused != (refusal is not None):
            self._refused = refusal is not None
            now = "are delivered again" if refusal is None else f"are not delivered: {refusal}"
            sys.stderr.write(f"points for InfluxDB {now}\n")

    def _put_back(self, batch: list[dict[str, Any]]) -> None:
        with self._lock:
            room = CAPACITY - len(self._waiting)
            kept = batch[-room:] if room > 0 else []
            self._waiting.extendleft(reversed(kept))
        if len(kept) < len(batch):
            self.metrics.points("dropped", len(batch) - len(kept))
