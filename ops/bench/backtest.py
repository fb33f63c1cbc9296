"""How many bars a second a backtest plays by the live rules, and the scorer at once.

A market with a pattern is made up, a model is taught on its first part as the registry
teaches, and the rest is played: features, probabilities and then, bar by bar, the strategy,
the sizes and the checks that the live trader has.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from market import features
from ops.backtesting import backtest, gathering, playing
from ops.backtesting.paper import Terms
from ops.bench.circumstances import instrument
from ops.bench.figures import Figure
from ops.bench.teaching import MINUTE, MINUTES_A_DAY, market, serve, teach
from registry import scorer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from ops.backtesting.paper import Outcome
    from ops.bench.figures import Plan
    from registry.served import ServedModel

TAUGHT, FEW_TAUGHT = 14, 6  # days
PLAYED, FEW_PLAYED = 35, 2
TRIALS, FEW_TRIALS = 20, 2
ROUNDS, FEW_ROUNDS = 5, 2
# Bars a second.
LIVE, AT_ONCE = 20_000.0, 500_000.0
SPREAD = float(playing.ASSUMED_SPREAD)


def measure(plan: Plan) -> list[Figure]:
    """Teach a model on the first days of a market and play the others, again and again."""
    model, bars = taught(plan)
    rounds = plan.runs or (FEW_ROUNDS if plan.quick else ROUNDS)
    return figures(bars, model, rounds, judged=not plan.quick)


def taught(plan: Plan) -> tuple[ServedModel, pd.DataFrame]:
    """Return a model and the bars after those that it learnt from."""
    days, others = (FEW_TAUGHT, FEW_PLAYED) if plan.quick else (TAUGHT, PLAYED)
    bars, first = market(plan.seed + 1, days + others), days * MINUTES_A_DAY
    trials = FEW_TRIALS if plan.quick else TRIALS
    return serve(teach(bars.iloc[:first], trials)), bars.iloc[first:]


def figures(bars: pd.DataFrame, model: ServedModel, rounds: int, *, judged: bool) -> list[Figure]:
    """Say how fast the bars pass through everything, through each part, and through the scorer."""
    count = len(bars)
    table = features.compute(bars, MINUTE)
    rows, said = gathering.probabilities(model, table)
    tape = playing.tape(bars, MINUTE, np.full(count, SPREAD))
    terms = Terms(instrument=instrument(), slippage=playing.ASSUMED_SLIPPAGE)
    rules = _rules(model, terms)
    times = np.arange(count)

    def by_the_rules() -> Outcome:
        return backtest.run(tape, rows, said, model.contract, terms)

    def at_once() -> scorer.Trips:
        return scorer.score(said, tape.open, tape.close, times, rules)

    computing = _least(lambda: features.compute(bars, MINUTE), rounds)
    asking = _least(lambda: gathering.probabilities(model, table), rounds)
    deciding, scoring = _least(by_the_rules, rounds), _least(at_once, rounds)
    outcome, trips = by_the_rules(), at_once()
    how = (
        f"{count:,} one-minute bars by the processor's time, the best of {rounds} rounds each; a "
        f"model of {model.booster.num_boosted_rounds()} trees taught on the days before"
    )
    return [
        Figure(
            name="bars through the live code",
            value=count / (computing + asking + deciding),
            unit="bars/s",
            goal=LIVE if judged else None,
            how=f"{how}; features, probabilities and rules together, which sent "
            f"{len(outcome.traded) + outcome.unfilled:,} orders",
        ),
        Figure(
            name="of that, features",
            value=count / computing,
            unit="bars/s",
            how=f"{len(features.NAMES)} columns at once, equal to what the trader folds",
        ),
        Figure(
            name="of that, probabilities",
            value=count / asking,
            unit="bars/s",
            how="all rows at once",
        ),
        Figure(
            name="of that, strategy, sizes, risk and position",
            value=count / deciding,
            unit="bars/s",
            how="bar by bar, by the modules that decide in the trader",
        ),
        Figure(
            name="bars scored at once",
            value=count / scoring,
            unit="bars/s",
            goal=AT_ONCE if judged else None,
            how=f"{how}; the scorer of a search, which a property test holds to the rules, "
            f"on known probabilities; it found {len(trips.net):,} round trips",
        ),
    ]


def _rules(model: ServedModel, terms: Terms) -> scorer.Rules:
    told = model.contract
    return scorer.Rules(
        gain=told.gain,
        loss=told.loss,
        base_rate=told.base_rate,
        horizon=told.horizon_bars,
        fee=float(terms.instrument.taker_fee or 0),
        spread=SPREAD,
        slippage=float(terms.slippage),
    )


def _least(act: Callable[[], object], rounds: int) -> float:
    """Return the least seconds of the processor that it took."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return min(taken)
