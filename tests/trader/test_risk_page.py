"""docs/risk.md says of every check what the code says, and its figures can be had again."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import risk_page
from test_risk import REFUSED

from trader import risk
from trader.limits import Limits

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "risk.md"
BARS = ROOT.parent / "shared" / "data" / "coinbase_15m"


def test_the_table_is_the_one_that_the_code_makes(request):
    written = PAGE.read_text()
    expected = re.sub(r"\| # \|.*?\n\n", risk_page.table() + "\n", written, flags=re.DOTALL)
    expected = re.sub(
        r"\| a model goes.*?\n\n", risk_page.models_table() + "\n", expected, flags=re.DOTALL
    )
    if request.config.getoption("--regenerate"):
        PAGE.write_text(expected)

    assert written == expected


def test_every_code_is_refused_somewhere_in_the_tests_and_listed():
    listed = {code for check in risk.CHECKS for code in risk_page.codes(check)}

    assert {expected for expected, _, _ in REFUSED} == listed


def test_the_busiest_hour_stays_below_the_throttle():
    assert risk_page.busiest_hour() + 1 < Limits().max_pressure


@pytest.mark.parametrize(("quantile", "chance"), [(2.20, 0.05), (2.73, 0.01), (3.37, 0.001)])
def test_the_drawdown_s_chances_agree_with_those_published_for_daily_steps(quantile, chance):
    # Seen day by day a walk's extremes are a little smaller: 0.5826 of a day's step (Siegmund).
    seen = quantile + 0.5826 / np.sqrt(250)

    assert risk_page.drawdown_beyond(seen) == pytest.approx(chance, rel=0.35)


@pytest.mark.skipif(not BARS.is_dir(), reason="the shared market data is not beside the checkout")
def test_the_measured_figures_can_be_measured_again():
    limits, closes = Limits(), {}
    for name in ("XRP", "DOGE"):
        bars = pd.read_csv(BARS / f"{name}_USD_15m.csv.gz", parse_dates=["datetime"])
        closes[name] = bars.set_index("datetime")["close"]
    prices = pd.DataFrame(closes).dropna()
    stake = float(limits.max_gross_value) / 2
    days = prices.groupby(prices.index.date)
    daily = np.log(days.last()).diff().dropna().sum(axis=1) * stake
    worst = [-((day / day.iloc[0] - 1).sum(axis=1) * stake).min() for _, day in days]

    assert daily.std() == pytest.approx(risk_page.DAY_DEVIATION, abs=0.1)
    alone = np.log(days["DOGE"].last()).diff().dropna() * float(limits.max_position_value)
    assert alone.std() == pytest.approx(risk_page.MARKET_DEVIATION, abs=0.1)
    assert len(worst) == risk_page.DAYS
    assert sum(loss >= limits.max_daily_loss for loss in worst) == risk_page.DAYS_LOST
    steps = np.log(prices).diff().dropna().sum(axis=1).to_numpy() * stake
    found = drawdowns(steps - steps.mean())
    assert (found >= float(limits.max_drawdown)).mean() == pytest.approx(
        risk_page.DRAWDOWNS, abs=0.0005
    )


def drawdowns(steps, *, months=20_000, per_day=96):
    """Put months of six blocks of five days together, and return each one's drawdown."""
    rng = np.random.default_rng(0)
    days = steps[: len(steps) // per_day * per_day].reshape(-1, per_day)
    found = np.empty(months)
    for number in range(months):
        starts = rng.integers(0, len(days) - 5, 6)
        walk = np.concatenate([[0.0], *(days[s : s + 5].ravel() for s in starts)]).cumsum()
        found[number] = (np.maximum.accumulate(walk) - walk).max()
    return found
