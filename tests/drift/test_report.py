"""The report draws what can be drawn, with thresholds from history, and says when it cannot."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from drift.errors import ReportRefused
from drift.report import draw

RNG = np.random.default_rng(1)


def frame(rows, **columns):
    index = pd.date_range("2026-01-01", periods=rows, freq="min", tz="UTC")
    return pd.DataFrame({name: np.resize(values, rows) for name, values in columns.items()}, index)


def test_it_draws_the_columns_that_vary_in_both_windows(tmp_path):
    reference = frame(2000, moves=RNG.normal(0, 1e-4, 2000), still=[1.0], absent=[np.nan])
    current = frame(100, moves=RNG.normal(0, 1e-4, 100), still=[1.0], absent=[np.nan])

    drawn = draw(reference, current, tmp_path / "report.html")

    assert drawn == ["moves"]
    assert "Wasserstein distance (normed)" in (tmp_path / "report.html").read_text()


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(ReportRefused, match="no column has 10 values"):
        draw(frame(2000, x=RNG.random(2000)), frame(9, x=RNG.random(9)), tmp_path / "report.html")

    assert not (tmp_path / "report.html").exists()


def test_a_column_whose_few_values_lie_between_the_rows_drawn_is_left_out(tmp_path):
    new = np.where(np.arange(20_000) % 4 == 1, RNG.random(20_000), np.nan)
    reference = frame(20_000, x=RNG.random(20_000), new=new)
    current = frame(100, x=RNG.random(100), new=RNG.random(100))

    assert draw(reference, current, tmp_path / "report.html") == ["x"]


def test_only_the_report_loads_evidently_and_only_when_it_draws():
    check = "import sys, drift.report, drift.window; sys.exit('evidently' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
