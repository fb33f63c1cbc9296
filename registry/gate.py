"""Whether a model has earned its place: every check, its limit and its sentence.

A pure function of the evidence. A refusal is a normal result. All checks must pass; each
guards against a way of being fooled that the others do not see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a model before it may be promoted.

    A log loss below the base rate's is asked on every fold and on the hold-out: one bad
    stretch of the past is enough to refuse. The lower bound of the net value is one-sided
    at 95 % over blocks of eight horizons, within which outcomes overlap. Of what trades earn
    before costs, these may take four fifths: were they a quarter higher, nothing would be left.
    More trades a day than the trader's twelve entries an hour could not be made.
    """

    fewest_trades: int = 30
    most_cost_share: float = 0.8
    most_trades_a_day: float = 288.0
    least_deflated_sharpe: float = 0.95
    least_slope: float = 0.5
    most_slope: float = 2.0
    most_shuffled_share: float = 0.25
    most_shuffled_gain: float = 0.002
    most_parity: float = 1e-6
    # A measure of one record scatters by 0.2 around one half, so it may warn and not refuse.
    most_overfitting: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing asked, what was found, and whether that is enough."""

    name: str
    value: float
    limit: float
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's answer; `reason` names the first check that failed and how many did.

    `warnings` are told and refuse nothing.
    """

    passed: bool
    reason: str
    checks: tuple[Check, ...]
    warnings: tuple[Check, ...] = ()


def judge(evidence: Evidence, policy: Policy | None = None) -> Verdict:
    """Decide whether the evidence is enough for promotion."""
    policy = policy or Policy()
    checks = (
        *_predicts(evidence),
        *_pays(evidence, policy),
        *_is_what_it_seems(evidence, policy),
        *_holds_its_own(evidence),
    )
    warnings = (_overfitting(evidence, policy), _openings(evidence))
    failed = [check for check in checks if not check.passed]
    if not failed:
        return Verdict(
            passed=True,
            reason=(
                f"all {len(checks)} checks passed: {evidence.net_per_trade:+.3%} net a trade "
                f"over {evidence.trades} trades on bars never seen"
            ),
            checks=checks,
            warnings=warnings,
        )
    others = f" (and {len(failed) - 1} more of {len(checks)} checks)" if len(failed) > 1 else ""
    reason = failed[0].sentence + others
    return Verdict(passed=False, reason=reason, checks=checks, warnings=warnings)


def _predicts(evidence: Evidence) -> tuple[Check, ...]:
    worst = min(fold.gain for fold in evidence.folds)
    beaten = sum(fold.gain > 0 for fold in evidence.folds)
    held = evidence.hold_out
    return (
        _above(
            "log loss on every fold",
            worst,
            0,
            f"the log loss beats the base rate on {beaten} of {len(evidence.folds)} folds, "
            f"by {worst:+.4f} on the worst",
        ),
        _above(
            "log loss on the hold-out",
            held.gain,
            0,
            f"the hold-out's log loss is {held.log_loss:.4f}, the base rate's "
            f"{held.base_log_loss:.4f}",
        ),
    )


def _pays(evidence: Evidence, policy: Policy) -> tuple[Check, ...]:
    return (
        _least(
            "trades on the hold-out",
            evidence.trades,
            policy.fewest_trades,
            f"the model would have traded {evidence.trades} times on the hold-out; "
            f"{policy.fewest_trades} are needed to judge it",
        ),
        _above(
            "net value a trade",
            evidence.net_per_trade,
            0,
            f"a trade on the hold-out earned {evidence.net_per_trade:+.3%} after costs",
        ),
        _most(
            "cost share",
            evidence.cost_share,
            policy.most_cost_share,
            f"costs took {evidence.cost_share:.0%} of what trades on the hold-out earned before "
            f"them; at most {policy.most_cost_share:.0%} is asked",
        ),
        _most(
            "turnover",
            evidence.trades_a_day,
            policy.most_trades_a_day,
            f"the model would have traded {evidence.trades_a_day:.1f} times a day; at most "
            f"{policy.most_trades_a_day:g} is asked",
        ),
        _above(
            "lower bound of the net value",
            evidence.lower_bound,
            0,
            f"the net value of a block is above {evidence.lower_bound:+.3%} with 95 % confidence",
        ),
        _least(
            "deflated Sharpe ratio",
            evidence.deflated_sharpe,
            policy.least_deflated_sharpe,
            f"the probability that the best of {evidence.trials} trials has any edge is "
            f"{evidence.deflated_sharpe:.3f}; {policy.least_deflated_sharpe} is asked (of this "
            f"search's, {evidence.complete} went all the way and {evidence.given_up} were given "
            "up, which count by what they had earned)",
        ),
        _least(
            "track record",
            evidence.blocks,
            evidence.shortest_record,
            f"the hold-out is {evidence.blocks} blocks long; {evidence.shortest_record:.1f} are "
            "needed to believe its Sharpe ratio with 95 % confidence",
        ),
    )


def _is_what_it_seems(evidence: Evidence, policy: Policy) -> tuple[Check, ...]:
    slope = evidence.calibration_slope
    tolerated = max(policy.most_shuffled_gain, policy.most_shuffled_share * evidence.hold_out.gain)
    return (
        Check(
            name="calibration slope",
            value=slope,
            limit=policy.least_slope if slope < 1 else policy.most_slope,
            passed=policy.least_slope <= slope <= policy.most_slope,
            sentence=(
                f"the calibration slope on the hold-out is {slope:.2f}; {policy.least_slope} to "
                f"{policy.most_slope} is asked"
            ),
        ),
        _most(
            "shuffled labels",
            evidence.shuffled_gain,
            tolerated,
            f"on shuffled labels the log loss beats the base rate by "
            f"{evidence.shuffled_gain:+.4f}; more than {tolerated:.4f} would mean a leak",
        ),
        _most(
            "served as trained",
            evidence.parity,
            policy.most_parity,
            f"the served model differs from the trained one by at most {evidence.parity:.1e}; "
            f"{policy.most_parity:.0e} is allowed",
        ),
        _most(
            "nothing from later",
            len(evidence.looking_ahead),
            0,
            f"the features that look ahead: {', '.join(evidence.looking_ahead) or 'none'}",
        ),
        _most(
            "nothing taught and examined at once",
            evidence.meeting,
            0,
            f"{evidence.meeting} rows taught while they shared a moment with one that examined",
        ),
    )


def _holds_its_own(evidence: Evidence) -> tuple[Check, ...]:
    # Whether it is better is for the comparison in shadow to show, on bars yet to come.
    rivalry = evidence.rivalry
    if rivalry is None:
        return ()
    return (
        _least(
            "no worse than the champion",
            rivalry.high,
            0,
            f"over {rivalry.blocks} blocks that neither was taught on, the log loss is "
            f"{abs(rivalry.gain):.4f} {'better' if rivalry.gain >= 0 else 'worse'} than the "
            f"champion's; the gain is between {rivalry.low:+.4f} and {rivalry.high:+.4f} with 95 % "
            "confidence",
        ),
    )


def _overfitting(evidence: Evidence, policy: Policy) -> Check:
    return _most(
        "overfitting",
        evidence.overfitting,
        policy.most_overfitting,
        f"the probability that the best trial is no better than the median one is "
        f"{evidence.overfitting:.2f}; more than {policy.most_overfitting} is a warning",
    )


def _openings(evidence: Evidence) -> Check:
    # Each look is a trial in the deflated Sharpe ratio, which is where it refuses.
    earlier = evidence.overlapping + evidence.openings - 1
    times = "once" if evidence.most_seen == 1 else f"{evidence.most_seen} times"
    return _most(
        "hold-out seen before",
        evidence.seen,
        0,
        f"{earlier} earlier looks saw {evidence.seen:.0%} of the bars of this hold-out, some of "
        f"them {times}, and {evidence.openings - 1} of the looks saw exactly these; any is a "
        "warning"
        if earlier
        else "no earlier look saw a bar of this hold-out",
    )


# A NaN compares false with everything, and so fails each of these.
def _above(name: str, value: float, limit: float, sentence: str) -> Check:
    passed = math.isfinite(value) and value > limit
    return Check(name=name, value=value, limit=limit, passed=passed, sentence=sentence)


def _least(name: str, value: float, limit: float, sentence: str) -> Check:
    return Check(name=name, value=value, limit=limit, passed=value >= limit, sentence=sentence)


def _most(name: str, value: float, limit: float, sentence: str) -> Check:
    return Check(name=name, value=value, limit=limit, passed=value <= limit, sentence=sentence)
