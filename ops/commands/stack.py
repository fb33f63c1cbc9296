"""The one-machine stack: start it, stop it, ask how it is."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import click
import psutil

from ops import environment
from ops.commands.printing import as_json, dump, show
from ops.errors import AnswerIsNo, NotRunning
from ops.home import Home, StackSettings

if TYPE_CHECKING:
    from ops.home import Stack

STOPS_WITHIN = 30.0


class Stopping:
    """Whether somebody asked this process to end."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # or it was started by nohup
            signal.signal(signal.SIGHUP, self._ask)

    def __call__(self) -> bool:
        """Return whether to stop."""
        return self.asked

    def _ask(self, *_signal: object) -> None:
        self.asked = True


@click.command("up")
@click.option("--exchange", type=click.Choice(["sandbox", "kraken"]), default="sandbox")
@click.option("--fresh", is_flag=True, help="Forget everything kept in FRIDAY_HOME first.")
@click.option("--no-trader", is_flag=True, help="Start everything but the trader.")
@click.option(
    "--speed",
    type=click.FloatRange(1, 1000),
    default=1.0,
    show_default=True,
    help="How much faster than ours the sandbox's clock runs.",
)
@click.option("--mlflow-port", type=click.IntRange(1, 65535), help="Instead of 5000.")
@click.option("--prefect-port", type=click.IntRange(1, 65535), help="Instead of 4200.")
@click.option("--sandbox-port", type=click.IntRange(1, 65535), help="Instead of 8790.")
def up_command(
    *, exchange: str, fresh: bool, no_trader: bool, speed: float, **ports: int | None
) -> None:
    """Start the whole stack here and keep it running until Ctrl-C.

    A second start continues where the first one stopped.
    """
    from ops import assembly
    from ops.first_models import FirstModels
    from ops.table import Board

    began, stopping = time.monotonic(), Stopping()
    home = Home.at(environment.home())
    _lock = home.lock()
    if fresh:
        assembly.clear(home)
    plan = assembly.prepare(home, _wishes(exchange, ports, speed=speed, trader=not no_trader))

    def story(prefect: Any) -> FirstModels:
        return FirstModels(
            prefect=prefect,
            mlflow=plan.mlflow,
            symbols=assembly.symbols(plan),
            going_on=lambda: not stopping(),
        )

    with Board("Gal-Friday") as board:
        supervisor = assembly.assemble(
            plan,
            board,
            trader=not no_trader,
            began=began,
            story=story if exchange == "sandbox" else None,
        )
        try:
            supervisor.run(stopping)
        finally:
            supervisor.stop()
    click.echo("everything is stopped")


@click.command("down")
def down_command() -> None:
    """Stop the stack that runs in FRIDAY_HOME, or end what a killed one left running."""
    home = Home(environment.home().resolve())
    process = home.supervisor()
    if process is None and home.read() is not None:
        _end_leftovers(home)
        return
    if process is None:
        raise _nothing_runs(home)
    try:
        process.terminate()
        process.wait(STOPS_WITHIN)
    except psutil.NoSuchProcess:
        pass  # it had ended by itself
    except psutil.TimeoutExpired:
        raise NotRunning(
            f"the stack was told to stop and still runs after {STOPS_WITHIN:.0f} s; "
            f"its process is {process.pid}"
        ) from None
    click.echo("everything is stopped")


@click.command("status")
@as_json
def status_command(*, as_json: bool) -> None:
    """Tell how the running stack is; exit 1 if a part of it is not healthy."""
    stack = _running(Home(environment.home().resolve()))
    if as_json:
        dump(stack)
    else:
        columns = {
            "name": lambda line: line.name,
            "address": lambda line: line.address,
            "state": lambda line: line.state,
            "memory": lambda line: _memory(line.pid),
            "what it is doing": lambda line: line.word,
        }
        show(stack.components, columns, empty="the stack is just starting")
    sick = [line.name for line in stack.components if line.state not in {"running", "done"}]
    if sick:
        raise AnswerIsNo(f"not healthy: {', '.join(sick)}")


@click.command("doctor")
@as_json
def doctor_command(*, as_json: bool) -> None:
    """Check what the stack needs, whether it runs or not; exit 1 if something is wrong."""
    from ops import doctor

    findings = doctor.examine(Home.at(environment.home()), StackSettings())
    if as_json:
        dump(findings)
    else:
        columns = {
            "": lambda finding: "ok" if finding.good else "wrong",
            "what": lambda finding: finding.what,
            "found": lambda finding: finding.found,
        }
        show(findings, columns, empty="nothing was examined")
    if not all(finding.good for finding in findings):
        raise AnswerIsNo("something is wrong; the lines above say what was expected")


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the database of a demo that went well, too.")
@click.option(
    "--speed",
    type=click.FloatRange(1, 1000),
    default=20.0,
    show_default=True,
    help="How much faster than ours the sandbox's clock runs.",
)
def demo_command(*, keep: bool, speed: float) -> None:
    """Run one whole round in a folder of its own, print what happened, and end.

    Logs, artifacts and the summary stay in FRIDAY_HOME/demo-<time>; the database goes,
    unless the demo failed or --keep is given.
    """
    from ops import demo

    demo.run(environment.home(), Stopping(), speed=speed, keep=keep)


def _wishes(exchange: str, given: dict[str, int | None], *, speed: float, trader: bool) -> Any:
    from ops.assembly import Wishes

    settings = StackSettings()
    return Wishes(
        database=os.environ.get("DATABASE_URL") or None,
        exchange=exchange,
        trader=trader,
        speed=speed,
        mlflow_port=given["mlflow_port"] or settings.mlflow_port,
        prefect_port=given["prefect_port"] or settings.prefect_port,
        sandbox_port=given["sandbox_port"] or settings.sandbox_port,
    )


def _running(home: Home) -> Stack:
    stack = home.read()
    if stack is None:
        raise _nothing_runs(home)
    if home.supervisor() is None:
        raise NotRunning(
            f"the stack in {home.path} was killed, and what it had started may go on; "
            "friday down ends that, friday up starts anew"
        )
    return stack


def _nothing_runs(home: Home) -> NotRunning:
    return NotRunning(f"no stack runs in {home.path}; friday up starts one")


def _end_leftovers(home: Home) -> None:
    from ops import postgres
    from ops.stack import clean_up

    _lock = home.lock()
    ended = clean_up(home)
    if (server := postgres.find(home.postgres)) is not None:
        server.stop()
    click.echo(f"ended {ended} processes that a killed stack had left, and its PostgreSQL")


def _memory(pid: int | None) -> str:
    if pid is None:
        return "-"
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        used = sum(_bytes(member) for member in family)
    except psutil.Error:
        return "-"
    return f"{used / 1024**2:.0f} MiB"


def _bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):  # no PSS outside Linux, or a stranger's process
        return int(process.memory_info().rss)
