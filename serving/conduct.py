"""Whether a model behaves while it trades: it answers, in time, and not with nonsense.

A version that passed every check before it was taken up can still fail on rows that nobody
had tried. What is judged here is one model's answers, in order; what follows from a fault is
decided elsewhere.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from registry.served import ServedModel

LOOKED_AT, AT_MOST = 5, 2  # of so many answers, so many may be slow, or all but certain
SAME = 240  # bars in a row that differ and may get one and the same score
# Serving keeps a probability this far from 0 and 1: at the edge it was cut, and no finite
# sample supports such a claim.
CERTAIN = 2e-6
# What arithmetic, XGBoost (whose error is a ValueError) and a broken object can raise.
FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said of a row, or why it could not, and the CPU seconds it took."""

    probability: float
    seconds: float
    error: str = ""


def ask(model: ServedModel, row: NDArray[np.float64]) -> Answer:
    """Let a model score a row, whatever it does then."""
    try:
        probability, seconds = model.timed(row)
    except FAILURES as error:
        cause = f"{error}".strip().splitlines() or [type(error).__name__]
        return Answer(probability=math.nan, seconds=0.0, error=cause[0])
    return Answer(probability=probability, seconds=seconds)


def _recent() -> deque[bool]:
    return deque(maxlen=LOOKED_AT)


@dataclass(slots=True)
class Conduct:
    """What one model did since it was taken up."""

    _slow: deque[bool] = field(default_factory=_recent)
    _certain: deque[bool] = field(default_factory=_recent)
    _last: tuple[float, NDArray[np.float64]] | None = None
    _same: int = 0

    def fault(self, answer: Answer, row: NDArray[np.float64], *, budget: float) -> str | None:
        """Take an answer in and say what is wrong with the model, if something is.

        Args:
            answer: What the model said.
            row: The features it was asked about, shape (n,).
            budget: CPU seconds that one answer may take.
        """
        if answer.error:
            return f"it cannot score: {answer.error}"
        if not 0 < answer.probability < 1:
            return f"its score is {answer.probability}, which is no probability"
        self._slow.append(answer.seconds > budget)
        self._certain.append(not CERTAIN < answer.probability < 1 - CERTAIN)
        self._compare(answer.probability, row)
        if sum(self._slow) > AT_MOST:
            return (
                f"it is slow: {sum(self._slow)} of its last {len(self._slow)} scores took more "
                f"than {1000 * budget:g} ms, the last {1000 * answer.seconds:.1f} ms"
            )
        if sum(self._certain) > AT_MOST:
            return f"it is all but certain of the future: its score is {answer.probability:.7f}"
        if self._same >= SAME:
            return f"its score was {answer.probability:.6f} on {self._same} different bars in a row"
        return None

    def _compare(self, probability: float, row: NDArray[np.float64]) -> None:
        before, self._last = self._last, (probability, row)
        if before is None or probability != before[0]:
            self._same = 1
        elif not np.array_equal(row, before[1], equal_nan=True):
            self._same += 1
