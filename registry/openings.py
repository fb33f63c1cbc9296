"""Every look at a hold-out on record: who looked, when, at which bars, and what was seen.

A hold-out is untouched only once. A look is a trial in the market's ledger, written down before
it is taken, so that one that broke off is counted, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import optuna

from registry.contract import model_name
from registry.studies import MARKET, open_storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optuna.trial import FrozenTrial

    from registry.settings import StudySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look: at the bars decided from `first` to `last`, by whom and in which run."""

    market: str
    first: datetime
    last: datetime
    data_hash: str
    who: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A look that has been written down.

    `number` counts the looks at exactly these bars, this one included; `overlapping` the
    earlier looks at a stretch that shares some of them. `seen` is the share of these bars that
    any of all those saw, and `most` how many of them saw one and the same bar.
    """

    look: Look
    at: datetime
    number: int
    overlapping: int
    seen: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the log; without a log loss the look broke off."""

    look: Look
    at: datetime
    log_loss: float | None


class Log:
    """The looks at one market's hold-outs."""

    def __init__(self, settings: StudySettings, market: str) -> None:
        self._market = market
        self._study = optuna.create_study(
            study_name=f"{model_name(market)}-hold-out",
            storage=open_storage(settings),
            load_if_exists=True,
        )
        self._study.set_user_attr(MARKET, market)
        self._trial: optuna.Trial | None = None

    def open(self, look: Look) -> Opening:
        """Write a look down before it is taken."""
        before = self.entries()
        same = [one for one in before if _span(one.look) == _span(look)]
        shared = [one for one in before if _share(one.look, look) and one not in same]
        seen, most = seen_before(look, [one.look for one in before])
        at = datetime.now(UTC)
        self._trial = self._study.ask()
        for name, value in _attributes(look, at).items():
            self._trial.set_user_attr(name, value)
        return Opening(
            look=look,
            at=at,
            number=len(same) + 1,
            overlapping=len(shared),
            seen=seen,
            most=most,
        )

    def close(self, log_loss: float) -> None:
        """Write down what was seen."""
        if self._trial is None:
            raise ValueError("no look was opened, so none can be closed")
        self._study.tell(self._trial, log_loss)

    def entries(self) -> list[Entry]:
        """Return every look ever begun, in order."""
        return [
            self._entry(trial)
            for trial in self._study.get_trials(deepcopy=False)
            if "at" in trial.user_attrs
        ]

    def _entry(self, trial: FrozenTrial) -> Entry:
        told = trial.user_attrs
        look = Look(
            market=self._market,
            first=datetime.fromisoformat(told["first"]),
            last=datetime.fromisoformat(told["last"]),
            data_hash=told["data_hash"],
            who=told["who"],
            run=told["run"],
        )
        return Entry(look=look, at=datetime.fromisoformat(told["at"]), log_loss=trial.value)


def seen_before(look: Look, earlier: Iterable[Look]) -> tuple[float, int]:
    """Return which share of a stretch earlier looks saw, and how many at most saw one moment."""
    spans = [(max(one.first, look.first), min(one.last, look.last)) for one in earlier]
    spans = [(first, last) for first, last in spans if first <= last]
    edges = sorted({look.first, look.last, *(edge for span in spans for edge in span)})
    if len(edges) == 1:  # one bar
        return float(bool(spans)), len(spans)
    seen, most = timedelta(0), 0
    for first, last in pairwise(edges):
        count = sum(span[0] <= first and last <= span[1] for span in spans)
        seen += (last - first) * bool(count)
        most = max(most, count)
    return seen / (look.last - look.first), most


def _attributes(look: Look, at: datetime) -> dict[str, str]:
    return {
        "first": look.first.isoformat(),
        "last": look.last.isoformat(),
        "data_hash": look.data_hash,
        "who": look.who,
        "run": look.run,
        # Last: only a look with its time on record is complete.
        "at": at.isoformat(),
    }


def _span(look: Look) -> tuple[datetime, datetime]:
    return look.first, look.last


def _share(one: Look, other: Look) -> bool:
    return one.first <= other.last and other.first <= one.last
