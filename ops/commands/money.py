"""Money: what trading has brought, and the order to sell what is held."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from ops.commands.account import because, engine, now, who
from ops.commands.options import Market
from ops.commands.printing import as_json, dump, show
from ops.errors import Refused
from ops.profit import profits
from trader import record
from trader.limits import FLATTEN, State, state_for


@click.command("pnl")
@click.argument("symbol", required=False, type=Market())
@as_json
def pnl_command(symbol: str | None, *, as_json: bool) -> None:
    """Show what trading has brought, by market and by day, from the ledger.

    What is held is worth the close of the last bar on record.
    """
    with Session(engine()) as session:
        found = profits(session, symbol)
    if as_json:
        dump(found)
        return
    days = [(market.symbol, day) for market in found for day in market.days]
    columns = {
        "day": lambda row: row[1].day,
        "market": lambda row: row[0],
        "trades": lambda row: row[1].trades,
        "realised": lambda row: round(row[1].realised, 4),
        "fees": lambda row: round(row[1].fees, 4),
        "net": lambda row: round(row[1].net, 4),
    }
    show(days, columns, empty="nothing has traded yet")
    if not found:
        return
    click.echo()
    totals = {
        "market": lambda row: row.symbol,
        "held": lambda row: row.quantity,
        "average": lambda row: row.average and round(row.average, 8),
        "mark": lambda row: row.mark,
        "marked": lambda row: row.marked_at,
        "realised": lambda row: round(row.realised, 4),
        "fees": lambda row: round(row.fees, 4),
        "unrealised": lambda row: None if row.unrealised is None else round(row.unrealised, 4),
        "net": lambda row: round(row.net, 4),
    }
    show(found, totals, empty="")


@click.command("flatten")
@because
def flatten_command(reason: str) -> None:
    """Sell everything the strategy holds, and let nothing be bought until somebody resumes.

    The trader does it, as its orders are worked; friday positions shows what is left.
    """
    with Session(engine()) as session, session.begin():
        record.halt(session, reason_code=FLATTEN, reason=reason, who=who(), at=now())
        others = [halt for halt in record.current_halts(session) if halt.reason_code != FLATTEN]
    if state_for(halt.reason_code for halt in others) is State.HALTED:
        raise Refused(
            f"noted, but nothing is sold while trading is halted: {others[0].reason}; "
            "friday resume lifts every halt, then flatten again"
        )
    click.echo("flattening: the trader sells what is held and buys nothing until friday resume")
