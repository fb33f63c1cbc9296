"""A person who halts, or has everything sold, and resumes a while later.

What they say goes into the record from another process; while PostgreSQL is away they try
again. Until they resume, no order may be given that the word does not allow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from market.instruments import Side
from ops.campaign.timeline import SECOND
from sql.tables import OrderRow
from trader import record
from trader.limits import FLATTEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.campaign.scenario import Word
    from ops.campaign.storage import Storage
    from ops.campaign.timeline import Timeline

AGAIN = 1.0  # seconds until somebody who did not reach the record tries again
WHO = "person"


@dataclass(slots=True, kw_only=True)
class Person:
    """Somebody at the commands, for one run."""

    timeline: Timeline
    storage: Storage
    word: Word | None
    said: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    before: set[str] = field(default_factory=set)

    @property
    def content(self) -> bool:
        """Whether nothing said is still to be taken back."""
        return self.word is None or self.said["resume"] > 0

    def begin(self) -> None:
        """Speak when it is time."""
        if self.word is not None:
            self.timeline.later(self.word.after, self._halt)

    def _halt(self) -> None:
        word = self.word
        assert word is not None
        if self._try_later(self._halt):
            return
        with Session(self.storage.beside) as session, session.begin():
            record.halt(session, reason_code=word.code, reason="to see", who=WHO, at=self._moment())
            self.before = set(session.scalars(select(OrderRow.id)))
        self._say(word.code)
        self.timeline.later(word.seconds, self._resume)

    def _resume(self) -> None:
        if self._try_later(self._resume):
            return
        with Session(self.storage.beside) as session, session.begin():
            others = [halt for halt in record.current_halts(session) if halt.who != WHO]
            self.wrong += [f"halted: {halt.reason_code}: {halt.reason}" for halt in others]
            self.wrong += self._disobeyed(session)
            record.resume(session, reason="seen", who=WHO, at=self._moment())
        self._say("resume")

    def _disobeyed(self, session: Session) -> list[str]:
        """Name the orders that were given in spite of the word; sales may follow `flatten`."""
        assert self.word is not None
        given = select(OrderRow.id, OrderRow.decision_id).where(OrderRow.id.not_in(self.before))
        if self.word.code == FLATTEN:
            given = given.where(OrderRow.side == Side.BUY)
        return [
            f"unexplained: {name} was decided on by {decision} after {self.word.code}"
            for name, decision in session.execute(given)
        ]

    def _say(self, word: str) -> None:
        self.said[word] += 1
        self.timeline.tell(f"a person says {word}")

    def _try_later(self, act: Callable[[], None]) -> bool:
        if self.storage.away:
            self.timeline.later(AGAIN, act)
        return self.storage.away

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.timeline.now / SECOND, UTC)
