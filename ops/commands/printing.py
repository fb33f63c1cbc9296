"""Rows of the record as aligned text for people, or as JSON for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a table shows: a heading and how to read the cell off a row.
Columns = dict[str, Callable[[Any], Any]]
BREAK = re.compile(r"\s*[\t\n\v\f\r]\s*")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal would obey what they begin
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def show(rows: Sequence[Any], columns: Columns, *, empty: str) -> None:
    """Print rows as a table whose columns are as wide as they need to be."""
    if not rows:
        click.echo(empty)
        return
    table = [list(columns), *([text(value(row)) for value in columns.values()] for row in rows)]
    widths = [max(len(line[n]) for line in table) for n in range(len(columns))]
    for line in table:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def dump(value: Any) -> None:
    """Print a value as JSON; amounts and times as strings, exactly as they are."""
    # JSON has no word for a float that is no number, and Python writes one that nobody reads.
    told = json.loads(json.dumps(value, default=plain), parse_constant=lambda _word: None)
    click.echo(json.dumps(told, indent=2))


def text(value: Any) -> str:
    """Write a value as a person would, in one line and without commands to the terminal."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case Decimal():
            return f"{value.normalize():f}" if value else "0"
        case float():
            return f"{value:.4g}"
        case _:
            return CONTROL.sub(_harmless, BREAK.sub(" ", str(value)))


def _harmless(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does; amounts and times become strings."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return text(value) if isinstance(value, Decimal) else str(value)
