"""A search is compared with the same one written plainly, for speed and for what it finds."""

from dataclasses import replace

import pytest

from ops.bench import train
from ops.bench.figures import Plan

FOUND = train.Found(our_best=0.4405, their_best=0.44, rival=0.47, gap=0.0, error=0.001)
COMPARED = train.Compared(
    size="so large",
    ours=train.Spent(wall=10.0, processor=20.0),
    theirs=train.Spent(wall=31.0, processor=60.0),
    binned=train.Spent(wall=25.0, processor=50.0),
    found=(FOUND, FOUND),
)


def test_the_seeded_part_searches_plainly_too_and_judges_both_on_bars_that_neither_saw():
    plain, ours, ratio, binned, inner, held_out = train.measure(Plan(quick=True))

    assert min(plain.value, ours.value) > 0
    assert ratio.value == plain.value / ours.value
    assert binned.value > 0
    assert binned.goal is None
    assert (
        f"1 markets of 3,000 bars x {train.COLUMNS} features, 3 trials of 4 purged folds"
        in ours.how
    )
    # Three sets each, drawn from one space: neither can be far from the other.
    assert abs(inner.value) < 0.05
    assert abs(held_out.value) < 0.05


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, []),
        ({"theirs": train.Spent(wall=29.0, processor=60.0)}, ["as fast as the plain search"]),
        ({"found": (replace(FOUND, our_best=0.442),)}, ["log loss given up on the inner folds"]),
        ({"found": (replace(FOUND, gap=0.002),)}, ["log loss given up on bars that neither saw"]),
    ],
)
def test_speed_and_what_it_gave_up_are_both_judged(changed, missed):
    told = train.figures(replace(COMPARED, **changed), judged=True)

    assert [one.name for one in told if not one.holds] == missed


def test_a_small_part_is_told_and_not_judged():
    slow = replace(
        COMPARED, ours=train.Spent(wall=90.0, processor=90.0), found=(replace(FOUND, gap=1.0),)
    )

    assert all(one.holds for one in train.figures(slow, judged=False))
