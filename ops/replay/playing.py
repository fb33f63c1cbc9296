"""Let a trader live its recorded life again, on a record of its own, and compare the decisions."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ops.replay.comparison import Comparison, compare, decisions
from ops.replay.others import Others
from ops.replay.scratch import scratch
from ops.replay.tape import Diverged, RecordAway, TapeEnded
from ops.replay.world import Player
from sql.lease import Lease
from telemetry.points import InfluxSettings, Telemetry
from trader import start
from trader.settings import ExchangeSettings, TraderSettings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ops.replay.tape import Life
    from trader.live import Trader

NOWHERE = "http://127.0.0.1:9"  # nothing is ever sent there: the recording answers
KEY, SECRET = SecretStr("replay"), SecretStr("cmVwbGF5")  # they sign what is never sent
BEGINNING = datetime.min.replace(tzinfo=UTC)


def replay(life: Life, record: Engine, since: datetime, until: datetime) -> Comparison:
    """Play a life again and compare what was decided between two times of the exchange.

    Args:
        life: The recording; it is played from its beginning in any case.
        record: The record, which is only read.
        since: The first time that counts.
        until: The last.

    Raises:
        CannotStart: There is no room for a record of the replay's own.
    """
    began = max(since, life.began() or since)
    with scratch(record.url, life.folder / "record") as engine:
        seeded = decisions(engine, began, until)
        played = Replay(life, until)
        played.play(engine, Others.of(record, life, engine))
        end = min(until, played.reached)
        theirs = decisions(engine, began, end)
    ours = decisions(record, began, end)
    for name in seeded:
        ours.pop(name, None)
        theirs.pop(name, None)
    found = compare(ours, theirs)
    return replace(found, difference=found.difference or played.diverged, remark=played.remark)


@dataclass(slots=True)
class Replay:
    """One life played again; `reached` is the exchange's time up to which it went."""

    life: Life
    until: datetime
    reached: datetime = BEGINNING
    diverged: str | None = None
    remark: str | None = None

    def play(self, engine: Engine, others: Others) -> None:
        """Play the life on a record that holds its beginning."""
        known, tape = self.life.known(), self.life.tape()
        player = Player(tape, self.life.folder)
        with TemporaryDirectory() as folder:
            outage = Path(folder) / "outage.jsonl"
            if (self.life.folder / "outage.jsonl").exists():
                shutil.copy(self.life.folder / "outage.jsonl", outage)
            settings = TraderSettings.model_validate(
                known["settings"] | {"outage_file": outage, "recording": None}
            )
            exchange = ExchangeSettings(
                rest_url=NOWHERE,
                api_key=KEY if known["has_key"] else None,
                api_secret=SECRET if known["has_key"] else None,
                request_interval_seconds=known["request_interval_seconds"],
            )
            lease = Lease(engine, settings.account)
            try:
                # What the trader had to say was said when it happened.
                with redirect_stderr(io.StringIO()):
                    trader = start.assemble(
                        engine,
                        lease,
                        Telemetry(InfluxSettings(url=None)),
                        settings,
                        exchange,
                        world=player.world(),
                    )
                    streams = start.open_streams(trader, exchange)
                    player.streams = dict(zip(("public", "private"), streams, strict=True))
                    self._live(trader, player, others)
            except RecordAway:
                self.remark = f"PostgreSQL was away at {self.reached:%F %T}: the rest is left out"
            except TapeEnded:
                pass
            except Diverged as diverged:
                self.diverged = str(diverged)
            finally:
                lease.release()

    def _live(self, trader: Trader, player: Player, others: Others) -> None:
        tape = player.tape
        try:
            for event in player.events():
                now = tape.upcoming()
                others.tell(now, trader.clock.now(now))
                trader.turn(event)
                self.reached = trader.clock.now(tape.now)
                if self.reached > self.until:
                    return
        except Diverged:
            # What was decided in this turn is the difference that led to it.
            self.reached = trader.clock.now(tape.now)
            raise
