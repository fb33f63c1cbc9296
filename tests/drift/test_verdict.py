"""Only lost performance, or predictions and features together, ask for retraining."""

from itertools import combinations

import numpy as np
import pytest

from drift.findings import lost_calibration, lost_edge, moved, moved_features
from drift.verdict import Finding, Kind, judge


def finding(kind, *, alarm, testable=True):
    return Finding(kind=kind, testable=testable, alarm=alarm, reason=f"{kind} was looked at")


@pytest.mark.parametrize("size", range(6))
def test_the_rule_of_tiers_holds_for_every_combination(size):
    for alarming in combinations(Kind, size):
        found = judge([finding(kind, alarm=kind in alarming) for kind in Kind])

        tier_one = {Kind.PERFORMANCE, Kind.CALIBRATION} & set(alarming)
        two_keys = {Kind.PREDICTION, Kind.FEATURE} <= set(alarming)
        assert found.retrain is bool(tier_one or two_keys)


def test_a_feature_alone_is_told_but_retrains_nothing():
    found = judge([finding(kind, alarm=kind is Kind.FEATURE) for kind in Kind])

    assert found.reason == "no retraining: feature moved, which alone proves nothing"


def test_nothing_testable_is_not_called_no_drift():
    found = judge([finding(kind, alarm=False, testable=False) for kind in Kind])

    assert found.reason == "no retraining: nothing could be tested yet"


def test_what_could_not_be_tested_cannot_alarm():
    with pytest.raises(ValueError, match="could not be tested"):
        finding(Kind.TARGET, alarm=True, testable=False)


def edge(rose, probability, recent=200):
    return lost_edge(probability, rose, base_rate=0.5, recent=recent, a_day=20)


def test_a_model_that_turned_round_is_found_while_its_scores_look_the_same():
    rng = np.random.default_rng(1)
    probability = rng.choice([0.3, 0.7], 600)
    rose = (rng.random(600) < probability).astype(float)
    turned = np.where(np.arange(600) < 400, rose, 1 - rose)

    assert not edge(rose, probability).alarm
    assert edge(turned, probability).alarm


def test_an_alarm_long_past_does_not_sound_again():
    rng = np.random.default_rng(2)
    probability = rng.choice([0.3, 0.7], 2000)
    rose = (rng.random(2000) < probability).astype(float)
    troubled = np.where(np.arange(2000) < 100, 1 - rose, rose)

    assert not edge(troubled, probability, recent=200).alarm


def test_a_model_that_scored_nothing_since_is_not_accused_again_of_what_was_judged_before():
    rng = np.random.default_rng(1)
    probability = rng.choice([0.3, 0.7], 600)
    turned = (rng.random(600) >= probability).astype(float)

    for found in (
        edge(turned, probability, recent=0),
        lost_calibration(probability, np.ones(600), recent=0, checks=270),
    ):
        assert (found.testable, found.alarm) == (False, False)
        assert found.reason == "not testable: no outcome of a bar of this window is known"


def checks_that_alarm(judge_until, outcomes=600, every=48):
    return sum(judge_until(end).alarm for end in range(every, outcomes + 1, every))


def test_one_spell_of_bad_luck_asks_for_one_model_not_at_every_check_until_it_is_forgotten():
    rng = np.random.default_rng(15)
    probability = rng.choice([0.45, 0.55], 600)
    rose = (rng.random(600) < probability).astype(float)
    rose[100:140] = (probability[100:140] < 0.5).astype(float)

    asked = checks_that_alarm(lambda end: edge(rose[:end], probability[:end], recent=48))

    assert asked == 1


def test_a_spell_of_wrong_probabilities_asks_for_one_model_too():
    rose = (np.random.default_rng(16).random(600) < 0.5).astype(float)
    rose[100:180] = 1.0

    asked = checks_that_alarm(lambda end: calibration(rose[:end], 0.5, recent=48))

    assert asked == 1


def test_a_model_that_stays_wrong_is_told_again():
    rng = np.random.default_rng(17)
    probability = rng.choice([0.3, 0.7], 600)
    turned = (rng.random(600) >= probability).astype(float)

    asked = checks_that_alarm(lambda end: edge(turned[:end], probability[:end], recent=48))

    assert asked > 3


def calibration(rose, said, *, recent=100, checks=270):
    return lost_calibration(np.full(len(rose), said), rose, recent=recent, checks=checks)


def test_few_outcomes_are_not_judged():
    found = edge(np.ones(29), np.full(29, 0.1))

    assert (found.testable, found.alarm) == (False, False)
    assert "29 outcomes are known, expected at least 30" in found.reason


def test_probabilities_that_stopped_meaning_what_they_say_are_found():
    rose = (np.random.default_rng(3).random(300) < 0.6).astype(float)

    assert calibration(rose, 0.3).alarm
    assert not calibration(rose, 0.6).alarm


def test_a_model_that_was_always_wrong_by_less_than_the_tolerance_has_not_drifted():
    rng = np.random.default_rng(6)

    # Four weeks on end, as a gate that has few outcomes lets models through.
    assert not any(calibration((rng.random(4000) < 0.5).astype(float), 0.47).alarm for _ in "1234")


def test_the_more_checks_there_are_the_more_evidence_each_needs():
    rose = (np.random.default_rng(3).random(300) < 0.6).astype(float)

    often, seldom = (calibration(rose, 0.45, recent=300, checks=n) for n in (270, 1))

    assert often.threshold == pytest.approx(seldom.threshold + np.log(270))
    assert (often.alarm, seldom.alarm) == (False, True)


def test_probabilities_that_were_wrong_long_ago_do_not_ask_for_a_model_again():
    rng = np.random.default_rng(7)
    rose = (rng.random(2000) < np.where(np.arange(2000) < 150, 0.9, 0.5)).astype(float)

    assert calibration(rose[:200], 0.5, recent=100).alarm
    assert not calibration(rose, 0.5, recent=100).alarm


def test_a_right_model_that_is_checked_for_a_quarter_is_seldom_called_wrong():
    rng, alarms = np.random.default_rng(8), 0
    for _ in range(20):
        said = 1 / (1 + np.exp(-rng.normal(0, 0.5, 12_960)))
        rose = (rng.random(12_960) < said).astype(float)
        ends = range(48, 12_961, 48)
        windows = [slice(max(end - 2064, 0), end) for end in ends]
        found = [lost_calibration(said[w], rose[w], recent=48, checks=270) for w in windows]
        alarms += sum(one.alarm for one in found)

    # 0.1 a quarter at most, so two in twenty.
    assert alarms <= 2


def test_moved_predictions_are_found_and_named():
    rng = np.random.default_rng(4)

    found = moved(Kind.PREDICTION, "probability", rng.random(6000), rng.random(200) * 0.5)

    assert found.alarm
    assert found.reason == (
        "probability lies 0.506 from its reference (p = 1.4e-40), an alarm from 0.05 down"
    )


def test_the_rarer_a_chance_alarm_may_be_the_further_predictions_must_have_moved():
    rng = np.random.default_rng(4)
    reference, current = rng.random(6000), rng.random(200) * 0.88

    often, seldom = (
        moved(Kind.PREDICTION, "probability", reference, current, rate=rate)
        for rate in (0.05, 0.0005)
    )

    assert often.statistic == seldom.statistic
    assert (often.alarm, seldom.alarm) == (True, False)
    assert (often.threshold, seldom.threshold) == (0.05, 0.0005)


def test_moved_features_are_named_and_untestable_ones_counted_apart():
    rng = np.random.default_rng(5)
    reference = {"a": rng.random(6000), "b": rng.random(6000), "still": np.ones(6000)}
    current = {"a": rng.random(200) + 0.5, "b": rng.random(200), "still": np.ones(200)}

    found = moved_features(reference, current)

    assert found.reason == "1 of 2 testable features moved, of 3: a"
    assert found.detail["still"]["p_value"] is None
