"""How the trader of a run is set up, and how long its own limits let it take to be sound."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ops.campaign.markets import SYMBOLS
from ops.campaign.process import BACKOFF
from ops.campaign.scenario import BAR_SECONDS
from ops.campaign.venue import SECRET
from ops.campaign.wires import ADDRESS, SOCKETS
from streams.stream import PAUSES
from trader.duties import SETTLE_AFTER, SETTLE_EVERY
from trader.live import OWN_GHOST
from trader.settings import ExchangeSettings, TraderSettings
from trader.settlement import LAG

if TYPE_CHECKING:
    from pathlib import Path

    from ops.campaign.scenario import Scenario

PLENTY = Decimal(1_000_000)  # no limit on losses: every order costs fees, and that is no fault
# Seconds in which an order without an answer has ended, by the trader's own limits, once its
# deadline has passed: a start, a lease that a dead connection may hold, a stream that connects
# anew, the first look, the time it is looked for, and the next look after that. Half a minute
# is for orders that are given since: every one must have ended at a time.
LOOKS = SETTLE_AFTER + timedelta(seconds=SETTLE_EVERY) + LAG + timedelta(seconds=SETTLE_EVERY)
ENDED_WITHIN = BACKOFF[-1] + OWN_GHOST + PAUSES[-1] + LOOKS.total_seconds()
CALM = 30.0


def exchange_settings(key: str) -> ExchangeSettings:
    """Give the settings of a client of the simulated exchange."""
    return ExchangeSettings(
        rest_url=ADDRESS,
        public_ws_url=f"{SOCKETS}/public",
        private_ws_url=f"{SOCKETS}/private",
        api_key=SecretStr(key),
        api_secret=SecretStr(SECRET),
        request_interval_seconds=0,
    )


def trader_settings(scenario: Scenario, outage_file: Path) -> TraderSettings:
    """Give the settings of a run's trader, whom no loss keeps from trading."""
    return TraderSettings(
        symbols=",".join(SYMBOLS),
        bar_seconds=BAR_SECONDS,
        order_deadline_seconds=scenario.deadline,
        execution=scenario.policy,
        outage_file=outage_file,
        post_only_seconds=scenario.patience,
        daily_volatility=1.0,
        max_position_usd=Decimal(scenario.most),
        max_order_usd=Decimal(scenario.most),
        max_gross_usd=PLENTY,
        max_daily_loss_usd=PLENTY,
        max_model_loss_usd=PLENTY,
        max_model_odds=float("inf"),  # the script promises too much, so that orders flow
        max_drawdown_usd=PLENTY,
        max_entries_per_hour=1000,
    )


def healed_within(scenario: Scenario) -> float:
    """Say in how many seconds after the last fault the system must be sound, untouched."""
    away = 0.0 if scenario.death is None else scenario.death.seconds
    away += 0.0 if scenario.word is None else scenario.word.seconds
    return away + scenario.deadline + ENDED_WITHIN + scenario.patience + CALM
