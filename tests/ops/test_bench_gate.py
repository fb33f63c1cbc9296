"""The whole retraining is not fooled by noise, sees an edge that pays, and is counted right."""

from ops.bench import gate
from ops.bench.figures import Plan


def ended(kind, *, passed, taught=True):
    return gate.Ended(
        number=0, kind=kind, cost=0.005, taught=taught, passed=passed, reason="", failed=()
    )


def test_the_seeded_part_refuses_noise_and_passes_an_edge():
    fooled, seen = gate.measure(Plan(quick=True))

    assert (fooled.value, seen.value) == (0.0, 100.0)
    assert fooled.holds
    assert seen.holds


def test_a_campaign_takes_every_kind_at_every_cost_and_never_a_seed_twice():
    runs = gate.choose(Plan(runs=18, seed=3))

    noise = [run for run in runs if run.kind != "planted"]
    assert len({(run.kind, run.cost) for run in noise}) == 9
    assert len(noise) == 18
    assert len(runs) == 18 + 5
    assert len({run.seed for run in runs}) == len(runs)
    assert not {run.seed for run in runs} & {run.seed for run in gate.choose(Plan(runs=18))}


def test_a_gate_that_promotes_noise_or_sees_no_edge_does_not_hold():
    verdicts = [ended("walk", passed=n < 6) for n in range(100)]
    verdicts += [ended("planted", passed=n < 39) for n in range(50)]

    fooled, seen = gate.count(verdicts)

    assert (fooled.value, seen.value) == (6.0, 78.0)
    assert not fooled.holds
    assert not seen.holds


def test_what_could_not_teach_is_told_apart():
    verdicts = [ended("walk", passed=False, taught=n > 1) for n in range(4)]

    fooled, seen = gate.count(verdicts)

    assert "0 of 4" in fooled.how
    assert "2 could not teach" in fooled.how
    assert seen.unit == "none was run"


def test_the_same_seed_makes_the_same_market():
    run = gate.choose(Plan(runs=1))[0]

    assert gate.bars(run).equals(gate.bars(run))
