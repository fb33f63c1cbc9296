"""How far long work has come, on standard error: a bar in a terminal, a line a tenth elsewhere."""

from __future__ import annotations

import copy
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TENTHS = 10


class Briefly(logging.Formatter):
    """Says what another formatter says, without the traceback."""

    def __init__(self, whole: logging.Formatter) -> None:
        """Take the formatter that says all of it."""
        super().__init__()
        self._whole = whole

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy of the record, since other handlers tell the traceback."""
        brief = copy.copy(record)
        brief.exc_info = brief.exc_text = None
        return self._whole.format(brief)


def without_tracebacks() -> None:
    """Let a flow that runs here tell its failures in lines; Prefect keeps the tracebacks."""
    for handler in logging.getLogger().handlers:
        if handler.formatter is not None and not isinstance(handler.formatter, Briefly):
            handler.setFormatter(Briefly(handler.formatter))


@contextmanager
def shown(
    what: str, total: float, *, terminal: bool | None = None
) -> Iterator[Callable[[float], None]]:
    """Show the progress of one thing; call what it gives with how much of the total is done."""
    if sys.stderr.isatty() if terminal is None else terminal:
        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
        console = Console(stderr=True)
        with Progress(*columns, TimeRemainingColumn(), console=console) as drawn:
            task = drawn.add_task(what, total=total)
            yield lambda done: drawn.update(task, completed=done)
            drawn.update(task, completed=total)
    else:
        yield _lines(what, total)


def _lines(what: str, total: float) -> Callable[[float], None]:
    told = 0

    def tell(done: float) -> None:
        nonlocal told
        tenth = int(TENTHS * min(done, total) / total) if total else TENTHS
        if tenth > told:
            told = tenth
            click.echo(f"  {what}: {10 * tenth} %", err=True)

    return tell
