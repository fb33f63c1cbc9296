"""A model passes only on evidence that leaves no other explanation.

That noise does not is measured by tests/ops/test_bench_gate.py.
"""

from dataclasses import replace

import pytest

from registry.evaluation import Scores
from registry.evidence import Evidence
from registry.gate import judge
from registry.rivalry import Rivalry

FOLD = Scores(rows=1000, log_loss=0.40, base_log_loss=0.45, brier=0.1, roc_auc=0.8)
SOUND = Evidence(
    folds=(FOLD, FOLD),
    hold_out=FOLD,
    trades=80,
    trades_a_day=40.0,
    cost=0.004,
    net_per_trade=0.004,
    lower_bound=0.001,
    deflated_sharpe=0.99,
    trials=20,
    calibration_slope=1.1,
    shuffled_gain=-0.001,
    parity=1e-9,
    blocks=25,
    shortest_record=9.5,
    looking_ahead=(),
    meeting=0,
    overfitting=0.1,
)
WORSE = replace(FOLD, log_loss=0.46)
NAN = float("nan")


def test_sound_evidence_passes_with_its_figures_in_the_reason():
    verdict = judge(SOUND)

    assert verdict.passed
    assert verdict.reason == (
        "all 14 checks passed: +0.400% net a trade over 80 trades on bars never seen"
    )


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"folds": (FOLD, WORSE)}, "log loss on every fold"),
        ({"folds": (replace(FOLD, log_loss=0.45), FOLD)}, "log loss on every fold"),
        ({"hold_out": WORSE}, "log loss on the hold-out"),
        ({"hold_out": replace(FOLD, log_loss=NAN)}, "log loss on the hold-out"),
        ({"trades": 29}, "trades on the hold-out"),
        ({"cost": 0.0161}, "cost share"),
        ({"cost": NAN}, "cost share"),
        ({"trades_a_day": 288.1}, "turnover"),
        ({"trades_a_day": NAN}, "turnover"),
        ({"lower_bound": -1e-6}, "lower bound of the net value"),
        ({"lower_bound": NAN}, "lower bound of the net value"),
        ({"deflated_sharpe": 0.94}, "deflated Sharpe ratio"),
        ({"deflated_sharpe": NAN}, "deflated Sharpe ratio"),
        ({"calibration_slope": 0.49}, "calibration slope"),
        ({"calibration_slope": 2.01}, "calibration slope"),
        ({"calibration_slope": NAN}, "calibration slope"),
        ({"shuffled_gain": 0.02}, "shuffled labels"),
        ({"shuffled_gain": NAN}, "shuffled labels"),
        ({"parity": 2e-6}, "served as trained"),
        ({"parity": NAN}, "served as trained"),
        ({"shortest_record": 25.1}, "track record"),
        ({"shortest_record": NAN}, "track record"),
        ({"shortest_record": float("inf")}, "track record"),
        ({"looking_ahead": ("centred",)}, "nothing from later"),
        ({"meeting": 1}, "nothing taught and examined at once"),
    ],
)
def test_each_flaw_alone_is_enough_to_refuse(changed, name):
    verdict = judge(replace(SOUND, **changed))

    assert not verdict.passed
    assert [check.name for check in verdict.checks if not check.passed] == [name]
    assert verdict.reason == next(c.sentence for c in verdict.checks if c.name == name)


@pytest.mark.parametrize("net", [0.0, -0.01, NAN])
def test_trades_that_earn_nothing_are_refused_and_cost_more_than_they_brought(net):
    verdict = judge(replace(SOUND, net_per_trade=net))

    failed = [check.name for check in verdict.checks if not check.passed]
    assert failed == ["net value a trade", "cost share"]
    assert verdict.reason.startswith("a trade on the hold-out earned")


def test_costs_that_are_nothing_take_no_share():
    assert judge(replace(SOUND, cost=0.0)).passed
    assert replace(SOUND, cost=0.001, net_per_trade=0.003).cost_share == pytest.approx(0.25)


def test_a_refusal_says_how_many_checks_failed():
    verdict = judge(replace(SOUND, trades=0, deflated_sharpe=0.0))

    assert verdict.reason.endswith("(and 1 more of 14 checks)")


@pytest.mark.parametrize(("overfitting", "warned"), [(0.5, False), (0.51, True), (NAN, True)])
def test_a_choice_that_is_likely_luck_is_a_warning_and_no_refusal(overfitting, warned):
    verdict = judge(replace(SOUND, overfitting=overfitting))

    assert verdict.passed
    assert verdict.warnings[0].passed is not warned


@pytest.mark.parametrize(("high", "passes"), [(0.01, True), (0.0, True), (-1e-6, False)])
def test_only_a_model_shown_to_be_worse_than_the_champion_is_refused_for_it(high, passes):
    rivalry = Rivalry(blocks=25, rows=1000, gain=high - 0.01, low=high - 0.02, high=high)

    verdict = judge(replace(SOUND, rivalry=rivalry))

    assert verdict.passed is passes
    assert len(verdict.checks) == 15


def test_a_planted_pattern_passes(candidate):
    assert candidate.verdict.passed
    assert candidate.contract.gate_passed
    assert candidate.contract.gate_reason == candidate.verdict.reason


def test_what_earlier_looks_saw_of_a_hold_out_is_a_warning_and_told():
    seen = replace(SOUND, openings=2, overlapping=3, seen=0.625, most_seen=4)
    first, later = judge(SOUND), judge(seen)

    assert first.warnings[1].passed
    assert first.warnings[1].sentence == "no earlier look saw a bar of this hold-out"
    assert later.passed
    assert not later.warnings[1].passed
    assert later.warnings[1].value == 0.625
    assert later.warnings[1].sentence == (
        "4 earlier looks saw 62% of the bars of this hold-out, some of them 4 times, and 1 of the "
        "looks saw exactly these; any is a warning"
    )


def test_the_look_at_the_hold_out_is_a_trial_too_and_what_was_counted_is_told(candidate):
    # Three sets of parameters, the logistic regression, and the look itself.
    assert candidate.evidence.trials == 5
    (told,) = (one for one in candidate.verdict.checks if one.name == "deflated Sharpe ratio")
    assert "the best of 5 trials" in told.sentence
    assert "of this search's, 4 went all the way and 0 were given up" in told.sentence
