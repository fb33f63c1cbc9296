"""Say which of two forecasters is better, and whether that may be said yet.

Both score every bar (a shadow experiment), so the unit of evidence is the paired
difference in log loss, averaged over a block long enough that overlapping outcomes no
longer matter. A positive effect means that the treatment is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from experiments import sequential

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from experiments.planning import Terms

COMPLETE = 0.9
"""Share of a block's bars that both must have scored for the block to count."""

COVERAGE = 0.98
"""Share of scored bars that both must have scored for the comparison to be believed."""

UNBALANCED = 0.001
"""P-value of the missing scores below which the comparison is called lopsided."""


class Decision(StrEnum):
    """What should become of the treatment."""

    PROMOTE = "promote"
    KEEP = "keep"
    UNDECIDED = "undecided"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Both models' probabilities of a rise and what came of each bar, oldest first.

    Attributes:
        bars: Number of the bar since 1970, shape (n,), int64, increasing.
        control: Probability by the version in use; NaN where it gave none.
        treatment: Probability by the version on trial; NaN where it gave none.
        rose: 1.0 or 0.0; NaN where the outcome is not known yet.
    """

    bars: NDArray[np.int64]
    control: NDArray[np.float64]
    treatment: NDArray[np.float64]
    rose: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = {len(x) for x in (self.bars, self.control, self.treatment, self.rose)}
        if len(lengths) != 1 or (np.diff(self.bars) <= 0).any():
            raise ValueError("pairs need one row a bar, oldest first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Bars that both models scored, and those that only one did.

    Counted from the first bar that both scored, because a version is loaded some time
    after its experiment starts; from the first bar of all while there is none.

    Attributes:
        control_blocks: Blocks in which the control scored more bars alone than the treatment.
        treatment_blocks: The reverse.
    """

    both: int
    control_only: int
    treatment_only: int
    control_blocks: int
    treatment_blocks: int

    @property
    def share(self) -> float:
        """Bars scored by both among those scored at all."""
        scored = self.both + self.control_only + self.treatment_only
        return self.both / scored if scored else 1.0

    @property
    def p_value(self) -> float:
        """How likely so one-sided a gap is if both miss scores alike.

        By blocks: the bars of one outage are missed together, which proves no more than one.
        """
        missing = (self.control_blocks, self.treatment_blocks)
        return sequential.sample_ratio_p_value(missing, (0.5, 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What an experiment shows, and the sentence that says so.

    Attributes:
        effect: Mean log loss of the control minus the treatment's, a bar; None while
            nothing may be shown.
        low: Lower end of the confidence sequence.
        high: Upper end of the confidence sequence.
        p_value: Valid at any number of looks; once the planned units are over, of those since.
        exact_p_value: The betting cross-check on Brier scores; shown, never decisive.
    """

    decision: Decision
    reason: str
    units: int
    planned_units: int
    cap_units: int
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    exact_p_value: float | None
    coverage: Coverage


def analyse(pairs: Pairs, terms: Terms, *, burn_in: int = 10) -> Analysis:
    """Judge an experiment on the scores so far, at any time and any number of times.

    Only the first `cap_units` blocks count: beyond them the terms promised a verdict. Nor do
    those after the block that gave one, so that a late look finds what an earlier one would have.
    """
    coverage = cover(pairs, terms.block_bars)
    units = block_units(pairs, terms.block_bars)[: terms.cap_units]
    path = sequential.confidence_sequence(
        units, alpha=terms.alpha, aim=terms.planned_units, burn_in=burn_in
    )
    called = _called(path, terms)
    if called is not None:
        units, path = units[: called + 1], path.until(called + 1)
    decision, reason = _decide(coverage, path, terms, burn_in)
    shown = decision is not Decision.STOP and len(units) >= burn_in
    return Analysis(
        decision=decision,
        reason=reason,
        units=len(units),
        planned_units=terms.planned_units,
        cap_units=terms.cap_units,
        effect=float(path.mean[-1]) if shown else None,
        low=_finite(path.low[-1]) if shown else None,
        high=_finite(path.high[-1]) if shown else None,
        p_value=_p_value(units, terms, burn_in) if shown else None,
        exact_p_value=exact_p_value(pairs, terms.horizon_bars) if shown else None,
        coverage=coverage,
    )


def cover(pairs: Pairs, block_bars: int) -> Coverage:
    """Count the bars that both scored and those that only one did."""
    control, treatment = ~np.isnan(pairs.control), ~np.isnan(pairs.treatment)
    together = np.flatnonzero(control & treatment)
    since = slice(together[0] if len(together) else 0, None)
    ahead = control[since].astype(np.int64) - treatment[since]
    _, member = np.unique(pairs.bars[since] // block_bars, return_inverse=True)
    lead = np.bincount(member, weights=ahead)
    return Coverage(
        both=len(together),
        control_only=int((ahead > 0).sum()),
        treatment_only=int((ahead < 0).sum()),
        control_blocks=int((lead > 0).sum()),
        treatment_blocks=int((lead < 0).sum()),
    )


def block_units(pairs: Pairs, block_bars: int) -> NDArray[np.float64]:
    """Return the mean log-loss difference of every complete block, oldest first.

    Blocks begin at multiples of their length since 1970, whenever an experiment did, so
    two analyses cut time alike.
    """
    usable = ~np.isnan(pairs.control) & ~np.isnan(pairs.treatment) & ~np.isnan(pairs.rose)
    rose = pairs.rose[usable]
    difference = log_loss(pairs.control[usable], rose) - log_loss(pairs.treatment[usable], rose)
    blocks, member, bars = np.unique(
        pairs.bars[usable] // block_bars, return_inverse=True, return_counts=True
    )
    means = np.bincount(member, weights=difference, minlength=len(blocks)) / np.maximum(bars, 1)
    # A block still under way would change its value between two looks.
    over = (blocks + 1) * block_bars <= pairs.bars[usable].max(initial=-1) + 1
    return np.asarray(means[over & (bars >= COMPLETE * block_bars)])


def log_loss(probability: NDArray[np.float64], rose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the surprise of each outcome in nats; both of shape (n,)."""
    return -np.log(np.where(rose > 0, probability, 1 - probability))


def exact_p_value(pairs: Pairs, horizon_bars: int) -> float:
    """Return the smallest p-value of a bet on Brier differences, which needs no limit theorem.

    Only every `horizon_bars`-th bar is used: outcomes of those do not overlap.
    """
    apart = pairs.bars % horizon_bars == 0
    usable = apart & ~np.isnan(pairs.control) & ~np.isnan(pairs.treatment) & ~np.isnan(pairs.rose)
    rose = pairs.rose[usable]
    difference = (pairs.control[usable] - rose) ** 2 - (pairs.treatment[usable] - rose) ** 2
    if not len(difference):
        return 1.0
    return float(min(1.0, np.exp(-sequential.log_betting(difference, bound=1.0).max())))


def _decide(
    coverage: Coverage, path: sequential.Path, terms: Terms, burn_in: int
) -> tuple[Decision, str]:
    units = len(path.mean)
    if coverage.share < COVERAGE and coverage.p_value < UNBALANCED:
        return Decision.STOP, (
            f"the comparison is lopsided: {coverage.control_only} bars have a score from the "
            f"control only and {coverage.treatment_only} from the treatment only, over "
            f"{coverage.control_blocks + coverage.treatment_blocks} blocks, and {coverage.both} "
            "were scored by both, so no result is shown"
        )
    progress = f"{units} of {terms.planned_units} planned blocks of {terms.block_bars} bars"
    if units < burn_in:
        return Decision.UNDECIDED, f"{progress}; nothing is concluded before {burn_in}"
    shown = _saved(path)
    if _called(path, terms) is not None:
        better = path.mean[-1] > 0
        return (Decision.PROMOTE if better else Decision.KEEP), (
            f"the treatment forecasts {'better' if better else 'worse'}: {shown}, "
            f"shown after {units} blocks at {100 * terms.alpha:g} % over all looks"
        )
    if units >= terms.cap_units:
        return Decision.KEEP, (
            f"the control stays: no difference was shown within the agreed {terms.cap_units} "
            f"blocks ({shown})"
        )
    if path.low[-1] > 0 or path.high[-1] < 0:
        return Decision.UNDECIDED, (
            f"{progress}; {shown} so far, and nobody wins before they are over"
        )
    return Decision.UNDECIDED, f"{progress}; {shown}, which settles nothing"


def _p_value(units: NDArray[np.float64], terms: Terms, burn_in: int) -> float:
    counts_from = terms.planned_units if len(units) >= terms.planned_units else burn_in
    path = sequential.confidence_sequence(
        units, alpha=terms.alpha, aim=terms.planned_units, burn_in=counts_from
    )
    return float(path.p_value[-1])


def _called(path: sequential.Path, terms: Terms) -> int | None:
    """Return the index of the first unit at which one of the two has won.

    Nobody does before the planned units are over: between its rare bad hours a model looks the
    better one, whichever of the two it is.
    """
    long_enough = np.arange(1, len(path.mean) + 1) >= terms.planned_units
    won = np.flatnonzero(((path.high < 0) | (path.low > 0)) & long_enough)
    return int(won[0]) if len(won) else None


def _saved(path: sequential.Path) -> str:
    low, high = path.low[-1], path.high[-1]
    if not np.isfinite(low):
        return "both forecast alike in every block"
    return f"the treatment saves {path.mean[-1]:+.5f} nats a bar [{low:+.5f}, {high:+.5f}]"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
