"""Start the live trader in order: settings, schema, lease, reconciliation, then trading.

Whatever is not as it must be stops the start with one sentence and an exit code.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from market.errors import ExchangeRefused, ExchangeUnreachable
from market.public_data import PublicData
from market.world import REAL, World
from registry.settings import ModelRegistrySettings
from serving.model_cache import ModelCache
from serving.models import ModelWatch, RegistryClient
from sql.database import DatabaseSettings, check_schema, limit_waiting, open_engine
from sql.errors import DatabaseError, LeaseLost, LeaseTaken
from sql.lease import Lease
from streams.clock import ExchangeClock
from streams.executions import ExecutionFeed
from streams.feed import Feed
from streams.stream import Stream
from telemetry import recording
from telemetry.endpoint import Answers, Endpoint, EndpointSettings
from telemetry.errors import EndpointTaken
from telemetry.points import InfluxSettings, Telemetry
from trader import record
from trader.complaints import complaint
from trader.desk import Desk
from trader.exchange import Exchange
from trader.live import Trader
from trader.outage import Outage
from trader.settings import ExchangeSettings, TraderSettings

if TYPE_CHECKING:
    from sqlalchemy import Engine

WRONG_USAGE, UNREACHABLE, REFUSED = 2, 3, 4
QUEUE_LIMIT = 100_000
UNWRITTEN = (
    "PostgreSQL does not answer: the trader opens nothing, what rests ends within a minute, and "
    "the halt is written down when the record is back"
)
RECORD_PATIENCE = 5.0  # seconds for one answer of PostgreSQL, after which it counts as away


def main(arguments: list[str] | None = None) -> int:
    """Run the trader until SIGTERM or SIGINT; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="friday trade", description=main.__doc__)
    parser.add_argument(
        "--standby", action="store_true", help="wait for the live trader to be gone, then take over"
    )
    try:
        _run(standby=parser.parse_args(arguments).standby)
    except ValidationError as error:
        return _fail(WRONG_USAGE, complaint(error))
    except (ExchangeRefused, LeaseTaken, LeaseLost) as error:
        return _fail(REFUSED, str(error))
    except (DatabaseError, ExchangeUnreachable, EndpointTaken) as error:
        return _fail(UNREACHABLE, str(error))
    except DBAPIError as error:
        return _fail(UNREACHABLE, f"PostgreSQL went away: {str(error.orig).splitlines()[0]}")
    return 0


def _run(*, standby: bool) -> None:
    settings, exchange_settings = TraderSettings(), ExchangeSettings()
    registry, influx = ModelRegistrySettings(), InfluxSettings()
    engine = open_engine(DatabaseSettings())
    check_schema(engine)
    lease = _lease(engine, settings.account, standby=standby)
    telemetry = Telemetry(influx)
    recorded = _begin_recording(engine, settings, exchange_settings)
    limit_waiting(RECORD_PATIENCE)  # from now on: a recording begins with a COPY
    try:
        trader = assemble(
            engine,
            lease,
            telemetry,
            settings,
            exchange_settings,
            world=REAL if recorded is None else recorded.world(),
        )
        streams = open_streams(trader, exchange_settings)
        watch = ModelWatch(
            RegistryClient(registry.tracking_uri),
            ModelCache(settings.model_cache),
            settings.markets,
            trader.events,
        )
        _trade(trader, [watch, *streams, *open_endpoint(trader)])
    finally:
        if recorded is not None:
            recorded.close()
        telemetry.close()
        lease.release()
        engine.dispose()


def _begin_recording(
    engine: Engine, settings: TraderSettings, exchange: ExchangeSettings
) -> recording.Recording | None:
    if settings.recording is None:
        return None
    told = {
        "settings": settings.model_dump(mode="json"),
        "request_interval_seconds": exchange.request_interval_seconds,
        "has_key": exchange.api_key is not None and exchange.api_secret is not None,
    }
    seconds, outage = settings.bar_seconds, settings.outage_file
    return recording.begin(engine, settings.recording, told, bar_seconds=seconds, outage=outage)


def _lease(engine: Engine, account: str, *, standby: bool) -> Lease:
    if not standby:
        return Lease(engine, account)
    sys.stderr.write(f"standing by for account {account!r}\n")
    lease = Lease.wait(engine, account, REAL.sleep)
    sys.stderr.write("the lease is free: taking over\n")
    return lease


def assemble(
    engine: Engine,
    lease: Lease,
    telemetry: Telemetry,
    settings: TraderSettings,
    exchange_settings: ExchangeSettings,
    *,
    world: World = REAL,
) -> Trader:
    """Build a trader whose record agrees with the exchange's, or is halted.

    Raises:
        ExchangeUnreachable: The exchange does not answer.
        ExchangeRefused: It does not let us ask, or does not trade a market.
    """
    asked = Exchange(exchange_settings, world=world)
    wall = datetime.fromtimestamp(world.witness(world.milliseconds()) / 1000, UTC)
    clock = ExchangeClock(asked.time(), world.monotonic(), wall)
    exchange = Exchange(exchange_settings, clock=lambda: clock.now(world.monotonic()), world=world)
    instruments = exchange.instruments(settings.followed)
    now = clock.now(world.monotonic())
    with Session(engine) as session, session.begin():
        record.record_instruments(session, instruments, now)
    trader = Trader(
        engine=engine,
        exchange=exchange,
        public_data=PublicData(exchange_settings, world=world),
        settings=settings,
        desks={
            i.symbol: Desk(i, settings.interval, traded=i.symbol in settings.markets)
            for i in instruments
        },
        clock=clock,
        lease=lease,
        telemetry=telemetry,
        events=world.queue(QUEUE_LIMIT),
        exchange_status=exchange.status(),
        outage=Outage(settings.outage_file),
        world=world,
    )
    trader.catch_up()
    trader.settle("start")
    return trader


def open_streams(trader: Trader, settings: ExchangeSettings) -> list[Stream]:
    """Make the public and the private stream of a trader; neither is started."""
    instruments = {symbol: desk.instrument for symbol, desk in trader.desks.items()}

    def make_public(heard: float) -> Feed:
        seen = {symbol: desk.builder.last_trade_id for symbol, desk in trader.desks.items()}
        known = {symbol: last for symbol, last in seen.items() if last is not None}
        return Feed(instruments, heard, trade_ids=trader.world.witness(known))

    def make_private(heard: float) -> ExecutionFeed:
        return ExecutionFeed(token=trader.exchange.websocket_token(), heard=heard)

    return [
        Stream("public", settings.public_ws_url, make_public, trader.events, world=trader.world),
        Stream("private", settings.private_ws_url, make_private, trader.events, world=trader.world),
    ]


def open_endpoint(trader: Trader) -> list[Endpoint]:
    """Make the trader's HTTP endpoint if a port is set; raises EndpointTaken."""
    settings = EndpointSettings()
    if settings.port is None:
        return []

    def halt(reason: str) -> str | None:
        try:
            with Session(trader.engine) as session, session.begin():
                record.halt(session, reason_code="http", reason=reason, who="http", at=trader.now())
        except SQLAlchemyError:
            trader.outage.ask(reason)
            return UNWRITTEN
        return None

    metrics = trader.telemetry.metrics
    return [Endpoint(settings, Answers(health=trader.health, metrics=metrics.text, halt=halt))]


def settle_memory() -> None:
    """Take what is there for permanent: to look through all of it for garbage takes 0.17 s."""
    gc.collect()
    gc.freeze()


def _trade(trader: Trader, threads: list[ModelWatch | Stream | Endpoint]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, trader.stop)
    for thread in threads:
        thread.start()
    settle_memory()
    try:
        trader.run()
    finally:
        for thread in threads:
            thread.stop()


def _fail(code: int, message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return code
