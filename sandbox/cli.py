"""The command that starts the exchange."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import Any

import click

from sandbox import desk
from sandbox.errors import BadStart, StateLost
from sandbox.fees import TIERS
from sandbox.limits import TIERS as ALLOWANCES
from sandbox.opening import Settings, open_venue
from sandbox.server import bind
from sandbox.server import serve as serve_venue
from sandbox.tls import make_lock

YOUNG = 50_000, 20, 50  # objects, then rounds, until cycles, which are few, are searched for


@click.group(invoke_without_command=True, context_settings={"auto_envvar_prefix": "SANDBOX"})
@click.pass_context
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--tls-port",
    default=None,
    type=click.IntRange(0, 65535),
    help="Port for https and wss; 0 takes a free one.  [default: none]",
)
@click.option("--seed", default=7, show_default=True, help="Seed of the synthetic market.")
@click.option(
    "--market",
    default="synthetic",
    show_default=True,
    help="synthetic, replay:PATH, or mirror:URL of another exchange that speaks Kraken.",
)
@click.option(
    "--edge",
    default=150.0,
    show_default=True,
    type=click.FloatRange(0, 2000),
    help="Strength of the planted pattern in basis points; 0 removes it.",
)
@click.option(
    "--clock",
    default="real",
    show_default=True,
    type=click.Choice(["real", "simulated"]),
    help="Whether time passes by itself.",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 100_000),
    help="Seconds of the exchange in a second of the wall.",
)
@click.option(
    "--start", default=None, help="RFC 3339 time at which a new clock begins.  [default: now]"
)
@click.option(
    "--state",
    default=None,
    type=click.Path(dir_okay=False),
    help="File that keeps the exchange's state.  [default: memory]",
)
@click.option(
    "--fees",
    default=1,
    show_default=True,
    type=click.IntRange(1, len(TIERS)),
    help="Kraken's fee tier every account has at least.",
)
@click.option(
    "--pair-fees", is_flag=True, help="List the fees in AssetPairs, as Kraken did until 2026."
)
@click.option(
    "--balance",
    multiple=True,
    default=("USD=10000", "XRP=0", "DOGE=0"),
    show_default=True,
    help="Opening balance of a new account.",
)
@click.option(
    "--limits",
    default="off",
    show_default=True,
    type=click.Choice(["off", *ALLOWANCES]),
    help="Tier whose rate limits are enforced.",
)
@click.option(
    "--record",
    default=None,
    type=click.Path(dir_okay=False),
    help="File to which every call, message and event is added, without secrets.",
)
@click.option(
    "--faults",
    default=None,
    type=click.Path(dir_okay=False),
    help="JSON file with a list of faults, as /admin/faults takes them.",
)
def serve(context: click.Context, /, **options: Any) -> None:
    """Run a Kraken spot exchange on this machine.

    The first account's key and secret are read from KRAKEN_API_KEY and
    KRAKEN_API_SECRET; without them ask /admin/keys for a pair.
    """
    if context.invoked_subcommand is not None:
        return
    host, port, tls_port = (options.pop(name) for name in ("host", "port", "tls_port"))
    name, secret = (os.environ.get(f"KRAKEN_API_{part}", "") for part in ("KEY", "SECRET"))
    try:
        door = bind(host, port)
        tls_door = None if tls_port is None else bind(host, tls_port)
        venue = open_venue(Settings(key=name, secret=secret, **options))
        state = options["state"]
        lock = None if tls_door is None else make_lock(host, state and f"{state}.pem")
    except BadStart as problem:
        click.echo(str(problem), err=True)
        sys.exit(problem.code)

    def announce() -> None:
        for each, end in ((door, ""), (tls_door, "s")):
            if each is not None:
                where = f"{f'[{host}]' if ':' in host else host}:{each.getsockname()[1]}"
                click.echo(f"sandbox listens on http{end}://{where} and ws{end}://{where}/v2")

    gc.freeze()
    gc.set_threshold(*YOUNG)
    try:
        asyncio.run(serve_venue(venue, door, tls_door, lock, ready=announce))
    except StateLost as problem:
        click.echo(problem.text, err=True)
        raise


serve.add_command(desk.show)
serve.add_command(desk.fault)
