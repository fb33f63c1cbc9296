"""Single processes: the schema's migration, the sandbox exchange, the live trader."""

from __future__ import annotations

import os
import sys

import click

from sql.database import DatabaseSettings, migrate, open_engine


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database's schema to the version this code expects."""
    migrate(open_engine(DatabaseSettings()))
    click.echo("the schema is up to date")


@click.command(
    "sandbox",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox_command(arguments: tuple[str, ...]) -> None:
    """Run the sandbox exchange alone; --help lists its options."""
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *arguments])  # noqa: S606 - itself


@click.command("trade")
@click.option("--standby", is_flag=True, help="Wait until the live trader is gone, then take over.")
def trade_command(*, standby: bool) -> None:
    """Run the live trader until Ctrl-C or SIGTERM."""
    options = ["--standby"] if standby else []
    os.execv(sys.executable, [sys.executable, "-m", "trader", *options])  # noqa: S606 - itself
