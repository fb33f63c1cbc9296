"""Weigh what was found and say whether a new model is wanted.

A feature's distribution moves with every change of volatility and proves nothing about
the model. Only lost performance (tier 1) asks for retraining, or predictions (tier 2) and
features (tier 3) that moved together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Kind(StrEnum):
    """What may have drifted."""

    PERFORMANCE = "performance"
    CALIBRATION = "calibration"
    PREDICTION = "prediction"
    FEATURE = "feature"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of drift: whether it could be tested, and whether it alarms."""

    kind: Kind
    testable: bool
    alarm: bool
    reason: str
    statistic: float | None = None
    threshold: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.alarm and not self.testable:
            raise ValueError(f"{self.kind}: what could not be tested cannot alarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a new model is wanted, and the sentence that says why."""

    retrain: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a drift check found; without a model or bars there are no findings.

    `repeated` says that this very window was checked before.
    """

    symbol: str
    reason: str
    retrain: bool = False
    repeated: bool = False
    version: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    findings: tuple[Finding, ...] = ()

    def markdown(self) -> str:
        """Tell the same to a person."""
        lines = [f"# {self.symbol}: {self.reason}", ""]
        if self.findings:
            lines += [f"Version {self.version}, {self.start} to {self.end}.", ""]
            lines += ["| what | alarm | found |", "|---|---|---|"]
            lines += [f"| {f.kind} | {_word(f)} | {f.reason} |" for f in self.findings]
        return "\n".join(lines) + "\n"

    def table(self) -> list[dict[str, Any]]:
        """Return one row a feature."""
        named = [finding for finding in self.findings if finding.kind is Kind.FEATURE]
        return [{"feature": name, **row} for f in named for name, row in f.detail.items()]


def judge(findings: Sequence[Finding]) -> Verdict:
    """Apply the rule of tiers: tier 1, or tier 2 and tier 3 together.

    A change of the target is told, and triggers nothing by itself.
    """
    alarming = {finding.kind: finding for finding in findings if finding.alarm}
    for kind in (Kind.PERFORMANCE, Kind.CALIBRATION):
        if kind in alarming:
            return Verdict(retrain=True, reason=f"retraining is wanted: {alarming[kind].reason}")
    if Kind.PREDICTION in alarming and Kind.FEATURE in alarming:
        return Verdict(
            retrain=True,
            reason="retraining is wanted: predictions and features moved together; "
            f"{alarming[Kind.FEATURE].reason}",
        )
    return Verdict(retrain=False, reason=_calm(findings, [str(kind) for kind in alarming]))


def _calm(findings: Sequence[Finding], alarming: list[str]) -> str:
    tested = [str(finding.kind) for finding in findings if finding.testable]
    if alarming:
        return f"no retraining: {' and '.join(alarming)} moved, which alone proves nothing"
    if not tested:
        return "no retraining: nothing could be tested yet"
    untested = len(findings) - len(tested)
    rest = f"; {untested} of {len(findings)} kinds not testable yet" if untested else ""
    return f"no retraining: no drift in {', '.join(tested)}{rest}"


def _word(finding: Finding) -> str:
    if not finding.testable:
        return "not testable"
    return "yes" if finding.alarm else "no"
