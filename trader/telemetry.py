"""Ticks and metrics to InfluxDB, where one is configured.

Writing never blocks the trading path and never raises: the client library batches in
a thread of its own, and what it cannot deliver is counted and dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from datetime import datetime


class InfluxSettings(BaseSettings):
    """Where ticks and metrics go; without a URL they go nowhere."""

    model_config = SettingsConfigDict(env_prefix="INFLUXDB_", hide_input_in_errors=True)

    url: str | None = None
    token: SecretStr = SecretStr("")
    org: str = "gal-friday"
    bucket: str = "gal-friday"


class Telemetry:
    """A sink of points; `dropped` counts those that never arrived."""

    def __init__(self, settings: InfluxSettings) -> None:
        self.dropped = 0
        self._bucket = settings.bucket
        self._client: Any = None
        self._write: Any = None
        if settings.url:
            self._open(settings, settings.url)

    def point(
        self, measurement: str, tags: dict[str, str], fields: dict[str, float], at: datetime
    ) -> None:
        """Hand over one point; returns at once."""
        if self._write is not None:
            self._write.write(
                bucket=self._bucket,
                record={"measurement": measurement, "tags": tags, "fields": fields, "time": at},
            )

    def close(self) -> None:
        """Deliver what is buffered, within the library's retry limits."""
        if self._write is not None:
            self._write.close()
            self._client.close()

    def _open(self, settings: InfluxSettings, url: str) -> None:
        # 56 MiB that a trader without InfluxDB does not need.
        from influxdb_client import InfluxDBClient, WriteOptions  # noqa: PLC0415

        self._client = InfluxDBClient(
            url=url, token=settings.token.get_secret_value(), org=settings.org
        )
        self._write = self._client.write_api(
            write_options=WriteOptions(
                batch_size=500,
                flush_interval=1_000,
                retry_interval=500,
                max_retries=3,
                max_retry_time=2_000,
            ),
            error_callback=self._count_dropped,
        )

    def _count_dropped(self, _target: Any, data: Any, _error: Any) -> None:
        self.dropped += str(data).count("\n") + 1
