"""Turn scores, outcomes and columns into findings, one a kind of drift."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from drift import distributions, performance
from drift.verdict import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST_OUTCOMES = 30
"""Outcomes below which a model is not judged by them."""

DAYS_A_QUARTER = 90

MOVED_A_QUARTER = 0.5
"""Checks of a quarter that may find predictions moved by chance; a new 5 % every check would be
a dozen, and features move with the predictions made of them, so the second key hardly helps."""


def lost_edge(
    probability: Floats,
    rose: Floats,
    *,
    base_rate: float,
    recent: int,
    a_day: float,
) -> Finding:
    """Ask whether the base rate alone has come to forecast better than the model.

    Args:
        probability: Of a rise, for bars whose outcomes do not overlap, oldest first.
        rose: 1.0 or 0.0, the same shape.
        base_rate: Share of rises in the reference.
        recent: How many of the last scores lie in the current window.
        a_day: Such scores in a day, which sets how high the alarm must be.
    """
    if (refused := _unjudged(Kind.PERFORMANCE, len(rose), recent)) is not None:
        return refused
    if not 0 < base_rate < 1:
        return _not_testable(
            Kind.PERFORMANCE,
            f"expected rises and falls in the reference, found a share of {base_rate}",
        )
    ratios = performance.log_likelihood_ratio(probability, rose, base_rate=base_rate)
    quarter = max(int(DAYS_A_QUARTER * a_day), len(ratios))
    limit = performance.threshold(probability, base_rate=base_rate, observations=quarter)
    path = performance.anew(lambda start: performance.cusum(ratios[start:]), limit)
    highest = float(path[-recent:].max())
    alarm = highest > limit
    return Finding(
        kind=Kind.PERFORMANCE,
        testable=True,
        alarm=alarm,
        statistic=highest,
        threshold=limit,
        reason=f"the evidence that the base rate of {base_rate:.3f} forecasts better than the "
        f"model reached {highest:.1f} of {limit:.1f} over {len(rose)} outcomes",
        detail={"outcomes": len(rose), "base_rate": base_rate, "now": float(path[-1])},
    )


def lost_calibration(
    probability: Floats,
    rose: Floats,
    *,
    recent: int,
    checks: float,
    false_alarms: float = 0.1,
) -> Finding:
    """Ask whether the model's probabilities have stopped meaning what they say.

    Every check bets anew from where its scores begin, so each has its part of the chance of a
    false alarm. Evidence of the days before was judged by the checks of those days.

    Args:
        probability: Of a rise, for bars whose outcomes do not overlap, oldest first.
        rose: 1.0 or 0.0, the same shape.
        recent: How many of the last scores lie in the current window.
        checks: How many there are in a quarter of a year.
        false_alarms: How many of those may alarm, on average and at most, about a model that
            is right within the tolerance.
    """
    if (refused := _unjudged(Kind.CALIBRATION, len(rose), recent)) is not None:
        return refused
    limit = log(checks / false_alarms)
    path = performance.anew(
        lambda start: performance.log_miscalibration(probability[start:], rose[start:]), limit
    )
    evidence = float(path[-recent:].max())
    return Finding(
        kind=Kind.CALIBRATION,
        testable=True,
        alarm=evidence > limit,
        statistic=evidence,
        threshold=limit,
        reason=f"rises came in {rose.mean():.1%} of cases where the model expected "
        f"{probability.mean():.1%} (log evidence {evidence:.1f} of {limit:.1f} that it is wrong "
        f"by more than {performance.TOLERANCE:g})",
        detail={"outcomes": len(rose), "now": float(path[-1])},
    )


def moved(
    kind: Kind, name: str, reference: Floats, current: Floats, *, rate: float = 0.05
) -> Finding:
    """Ask whether one column, of predictions or of outcomes, has moved.

    Args:
        kind: What the column is.
        name: The column's, for the sentence.
        reference: Values in the order of time, NaN where unknown.
        current: Later values.
        rate: Chance of an alarm on history like the reference.
    """
    shift = distributions.compare(name, reference, current)
    testable = shift.p_value is not None
    return Finding(
        kind=kind,
        testable=testable,
        alarm=bool(distributions.alarms([shift], rate=rate)),
        statistic=shift.p_value,
        threshold=rate if testable else None,
        reason=f"{shift.reason}, an alarm from {rate:.2g} down" if testable else shift.reason,
        detail={"distance": shift.distance, "inflation": shift.inflation, "values": len(current)},
    )


def moved_features(
    reference: Mapping[str, Floats], current: Mapping[str, Floats], *, rate: float = 0.05
) -> Finding:
    """Ask which features have moved, of those that can be tested at this window's length."""
    shifts = [distributions.compare(name, reference[name], current[name]) for name in reference]
    found = distributions.alarms(shifts, rate=rate)
    tested = [shift for shift in shifts if shift.p_value is not None]
    named = f": {', '.join(found)}" if found else ""
    return Finding(
        kind=Kind.FEATURE,
        testable=bool(tested),
        alarm=bool(found),
        statistic=float(len(found)),
        threshold=1.0 if tested else None,
        reason=f"{len(found)} of {len(tested)} testable features moved, of {len(shifts)}{named}",
        detail={
            shift.name: {
                "distance": shift.distance,
                "inflation": shift.inflation,
                "p_value": shift.p_value,
                "alarm": shift.name in found,
                "reason": shift.reason,
            }
            for shift in shifts
        },
    )


def _unjudged(kind: Kind, count: int, recent: int) -> Finding | None:
    if count < FEWEST_OUTCOMES:
        return _not_testable(
            kind, f"{count} outcomes are known, expected at least {FEWEST_OUTCOMES}"
        )
    # What came before this window was judged then.
    return None if recent else _not_testable(kind, "no outcome of a bar of this window is known")


def _not_testable(kind: Kind, why: str) -> Finding:
    return Finding(kind=kind, testable=False, alarm=False, reason=f"not testable: {why}")
