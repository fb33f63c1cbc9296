"""Many runs, one after the other, and what they add up to."""

from __future__ import annotations

import gc
import io
import logging
import shutil
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ops import postgres
from ops.campaign import markets
from ops.campaign.run import Outcome, Run
from ops.campaign.scenario import CRASHES, LOSSES, draw
from ops.campaign.storage import Storage
from sql.database import DatabaseSettings, migrate, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
DATABASE = "campaign"
COMPACT_EVERY = 200
POINTS = {point for point, _, _ in CRASHES} | {*LOSSES}
COUNTS = ("faults", "killed", "losses", "deaths", "ends", "said", "orders", "parts")


@dataclass(slots=True, kw_only=True)
class Result:
    """The sums over all runs, and the runs in which something was wrong, by their number."""

    runs: int = 0
    failed: dict[int, list[str]] = field(default_factory=dict)
    simulated: float = 0.0
    took: float = 0.0
    passed: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in COUNTS}
    )
    runs_with: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in COUNTS}
    )

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one more run."""
        self.runs += 1
        self.simulated += outcome.seconds
        self.passed.update(outcome.passed)
        if outcome.wrong:
            self.failed[number] = outcome.wrong
        for name in COUNTS:
            counter: Counter[str] = getattr(outcome, name)
            self.counts[name].update(counter)
            self.runs_with[name].update(kind for kind, count in counter.items() if count)

    @property
    def unreached(self) -> list[str]:
        """The points at which something may be drawn to happen, and that no run ever passed."""
        return sorted(POINTS - self.passed.keys())

    def wrong(self, word: str) -> int:
        """Count the sentences about what went wrong that begin with a word."""
        return sum(line.startswith(word) for lines in self.failed.values() for line in lines)


@contextmanager
def own_storage() -> Iterator[Storage]:
    """Run a PostgreSQL of the campaign's own and give its database."""
    folder = Path(tempfile.mkdtemp(prefix="friday-faults-"))
    folder.chmod(0o755)
    running = None
    try:
        running = postgres.start(folder / "postgres", settings=QUICK)
        postgres.create_databases(running, (DATABASE,))
        engine = open_engine(DatabaseSettings(DATABASE_URL=running.url(DATABASE)))
        migrate(engine)
        engine.dispose()
        markets.write(folder)
        storage = Storage(running.url(DATABASE), folder)
        try:
            yield storage
        finally:
            storage.dispose()
    finally:
        if running is not None:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def play(storage: Storage, seed: int, number: int) -> Outcome:
    """Play one run of a campaign."""
    logging.getLogger("sandbox").setLevel(logging.ERROR)
    state = storage.folder / f"{number}.sqlite"
    try:
        with redirect_stderr(io.StringIO()):  # what the trader says for people to read in its log
            return Run(draw(seed, number), storage, storage.folder, state).play()
    finally:
        for left in storage.folder.glob(f"{state.stem}.*"):
            left.unlink()


def campaign(
    storage: Storage,
    seed: int,
    runs: int,
    *,
    stop_at_first: bool = False,
    progress: Callable[[Result], None] | None = None,
) -> Result:
    """Play runs 0 up to `runs`, and add them up."""
    result, began = Result(), time.monotonic()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    for number in range(runs):
        result.add(number, play(storage, seed, number))
        result.took = time.monotonic() - began
        if progress is not None:
            progress(result)
        if result.failed and stop_at_first:
            break
        if number % COMPACT_EVERY == COMPACT_EVERY - 1:
            storage.compact()
    return result
