"""Test a registered model on the bars on record, by the rules it would trade by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ops.commands.account import engine
from ops.commands.life import registry
from ops.commands.options import Fraction, Market
from ops.commands.printing import as_json, dump

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])


def _has_a_folder(
    _context: click.Context, _parameter: click.Parameter, page: Path | None
) -> Path | None:
    if page is not None and not page.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {page.absolute().parent}")
    return page


@click.command("backtest")
@click.argument("symbol", type=Market())
@click.option("--version", type=click.IntRange(1), help="Which version; else production's.")
@click.option("--from", "start", type=MOMENT, help="UTC; else where its training ended.")
@click.option("--to", "end", type=MOMENT, help="UTC; else where the record ends.")
@click.option("--cash", default=10_000.0, show_default=True, type=click.FloatRange(1, 1e9))
@click.option("--maker-fee", type=Fraction(), help="Else the account's, as the trader found it.")
@click.option("--taker-fee", type=Fraction(), help="The same.")
@click.option("--spread", type=Fraction(), help="Else as recorded with decisions, or assumed.")
@click.option("--slippage", type=Fraction(), help="Beyond the touch; else as fills have shown.")
@click.option(
    "--volume-share",
    type=Fraction(),
    default="0.1",
    show_default=True,
    help="The most of the next bar's volume that an order gets.",
)
@click.option("--despite-holes", is_flag=True, help="Go on where bars are missing.")
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_has_a_folder,
    help="Also write the page here.",
)
@click.option("--no-store", is_flag=True, help="Keep nothing in MLflow.")
@as_json
def backtest_command(
    symbol: str,
    *,
    version: int | None,
    page: Path | None,
    no_store: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Trade a registered model on recorded bars by the live rules, and report.

    Exit 1 if there is no such model, or too few bars or holes among them; what it earned
    decides nothing.
    """
    from ops.backtesting import gathering, keeping, playing, report

    client, opened = registry(), engine()
    found = gathering.find(opened, client, symbol, version)
    given = {name: _utc(value) for name, value in asked.items()}
    played = playing.play(opened, client, found, playing.Asked(**given))
    html = report.as_page(played)
    if page is not None:
        page.write_text(html)
    where = None if no_store else keeping.keep(client, played, html)
    if as_json:
        dump(report.as_json(played))
        return
    click.echo(f"{played.subject.title}\n{played.verdict}")
    for sentence in played.subject.sources:
        click.echo(f"  {sentence}")
    if where is not None:
        click.echo(f"In MLflow: {where} of run {found.run_id}")


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
