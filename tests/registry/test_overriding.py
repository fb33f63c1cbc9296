"""A gate's verdict is lifted by a person's word that says who and why, and by nothing less."""

import pytest

from registry.overriding import Override, read


def test_a_word_says_who_and_why():
    found = read({"gate": "refused", "override": "Anna: the sample is short: 40 trades"})

    assert found == Override(who="Anna", why="the sample is short: 40 trades")
    assert read({"gate": "refused", "override": str(found)}) == found


@pytest.mark.parametrize("written", ["", "yes", "Anna", "Anna:", "Anna:  ", ": because", " : "])
def test_a_tag_without_who_or_why_lifts_nothing(written):
    assert read({"gate": "refused", "override": written}) is None


def test_where_the_gate_let_pass_there_is_nothing_to_lift():
    assert read({"gate": "passed", "override": "Anna: because"}) is None


@pytest.mark.parametrize(("who", "why"), [("", "because"), ("Anna", " "), ("An:na", "because")])
def test_a_word_of_nobody_or_without_reason_cannot_be_built(who, why):
    with pytest.raises(ValueError, match="who"):
        Override(who=who, why=why)
