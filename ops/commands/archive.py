"""Move old market data out of the database, into files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops import progress
from ops.commands.account import engine
from ops.commands.printing import as_json, dump, show
from ops.errors import AnswerIsNo

if TYPE_CHECKING:
    from market.archive import Archived

MONTHS = click.IntRange(1, 1_200)


@click.command("archive")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--keep-months",
    required=True,
    type=MONTHS,
    help="How many whole months before the newest row's stay in the database.",
)
@click.option(
    "--table",
    default="price_bars",
    show_default=True,
    type=click.Choice(["price_bars", "option_quotes"]),
    help="Which table of the schema market.",
)
@as_json
def archive_command(folder: Path, keep_months: int, table: str, *, as_json: bool) -> None:
    r"""Write old months of market data into Parquet files, and drop them from the database.

    \b
    A month is dropped only when its file was read back and is equal. Run it again if it was
    killed; friday import parquet brings a month back.
    """
    from market import archive

    database, done = engine(), []
    old = archive.old_months(database, table, keep_months)
    with progress.shown(f"archiving {table}", len(old)) as tell:
        for number, month in enumerate(old, start=1):
            done.append(archive.archive(database, folder, table, month))
            tell(number)
    _show(done, as_json=as_json)
    if left := [one.path.name for one in done if not one.dropped]:
        raise AnswerIsNo(
            f"written, but not dropped since the table was in use: {', '.join(left)}; run it again"
        )


def _show(done: list[Archived], *, as_json: bool) -> None:
    if as_json:
        dump([{"file": str(one.path), "rows": one.rows, "dropped": one.dropped} for one in done])
        return
    columns = {
        "file": lambda one: one.path.name,
        "rows": lambda one: one.rows,
        "dropped": lambda one: "yes" if one.dropped else "no",
    }
    show(done, columns, empty="no month is that old")
