"""A snapshot tells the bars that taught a model apart from any others."""

from datetime import timedelta

import markets

from registry.snapshot import fingerprint, take

MINUTE = timedelta(minutes=1)


def test_one_changed_price_gives_another_data_hash():
    bars = markets.walk(1, days=1)
    changed = bars.copy()
    changed.iloc[700, 3] *= 1 + 1e-12

    assert fingerprint(bars) == fingerprint(bars.copy())
    assert fingerprint(bars) != fingerprint(changed)
    assert fingerprint(bars) != fingerprint(bars.iloc[1:])


def test_a_snapshot_says_which_bars_to_read_again():
    bars = markets.walk(1, days=1)

    taken = take(bars, MINUTE)

    assert (taken.start, taken.end) == (bars.index[0], bars.index[-1] + MINUTE)
    assert (taken.bars, taken.columns) == (len(bars), tuple(bars.columns))
    assert taken.sha256 == fingerprint(bars)
