"""One market, a model taught on its first days, and what the drift checks of its life say.

The model is taught by the retraining of the registry and scores the days after; windows and
checks are those of the scheduled flow, by the code that it calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drift.verdict import Finding, Kind, Verdict, judge
from drift.window import OUTCOME, PROBABILITY, Window, examine, forward_returns
from market import features
from ops.bench import markets, teaching
from ops.bench.markets import MINUTES_A_DAY
from registry.served import ServedModel, read_booster

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from registry.retraining import Candidate

# prefect.yaml: days_reference, hours_current, and the minutes between two checks.
REFERENCE_DAYS, CURRENT, BETWEEN = 14, 8 * 60, 8 * 60
TRIALS = 4
# As in ops.bench.gate: a pattern worth 0.5 % a trade net of costs, here on top of every noise.
COST, MOVE, LEG = 0.005, 0.010, 0.0025
VOLATILITY, TAILS, SPREAD = 0.001, 4, 0.001
SEEDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One market and the life of one model in it; everything follows from this.

    Attributes:
        kind: The noise that the pattern lies under.
        change: What becomes of the pattern after the steady days, if anything.
        taught: Days that the model is taught on.
        steady: Days after those that it is watched and nothing changes.
        changed: Days that it is watched after the change.
    """

    number: int
    kind: str
    seed: int
    taught: int
    steady: int
    change: str | None = None
    changed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the checks of one model's life said.

    Attributes:
        passed: Whether the gate let the model through.
        steady: Days without a change.
        checks: How many there were.
        false: Why checks asked for a model while nothing had changed, one entry each.
        hours: From the change to the first check that asked for a model; None without one.
    """

    number: int
    kind: str
    change: str | None
    passed: bool
    steady: int
    checks: int
    false: tuple[str, ...]
    hours: float | None


def bars(run: Run) -> pd.DataFrame:
    """Make a run's market: the days that teach, and those that the model is watched."""
    before = _part(run.kind, run.seed, run.taught + run.steady, MOVE)
    if run.change is None:
        return before
    move = -MOVE if run.change == "reversed" else 0.0
    return markets.joined(before, _part(run.kind, run.seed + SEEDS // 2, run.changed, move))


def _part(kind: str, seed: int, days: int, move: float) -> pd.DataFrame:
    match kind:
        case "walk":
            noise = markets.walk(seed, days, volatility=VOLATILITY)
        case "clustered":
            noise = markets.clustered(seed, days, volatility=VOLATILITY)
        case "fat-tailed":
            noise = markets.clustered(seed, days, volatility=VOLATILITY, tails=TAILS)
        case _:
            noise = markets.bouncing(seed, days, volatility=VOLATILITY, spread=SPREAD)
    return markets.patterned(noise, seed, move=move, leg=LEG)


def play(run: Run) -> Ended:
    """Teach a model, and check it until its days are over, or until a break is found."""
    made, taught = bars(run), run.taught * MINUTES_A_DAY
    candidate = teaching.teach(made.iloc[:taught], TRIALS)
    table = scored(made, candidate, taught)
    change, false = taught + run.steady * MINUTES_A_DAY, []
    hours, checks = None, 0
    for end in range(taught + BETWEEN, len(made) + 1, BETWEEN):
        found, verdict = check(window(table, end))
        checks += 1
        if verdict.retrain and end > change:
            hours = (end - change) / 60
            break
        if verdict.retrain:
            false.append(cause(found))
    return Ended(
        number=run.number,
        kind=run.kind,
        change=run.change,
        passed=candidate.verdict.passed,
        steady=run.steady,
        checks=checks,
        false=tuple(false),
        hours=hours,
    )


def scored(made: pd.DataFrame, candidate: Candidate, first: int) -> pd.DataFrame:
    """Return features, outcomes and, from the bar `first` on, the model's probabilities."""
    booster = read_booster(candidate.model_ubj)
    model = ServedModel(contract=candidate.contract, booster=booster)
    table = features.compute(made, teaching.MINUTE)
    told = np.full(len(made), np.nan)
    told[first:] = model.predict_all(table.to_numpy(dtype=np.float64)[first:])
    table[OUTCOME] = forward_returns(made["close"], teaching.MINUTE, teaching.HORIZON)
    table[PROBABILITY] = told
    return table


def window(table: pd.DataFrame, end: int) -> Window:
    """Return what the flow reads from the record when the bar before `end` has closed.

    Bars count from the first of the table.
    """
    start = end - CURRENT
    seen = table.iloc[max(start - REFERENCE_DAYS * MINUTES_A_DAY, 0) : end]
    # The flow knows no outcome that has not come.
    come = np.arange(len(seen)) < len(seen) - teaching.HORIZON
    seen = seen.assign(**{OUTCOME: seen[OUTCOME].where(come)})
    cut = len(seen) - CURRENT
    columns = seen.drop(columns=PROBABILITY)
    return Window(
        start=seen.index[cut].to_pydatetime(),
        end=seen.index[-1].to_pydatetime() + teaching.MINUTE,
        interval=teaching.MINUTE,
        horizon_bars=teaching.HORIZON,
        cost=COST,
        reference=columns.iloc[:cut],
        current=columns.iloc[cut:],
        scores=seen.loc[seen[PROBABILITY].notna(), [PROBABILITY, OUTCOME]],
    )


def check(seen: Window) -> tuple[list[Finding], Verdict]:
    """Examine a window and judge it.

    Features ask for a model only where predictions moved as well, and take most of the time:
    they are examined in that case alone. The verdict's `retrain` is that of all five findings.
    """
    bare = replace(seen, reference=seen.reference[[OUTCOME]], current=seen.current[[OUTCOME]])
    found = examine(bare)
    verdict = judge(found)
    moved = any(one.alarm for one in found if one.kind is Kind.PREDICTION)
    if moved and not verdict.retrain:
        found = examine(seen)
        verdict = judge(found)
    return found, verdict


def cause(found: Iterable[Finding]) -> str:
    """Name what a check that asks for a model goes by."""
    alarming = {one.kind for one in found if one.alarm}
    for kind in (Kind.PERFORMANCE, Kind.CALIBRATION):
        if kind in alarming:
            return kind.value
    return "predictions and features"
