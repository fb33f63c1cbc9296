"""The account: what was ordered and traded, why, and whether trading may go on."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from sqlalchemy.orm import Session

from ops.commands import explaining
from ops.commands.options import Market
from ops.commands.printing import as_json, dump, show, text
from ops.errors import AnswerIsNo, Refused
from sql import explanation, reads
from sql.database import DatabaseSettings, check_schema, open_engine
from trader import record

if TYPE_CHECKING:
    from sqlalchemy import Engine

latest = click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many, newest first.",
)
market = click.option("--symbol", type=Market(), help="Only this market, such as XRP/USD.")


def _said(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("a reason in words is expected, not a blank")
    return value


because = click.option("--reason", required=True, callback=_said, help="Why; it stays on record.")


def who() -> str:
    """Name the person at the command line, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name belongs to this user, as in many containers
        return f"uid {os.getuid()}"


def engine() -> Engine:
    """Open the record, and refuse one that this code does not understand."""
    opened = open_engine(DatabaseSettings())
    check_schema(opened)
    return opened


@click.command("orders")
@market
@latest
@as_json
def orders_command(symbol: str | None, limit: int, *, as_json: bool) -> None:
    """List orders with the reason each was sent."""
    with Session(engine()) as session:
        rows = reads.orders(session, symbol=symbol, limit=limit)
    if as_json:
        dump(rows)
        return
    columns = {
        "created": lambda row: row.created_at,
        "order": lambda row: row.id[:12],
        "market": lambda row: row.symbol,
        "side": lambda row: row.side,
        "quantity": lambda row: row.quantity,
        "limit": lambda row: row.limit,
        "status": lambda row: row.status,
        "filled": lambda row: row.filled,
        "average": lambda row: row.average,
        "reason": lambda row: row.reason_code,
    }
    show(rows, columns, empty="no order was ever written down")


@click.command("fills")
@market
@latest
@as_json
def fills_command(symbol: str | None, limit: int, *, as_json: bool) -> None:
    """List what traded."""
    with Session(engine()) as session:
        rows = reads.fills(session, symbol=symbol, limit=limit)
    if as_json:
        dump(rows)
        return
    columns = {
        "at": lambda row: row.at,
        "trade": lambda row: row.exec_id,
        "order": lambda row: row.order_id[:12],
        "market": lambda row: row.symbol,
        "side": lambda row: row.side,
        "quantity": lambda row: row.quantity,
        "price": lambda row: row.price,
        "cost": lambda row: row.cost,
        "fee": lambda row: row.fee,
    }
    show(rows, columns, empty="nothing has traded yet")


@click.command("positions")
@as_json
def positions_command(*, as_json: bool) -> None:
    """Show what our trades amount to, and what the ledger says we have."""
    with Session(engine()) as session:
        rows, balances = reads.positions(session), reads.balances(session)
    if as_json:
        dump({"positions": rows, "balances": balances})
        return
    columns = {
        "market": lambda row: row.symbol,
        "held": lambda row: row.quantity,
        "bought": lambda row: row.bought,
        "sold": lambda row: row.sold,
        "fees": lambda row: row.fees,
        "net cash": lambda row: row.net_cash,
        "trades": lambda row: row.trades,
        "last": lambda row: row.last_at,
    }
    show(rows, columns, empty="nothing has traded yet")
    click.echo()
    assets = {"asset": lambda row: row.asset, "balance": lambda row: row.amount}
    show(balances, assets, empty="the ledger is empty: no trader has started yet")


@click.command("why")
@click.argument("order")
@as_json
def why_command(order: str, *, as_json: bool) -> None:
    r"""Explain an order: decision, model, promotion, evidence, fills and ledger lines.

    \b
    ORDER is our id or the start of it, or the exchange's.
    """
    with Session(engine()) as session:
        chain = explanation.why(session, order)
    if chain is None:
        raise AnswerIsNo(f"no order is known under {order}; friday orders lists them")
    if as_json:
        dump(chain)
    else:
        click.echo(explaining.page(chain))


@click.command("reconcile")
@click.option("--accept", is_flag=True, help="Book what is unexplained, with --reason.")
@click.option("--reason", callback=_said, help="Why it is right, such as: a deposit.")
@as_json
def reconcile_command(*, accept: bool, reason: str | None, as_json: bool) -> None:
    r"""Compare our record with the exchange's and mend what news explains; halt on the rest.

    \b
    A deposit, a withdrawal or a trade by hand is news that nobody told us: look at it,
    then book it with --accept --reason "...".
    """
    if accept != (reason is not None):
        raise click.UsageError("--accept and --reason go together")
    from trader import settlement
    from trader.exchange import Exchange
    from trader.settings import ExchangeSettings

    ours, exchange = engine(), Exchange(ExchangeSettings())
    if reason is not None:
        for asset, change in settlement.accept(ours, exchange, who=who(), reason=reason).items():
            click.echo(f"booked {text(change)} {asset}", err=as_json)
    outcome = settlement.reconcile(ours, exchange, trigger="command", who="friday reconcile")
    if as_json:
        dump(outcome)
    else:
        click.echo(outcome.reason)
    if not outcome.clean:
        raise AnswerIsNo(
            "the record and the exchange differ, and no news explains it: trading is halted"
        )


@click.command("halt")
@because
def halt_command(reason: str) -> None:
    """Stop trading until somebody resumes it; what rests on the book is cancelled."""
    with Session(engine()) as session, session.begin():
        record.halt(session, reason_code="command", reason=reason, who=who(), at=now())
    click.echo(
        "halted; from its next look at the record, within a second, the trader sends nothing and "
        "cancels what rests"
    )


@click.command("resume")
@because
def resume_command(reason: str) -> None:
    """Lift every standing halt; one that is raised meanwhile stands."""
    with Session(engine()) as session:
        with session.begin():
            lifted = record.resume(session, reason=reason, who=who(), at=now())
        standing = record.current_halts(session)
    for halt in lifted:
        click.echo(f"lifted: {halt.reason} ({halt.who}, {text(halt.at)})")
    if standing:
        raise Refused(f"trading stays halted, by what was raised meanwhile: {standing[0].reason}")
    if not lifted:
        raise AnswerIsNo("nothing was halted")


def now() -> datetime:
    """Return this machine's time, for the record."""
    return datetime.now(UTC)
