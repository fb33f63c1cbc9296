"""The friday command: parse, open, call, print; every failure is one sentence and a code.

0 done; 1 it ran and the answer is no; 2 wrong usage; 3 something it needs is
unreachable; 4 halted or refused by risk.
"""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from typing import NoReturn

import click
from httpx import HTTPError
from pydantic_core import ValidationError
from sqlalchemy.exc import DBAPIError

from market.errors import ExchangeRefused, ExchangeUnreachable, FileRefused, OtherHouse
from ops import environment
from ops.errors import FridayError
from registry.errors import RegistryError, RegistryUnreachable
from sql.errors import DatabaseError, LeaseLost, LeaseTaken, SeveralFound
from streams.errors import StreamError
from trader.complaints import complaint
from trader.errors import TraderError

# Command -> the module under ops.commands that has a function of that name. Modules are
# imported only when a command of theirs runs, so that `friday --help` is quick.
COMMANDS = {
    "up": "stack",
    "demo": "stack",
    "down": "stack",
    "status": "stack",
    "doctor": "stack",
    "migrate": "processes",
    "sandbox": "processes",
    "trade": "processes",
    "ingest": "ingest",
    "latest": "ingest",
    "options": "ingest",
    "import": "imports",
    "gaps": "gaps",
    "archive": "archive",
    "retrain": "life",
    "backtest": "backtest",
    "models": "life",
    "promote": "life",
    "rollback": "life",
    "history": "history",
    "drift": "life",
    "experiment": "life",
    "orders": "account",
    "fills": "account",
    "positions": "account",
    "pnl": "money",
    "why": "account",
    "reconcile": "account",
    "halt": "account",
    "resume": "account",
    "kill": "kill",
    "flatten": "money",
    "replay": "replay",
    "bench": "bench",
}
# Commands that take no running stack's environment: they make or end one, or run alone.
OF_THEIR_OWN = {"up", "demo", "down", "sandbox"}
NO, WRONG_USAGE, UNREACHABLE, REFUSED = 1, 2, 3, 4
# The first kind that an error is of counts.
EXIT_CODES: dict[type[Exception], int] = {
    ValidationError: WRONG_USAGE,
    FileRefused: WRONG_USAGE,
    OtherHouse: WRONG_USAGE,
    LeaseTaken: REFUSED,
    LeaseLost: REFUSED,
    SeveralFound: NO,
    DatabaseError: UNREACHABLE,
    ExchangeUnreachable: UNREACHABLE,
    RegistryUnreachable: UNREACHABLE,
    ExchangeRefused: REFUSED,
    StreamError: REFUSED,
    TraderError: REFUSED,
    RegistryError: NO,
    DBAPIError: UNREACHABLE,
    HTTPError: UNREACHABLE,
}


class Friday(click.Group):
    """The group of all commands, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table above."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"ops.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.command(cls=Friday, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gal-friday")
@click.pass_context
def cli(context: click.Context) -> None:
    """Retrain, judge, promote and trade, from one command.

    The commands that read or change a running stack find it in FRIDAY_HOME (.friday in
    the current folder if that is not set); variables that are set win.
    """
    if context.invoked_subcommand not in OF_THEIR_OWN:
        environment.adopt(environment.home())


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process with the code that says how it went."""
    words = sys.argv[1:] if arguments is None else arguments
    _refuse_bytes(words)
    try:
        outcome = cli.main(words, prog_name="friday", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except FridayError as error:
        _fail(error.exit_code, str(error))
    except OSError as error:
        _fail(UNREACHABLE, _system_sentence(error))
    except tuple(EXIT_CODES) as error:
        code = next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
        _fail(code, _sentence(error))
    sys.exit(outcome if isinstance(outcome, int) else 0)


def _refuse_bytes(words: list[str]) -> None:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            _fail(WRONG_USAGE, f"{word!a} is no text in UTF-8")


def _sentence(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error).strip().splitlines()[0]
    said = complaint(error)
    if said.endswith("is not set"):
        return f"{said}, and no stack runs in {environment.home()}; run friday up"
    return said


def _system_sentence(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk is full: {error.filename or environment.home()} could not be written"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _fail(code: int, message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
