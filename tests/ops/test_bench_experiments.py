"""Experiments among equals and with a better model are played as the flow would, and counted."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.analysis import Decision, Pairs, analyse
from experiments.planning import terms
from flows.analyse_experiment import pair
from ops.bench import experiments, forecasters, markets
from ops.bench.figures import Plan
from ops.bench.forecasters import Errors
from sql.scores import PairedScore

EQUALS = Errors(control=0.2, treatment=0.2, memory=0.9)


def ended(winner, *, better=False, days=10.0):
    return experiments.Ended(
        number=0,
        kind="walk",
        better=better,
        winner=winner,
        days=days,
        units=100,
        effect=0.01,
        deviations=0.2,
    )


def test_the_seeded_part_names_no_winner_among_equals_and_finds_the_better_one():
    equals, treatments, found, days = experiments.measure(Plan(quick=True))

    assert (equals.value, treatments.value) == (0.0, 0.0)
    assert found.value == 100.0
    assert 0 < days.value < experiments.DAYS
    assert all(figure.holds for figure in (equals, found))


def test_halving_finds_the_hour_that_looking_at_every_one_would():
    run = next(run for run in experiments.choose(Plan(runs=1)) if run.better)
    errors = Errors(control=experiments.WORSE_ERROR, treatment=0.2, memory=run.memory)
    whole = forecasters.score(
        experiments.bars(run), run.seed, errors, horizon=experiments.HORIZON, cost=run.cost
    )
    start = 1440 - run.seed % 60
    agreed = terms(horizon_bars=experiments.HORIZON, interval=experiments.MINUTE)

    looks = (
        (hour, analyse(experiments.known(whole, start, start + hour * 60), agreed))
        for hour in range(1, experiments.DAYS * 24)
    )
    hour, look = next(one for one in looks if one[1].decision is not Decision.UNDECIDED)
    played = experiments.play(run)

    assert (played.days, played.units) == (hour / 24, look.units)


def test_a_campaign_takes_every_kind_cost_and_memory_and_never_a_seed_twice():
    runs = experiments.choose(Plan(runs=16, seed=3))

    equals = [run for run in runs if not run.better]
    assert len({(run.kind, run.cost, run.memory) for run in equals}) == 16
    assert len(runs) == 16 + 4
    assert {run.kind for run in runs if run.better} == set(experiments.KINDS)
    assert len({run.seed for run in runs}) == len(runs)
    assert not {run.seed for run in runs} & {run.seed for run in experiments.choose(Plan(runs=16))}


def test_winners_of_either_side_among_equals_do_not_hold_beyond_a_twentieth():
    ends = [ended("control")] * 3 + [ended("treatment")] * 3 + [ended("none")] * 93
    ends += [ended("stopped")]

    equals, treatments, found, days = experiments.count(ends)

    assert (equals.value, treatments.value) == (6.0, 3.0)
    assert not equals.holds
    assert "1 stopped" in equals.how
    assert found.unit == "% of none"
    assert np.isnan(days.value)


def test_better_ones_that_were_not_found_count_and_their_days_do_not():
    ends = [ended("treatment", better=True, days=4.0)] * 3
    ends += [ended("none", better=True, days=19.0), ended("control", better=True)]

    _, _, found, days = experiments.count(ends)

    assert (found.value, days.value) == (60.0, 4.0)
    assert not found.holds
    assert "the worse one won 1 times" in found.how


@pytest.mark.parametrize(
    ("decision", "high", "named"),
    [
        (Decision.STOP, None, "stopped"),
        (Decision.PROMOTE, 0.03, "treatment"),
        (Decision.KEEP, -0.01, "control"),
        (Decision.KEEP, 0.01, "none"),
        (Decision.UNDECIDED, None, "none"),
    ],
)
def test_a_control_that_stays_for_want_of_evidence_has_not_won(decision, high, named):
    analysis = SimpleNamespace(decision=decision, high=high)

    assert experiments.winner(analysis) == named


def test_what_is_known_at_a_look_is_what_the_flow_reads_from_the_record():
    bars = markets.walk(1, 2, volatility=0.003)
    whole = forecasters.score(bars, 1, EQUALS, horizon=experiments.HORIZON, cost=0.005)
    whole.control[90:110] = np.nan
    whole.treatment[100:130] = np.nan
    close = bars["close"].to_numpy()
    rows = [
        PairedScore(
            bar_start=bars.index[n].to_pydatetime(),
            control=None if np.isnan(whole.control[n]) else whole.control[n],
            treatment=None if np.isnan(whole.treatment[n]) else whole.treatment[n],
            forward_return=close[n + 10] / close[n] - 1 if n + 10 < 200 else None,
        )
        for n in range(50, 200)
        if not 100 <= n < 110
    ]

    ours = experiments.known(whole, 50, 200)
    theirs = pair(rows, SimpleNamespace(interval_seconds=60, cost=0.005))

    for name in Pairs.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_equals_stay_equals_when_they_swap_their_places():
    bars = markets.clustered(2, 30, volatility=0.003, tails=4)
    pairs = forecasters.score(bars, 2, EQUALS, horizon=10, cost=0.005)
    known = ~np.isnan(pairs.control) & ~np.isnan(pairs.treatment)
    apart = np.log(pairs.control[known] / pairs.treatment[known])

    # 43,200 bars with a memory of 0.9 are worth some 2,300 independent ones.
    assert abs(apart.mean()) < 4 * apart.std() / 2300**0.5


def test_no_chance_looks_ahead():
    close = markets.clustered(3, 1, volatility=0.003)["close"].to_numpy()

    whole = forecasters.chance(close, horizon=10, cost=0.005)
    then = forecasters.chance(close[:700], horizon=10, cost=0.005)

    np.testing.assert_array_equal(whole[:700], then)


def test_an_error_has_the_size_and_the_memory_that_were_asked_for():
    values = forecasters.error(200_000, 0.9, np.random.default_rng(4))

    assert values.std() == pytest.approx(1.0, abs=0.03)
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0.9, abs=0.01)


def test_a_bar_is_counted_in_minutes_since_1970():
    bars = markets.walk(5, 1, volatility=0.003)
    pairs = forecasters.score(bars, 5, EQUALS, horizon=10, cost=0.005)

    started = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=int(pairs.bars[0]))
    assert started == bars.index[0]


def test_student_shocks_make_fatter_tails_and_the_same_volatility():
    normal, fat = (
        np.diff(np.log(markets.clustered(6, 60, volatility=0.003, tails=tails)["close"]))
        for tails in (None, 4)
    )

    assert fat.std() == pytest.approx(normal.std(), rel=0.1)
    assert (fat**4).mean() / fat.var() ** 2 > 2 * (normal**4).mean() / normal.var() ** 2
