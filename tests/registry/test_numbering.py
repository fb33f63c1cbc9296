"""A model's number tells whether it asks otherwise, was learned anew, or only calibrated anew."""

import pytest

from registry.numbering import QUESTION, number

TAGS = {
    "interval_seconds": "60",
    "horizon_bars": "10",
    "label": "a return beyond the cost at the horizon",
    "cost": "0.005",
    "feature_hash": "f" * 64,
    "artifact_sha256": "a" * 64,
    "contract_sha256": "c" * 64,
}
BEFORE = TAGS | {"semantic_version": "2.3.4"}


def test_the_first_of_a_market_is_one():
    assert str(number(None, TAGS)) == "1.0.0"


@pytest.mark.parametrize("written", ["", "three", "1.2", "-1.0.0", "1.0.0rc1", "\u0661.0.0"])
def test_after_one_that_was_never_numbered_counting_begins(written):
    assert str(number(TAGS | {"semantic_version": written}, TAGS)) == "1.0.0"


@pytest.mark.parametrize("name", QUESTION)
def test_another_question_raises_the_first_number_and_is_said(name):
    found = number(BEFORE, TAGS | {name: "other", "artifact_sha256": "b" * 64})

    assert str(found) == "3.0.0"
    assert f"{QUESTION[name]} " in found.reason
    assert "other now" in found.reason


def test_a_question_that_was_not_on_record_counts_as_another():
    before = {key: value for key, value in BEFORE.items() if key != "label"}

    assert str(number(before, TAGS)) == "3.0.0"


def test_the_same_question_learned_anew_raises_the_second():
    assert str(number(BEFORE, TAGS | {"artifact_sha256": "b" * 64})) == "2.4.0"


def test_the_same_trees_calibrated_anew_raise_the_third():
    found = number(BEFORE, TAGS | {"contract_sha256": "d" * 64})

    assert str(found) == "2.3.5"
    assert "calibration" in found.reason


def test_a_number_goes_into_tags_as_it_is_read_back():
    first = number(None, TAGS)

    assert str(number(TAGS | first.tags(), TAGS)) == "1.0.1"
