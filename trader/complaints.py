"""A malformed environment variable as one sentence that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ValidationError

# Settings class -> what its variables begin with; others name their variables in full.
PREFIXES = {
    "AlpacaSettings": "APCA_",
    "EndpointSettings": "TRADER_HTTP_",
    "ExchangeSettings": "KRAKEN_",
    "InfluxSettings": "INFLUXDB_",
    "KeySettings": "FRIDAY_",
    "KillSettings": "KRAKEN_KILL_",
    "PublicDataSettings": "KRAKEN_",
    "StackSettings": "FRIDAY_",
    "TraderSettings": "TRADER_",
}
WITHOUT_SECRETS = {"StackSettings", "TraderSettings"}


def complaint(error: ValidationError) -> str:
    """Say which variable is wrong, what was expected and, where it is no secret, what was found."""
    first = error.errors()[0]
    name = "".join(str(part) for part in first["loc"]).upper()
    prefix = PREFIXES.get(error.title, "")
    if not name.startswith(prefix):
        name = prefix + name
    if first["type"] == "missing":
        return f"{name} is not set"
    said = first["msg"].removeprefix("Value error, ")
    if name in said:
        return said
    found = f", not {first['input']!r}" if error.title in WITHOUT_SECRETS else ""
    return f"{name}: {said[0].lower()}{said[1:]}{found}"
