"""Options that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime

import click

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
seconds = click.option(
    "--interval-seconds",
    default=60,
    show_default=True,
    type=click.IntRange(1, 86_400),
    help="The length of a bar.",
)


def _utc(
    _context: click.Context, _parameter: click.Parameter, value: datetime | None
) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


since = click.option(
    "--from", "start", type=click.DateTime(FORMATS), callback=_utc, help="From when on, UTC."
)
until = click.option(
    "--to", "end", type=click.DateTime(FORMATS), callback=_utc, help="Until when, UTC."
)
days = click.option(
    "--days",
    default=14,
    show_default=True,
    type=click.IntRange(1, 3_650),
    help="How far back, without --from.",
)
