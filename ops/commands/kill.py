"""The kill switch on the command line: cancel everything and halt, now or when it must be."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from ops import kill
from ops.commands.account import because, who
from sql.database import DatabaseSettings, limit_waiting, open_engine
from sql.errors import DatabaseError
from trader.exchange import Exchange

if TYPE_CHECKING:
    from sqlalchemy import Engine


def _address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    try:
        found = urlsplit(value or "http://nowhere")
    except ValueError:
        found = urlsplit("")
    if found.scheme not in {"http", "https"} or not found.hostname:
        raise click.BadParameter(
            "expected an address such as http://127.0.0.1:9464/health; "
            "a trader that cannot be asked would seem unwell"
        )
    return value


@click.command("kill")
@because
@click.option(
    "--watch",
    metavar="URL",
    callback=_address,
    help="Wait until the trader at this /health is not well.",
)
@click.option(
    "--silence",
    default=15.0,
    show_default=True,
    type=click.FloatRange(1, 3_600),
    help="Seconds that a watched trader may be unwell.",
)
def kill_command(reason: str, watch: str | None, silence: float) -> None:
    """Cancel every open order with a key that may only cancel, and halt the trader."""
    exchange = Exchange(kill.KillSettings().exchange())
    if watch is not None:
        click.echo(f"watching {watch}")
        reason = f"{reason}: {kill.watch(watch, silence, time.monotonic, time.sleep)}"
        click.echo(reason)
    limit_waiting(kill.PATIENCE)
    halted = kill.halt(_record(), reason, who(), datetime.now(UTC))
    cancelled = kill.cancel_everything(exchange, time.sleep)
    click.echo(f"cancelled {cancelled} orders; nothing is open")
    click.echo("trading is halted" if halted else "THE TRADER IS NOT HALTED: end it by hand")


def _record() -> Engine | None:
    try:
        return open_engine(DatabaseSettings(), pool_size=1)
    except ValidationError:
        return None
    except DatabaseError as error:
        click.echo(f"the record is away: {error}", err=True)
        return None
