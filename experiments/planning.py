"""Fix the terms of an experiment before it starts.

Formulas: methods of Waudby-Smith et al. (Annals of Statistics 52(6), 2024) for the
sequence; the fixed-sample plan is the usual normal approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from scipy import stats

LABEL_OVERLAPS = 8
"""Horizons in one block: shorter blocks leave the A/A rate above the nominal one."""

CAP_OVER_PLAN = 1.8
"""Units that a confidence sequence needs, over a fixed plan's, for the same 80 % power: 1.7, and
the rest for wins that came before the fortnight was over and were gone by then."""

SHORTEST = timedelta(days=14)
"""What no plan is shorter than, two weeks with their weekends: a model that is badly wrong once in
a few days looks the better one until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an experiment promised before it saw any outcome.

    Attributes:
        metric: The score compared; smaller is better.
        horizon_bars: Bars from a score to its outcome.
        block_bars: Bars averaged into one unit of evidence.
        alpha: The chance of a winner that is none, over all looks together.
        planned_units: Units a single look at the end would need, and nobody wins before.
        cap_units: Units after which the control is kept for want of evidence.
    """

    metric: str
    horizon_bars: int
    block_bars: int
    alpha: float
    planned_units: int
    cap_units: int

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha}")
        if self.horizon_bars < 1 or self.planned_units < 1 or self.cap_units < self.planned_units:
            raise ValueError("horizon and planned units must be positive and the cap not below")
        if self.block_bars < LABEL_OVERLAPS * self.horizon_bars:
            raise ValueError(
                f"a block needs at least {LABEL_OVERLAPS} horizons "
                f"({LABEL_OVERLAPS * self.horizon_bars} bars), not {self.block_bars}"
            )


def fixed_units(*, effect: float, deviation: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return the paired units that a single two-sided look needs.

    Args:
        effect: The smallest mean difference worth finding.
        deviation: Standard deviation of one unit's difference.
        alpha: Chance of a false winner.
        power: Chance of finding an effect of that size.

    Raises:
        ValueError: The effect is zero or the deviation not positive.

    Examples:
        >>> fixed_units(effect=0.2, deviation=1.0)
        197
    """
    if effect == 0 or not deviation > 0:
        raise ValueError(f"nothing to plan with effect {effect} and deviation {deviation}")
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    return ceil((z * deviation / effect) ** 2)


def terms(
    *,
    horizon_bars: int,
    interval: timedelta,
    effect_in_deviations: float = 0.2,
    alpha: float = 0.05,
) -> Terms:
    """Plan a paired comparison by log loss for labels that overlap `horizon_bars`.

    Without a pilot the difference is stated in standard deviations of one block: 0.2 is
    a small effect, which on 1-minute bars and a horizon of 10 takes 14 to 20 days.

    Args:
        horizon_bars: Bars from a score to its outcome.
        interval: The bars' length.
        effect_in_deviations: The smallest difference worth finding.
        alpha: Chance of a false winner.
    """
    block = LABEL_OVERLAPS * horizon_bars
    needed = fixed_units(effect=effect_in_deviations, deviation=1.0, alpha=alpha)
    planned = max(needed, ceil(SHORTEST / (block * interval)))
    return Terms(
        metric="log_loss",
        horizon_bars=horizon_bars,
        block_bars=block,
        alpha=alpha,
        planned_units=planned,
        cap_units=max(planned, ceil(CAP_OVER_PLAN * needed)),
    )
