"""A window's outcomes are exact, and performance is judged on outcomes that do not overlap."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from drift.verdict import Kind
from drift.window import OUTCOME, Window, examine, forward_returns

MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def index(rows, start=START):
    return pd.date_range(start, periods=rows, freq="min", tz="UTC")


def test_an_outcome_needs_the_very_bar_of_its_horizon():
    close = pd.Series([1.0, 2.0, 3.0, 6.0], index=index(5).delete(2))

    found = forward_returns(close, MINUTE, 1)

    assert found.iloc[0] == 1.0
    assert np.isnan(found.iloc[1])
    assert found.iloc[2] == 1.0
    assert np.isnan(found.iloc[3])


def window(rows, horizon, rose):
    whole = index(rows)
    columns = pd.DataFrame({"a": np.arange(rows) % 7.0, OUTCOME: rose}, whole)
    scores = pd.DataFrame({"probability": 0.3, OUTCOME: rose}, whole)
    cut = rows - 60
    return Window(
        start=whole[cut].to_pydatetime(),
        end=whole[-1].to_pydatetime() + MINUTE,
        interval=MINUTE,
        horizon_bars=horizon,
        cost=0.0,
        reference=columns.iloc[:cut],
        current=columns.iloc[cut:],
        scores=scores,
    )


def test_only_every_horizonth_outcome_is_counted():
    rose = np.where(np.arange(1200) % 2 == 0, 0.01, -0.01)

    found = {f.kind: f for f in examine(window(1200, 10, rose))}

    assert found[Kind.PERFORMANCE].detail["outcomes"] == 120
    assert found[Kind.CALIBRATION].alarm


def test_a_window_without_anything_is_examined_and_nothing_is_testable():
    empty = pd.DataFrame({"a": [], OUTCOME: []}, index=index(0), dtype="float64")
    nothing = Window(
        start=START,
        end=START + MINUTE,
        interval=MINUTE,
        horizon_bars=10,
        cost=0.0,
        reference=empty,
        current=empty,
        scores=pd.DataFrame({"probability": [], OUTCOME: []}, index=index(0), dtype="float64"),
    )

    found = examine(nothing)

    assert [f.kind for f in found] == list(Kind)
    assert not any(f.testable or f.alarm for f in found)
