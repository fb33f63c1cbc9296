"""Commands for a sandbox that runs: what is going on, and faults on demand."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import click

from sandbox.instruments import ASSET_BY_ID
from sandbox.kinds import KINDS, SHORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TIMEOUT_SECONDS = 10
_direct = build_opener(ProxyHandler({}))
Body = dict[str, Any]


def _reached(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which sandbox is meant."""
    port = click.option(
        "--port",
        default=8765,
        show_default=True,
        type=click.IntRange(1, 65535),
        envvar="SANDBOX_PORT",
        help="Port the sandbox listens on.",
    )
    host = click.option(
        "--host", default="127.0.0.1", show_default=True, help="Address it listens on."
    )
    return port(host(command))


@click.command("show")
@_reached
@click.option(
    "--most", default=20, show_default=True, help="Longest list of orders, fills and strokes."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as /admin/state gives it.")
def show(host: str, port: int, most: int, *, as_json: bool) -> None:
    """Show accounts, open orders, fills, clients and faults of a running sandbox."""
    text = _ask(host, port, f"/admin/state?most={max(most, 0)}")
    click.echo(text if as_json else "\n".join(_pages(json.loads(text, parse_float=Decimal))))


@click.command("fault")
@click.argument("kind", required=False)
@click.argument("details", nargs=-1)
@_reached
def fault(kind: str | None, details: tuple[str, ...], host: str, port: int) -> None:
    """Ask a running sandbox for a fault: KIND, and any details such as times=3.

    Without KIND the kinds are listed.
    """
    if kind is None:
        rows = [(name, says) for name, says in KINDS.items()]
        rows += [(name, f"{form['kind']} with {_spelled(form)}") for name, form in SHORT.items()]
        click.echo("\n".join(_table(("kind", "what happens"), rows)))
        return
    form = {"kind": kind} | dict(_detail(each) for each in details)
    taken = json.loads(_ask(host, port, "/admin/faults", form))
    click.echo(f"{taken['id']} is asked for")


def _spelled(form: Body) -> str:
    return ", ".join(f"{name} {value}" for name, value in form.items() if name != "kind")


def _detail(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _ask(host: str, port: int, path: str, form: Body | None = None) -> str:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
    body = None if form is None else json.dumps(form).encode()
    try:
        with _direct.open(Request(url, data=body), timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode())
    except HTTPError as problem:
        click.echo(_reason(problem), err=True)
        sys.exit(2)
    except (OSError, ValueError) as problem:
        click.echo(f"no sandbox answers at {host} port {port}: {problem}", err=True)
        sys.exit(3)


def _reason(problem: HTTPError) -> str:
    try:
        return str(json.loads(problem.read())["error"])
    except (ValueError, KeyError, TypeError):
        return f"the sandbox answers {problem.code}"


def _pages(state: Body) -> Iterable[str]:
    clock = state["clock"]
    runs = "simulated clock" if clock["simulated"] else f"{float(clock['speed']):g} times real time"
    yield f"{state['time']}, {runs}, {state['mode']}"
    yield _market(state)
    prices = [(p["symbol"], p["bid"], p["ask"], p["last"]) for p in state["prices"]]
    yield from _part("prices", ("market", "bid", "ask", "last"), prices)
    yield from _part("accounts", ("account", "asset", "balance", "held"), _wallets(state))
    orders = [(o["account"], o["descr"]["order"], o["vol_exec"], t) for t, o in _rows(state)]
    title = f"open orders ({state['open_orders']})"
    yield from _part(title, ("account", "order", "filled", "id"), orders)
    names = ("time", "account", "symbol", "side", "volume", "price", "fee", "order")
    fills = [tuple(fill[name] for name in names) for fill in state["fills"]]
    yield from _part(f"last fills (of {state['trades']})", names, fills)
    heard = [
        (c["address"], c["door"], ", ".join(c["topics"]), c["sent"], f"{c['age']:.0f} s")
        for c in state["connections"]
    ]
    yield from _part("clients", ("from", "door", "hears", "sent", "for"), heard)
    yield from _faults(state["faults"])


def _market(state: Body) -> str:
    market, sums = state["market"], [amount for amount in state["sums"].values() if float(amount)]
    made = f", seed {market['seed']}, edge {float(market['edge']):g} basis points"
    books = "do not balance" if sums else "balance"
    return (
        f"market {market['source']}{made if market['source'] == 'synthetic' else ''};"
        f" limits {state['limits']}; the books {books}"
    )


def _rows(state: Body) -> Iterable[tuple[str, Body]]:
    return list(state["open"].items())


def _wallets(state: Body) -> list[tuple[Any, ...]]:
    return [
        (name, ASSET_BY_ID[asset].name, amount, state["holds"].get(name, {}).get(asset, ""))
        for name, assets in state["accounts"].items()
        for asset, amount in assets.items()
    ]


def _faults(faults: Body) -> Iterable[str]:
    waiting = [
        (f["id"], f["name"], _where(f), f["begins"], f["ends"] or "", f["struck"])
        for f in faults["waiting"]
    ]
    titles = ("id", "kind", "where", "from", "to", "struck")
    yield from _part("faults that wait", titles, waiting)
    struck = [
        (f"{s['id']}.{s['stroke']}", s["name"], s["time"], s["where"]) for s in faults["struck"]
    ]
    yield from _part(f"strokes (of {faults['strokes']})", ("id", "kind", "time", "where"), struck)


def _where(fault: Body) -> str:
    told = [fault[name] for name in ("method", "channel", "symbol") if fault[name]]
    return " ".join(told) or "anywhere"


def _part(title: str, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Iterable[str]:
    yield ""
    yield title
    yield from _table(names, rows) if rows else ["  none"]


def _table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    spelled = [tuple(_plain(each) for each in row) for row in [names, *rows]]
    widths = [max(map(len, column)) for column in zip(*spelled, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in spelled]


def _plain(value: object) -> str:
    """Spell a value so that nothing a client sent can move the terminal."""
    return "".join(each if each.isprintable() else "?" for each in str(value))
