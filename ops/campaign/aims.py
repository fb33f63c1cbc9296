"""What is drawn on purpose, because too few runs would otherwise put a rule to the test.

It comes out of a seed of its own, so that everything else that is drawn for a run stays what
it was before there was this.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

# Whether a fill is booked once shows only at an order that can still take it a second time, so
# fills are told twice where orders are large enough to be filled in several parts.
REPEATED, LARGE = 0.3, 5000
# Whether an order without an answer is taken for unknown shows only where there is one, and
# where nobody else has found out about it before it is missed.
UNANSWERED = 0.3
LOST = (
    {"kind": "drop_after"},
    {"kind": "truncated"},
    {"kind": "empty"},
    {"kind": "short"},
    {"kind": "status", "status": 520, "after": True},
    {"kind": "error", "text": "EService:Unavailable", "after": True},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Further faults of a run, and what must be so for them to tell anything.

    `least` is what its largest order must at least be allowed to be worth in USD; where it is
    `alone`, nobody reconciles between an order and its answer.
    """

    faults: tuple[dict[str, Any], ...]
    least: int
    alone: bool


def aim(seed: int, number: int) -> Aim:
    """Draw what is done on purpose in a run."""
    random = Random(f"{seed}/{number}/aims")
    repeats, unanswered = random.random() < REPEATED, random.random() < UNANSWERED
    skip, lost = random.choice((0, 0, 1)), random.choice(LOST)
    return Aim(
        faults=(
            *([{"kind": "repeated", "channel": "executions", "times": 0}] if repeats else []),
            *([lost | {"method": "AddOrder", "skip": skip}] if unanswered else []),
        ),
        least=LARGE if repeats else 0,
        alone=unanswered,
    )
