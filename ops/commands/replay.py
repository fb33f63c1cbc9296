"""A recorded time played again: would the same trader decide the same?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from ops.commands.account import engine
from ops.commands.printing import as_json, dump
from ops.errors import AnswerIsNo
from ops.replay.comparison import Comparison

ALWAYS = datetime(1970, 1, 1), datetime(9998, 1, 1)  # noqa: DTZ001 - click's times have no zone
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


@click.command("replay")
@click.argument(
    "folder",
    envvar="TRADER_RECORDING",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--from", "since", type=click.DateTime(FORMATS), default=ALWAYS[0], help="UTC.")
@click.option("--to", "until", type=click.DateTime(FORMATS), default=ALWAYS[1], help="UTC.")
@as_json
def replay_command(folder: Path, since: datetime, until: datetime, *, as_json: bool) -> None:
    r"""Let the trader live a recorded time again, and compare every decision with the record.

    \b
    FOLDER is what TRADER_RECORDING was; times are the exchange's. Nothing is sent
    anywhere, and the record is only read.
    """
    from ops.replay.playing import replay
    from ops.replay.tape import lives

    first, last = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    record, found = engine(), Comparison()
    for life in lives(folder, first, last):
        click.echo(f"  playing {life.folder.name}", err=True)
        found += replay(life, record, first, last)
    if found.remark is not None:
        click.echo(found.remark, err=True)
    if as_json:
        dump(found)
    else:
        click.echo(
            f"{found.compared} decisions with {found.orders} orders compared, "
            f"{found.equal} of them equal to the last bit"
        )
    if found.difference is not None:
        raise AnswerIsNo(found.difference)
    if not found.compared:
        raise AnswerIsNo("nothing was decided in that time")
