"""Everything the telemetry raises on purpose.

* TelemetryError
    * EndpointTaken          the address to answer HTTP on cannot be used
"""

from __future__ import annotations


class TelemetryError(Exception):
    """The root of every error this package raises on purpose."""


class EndpointTaken(TelemetryError):
    """The address to answer HTTP on cannot be used."""
