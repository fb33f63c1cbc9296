"""A search in a process of its own, to be killed in the middle: DATABASE TRIALS."""

import sys
from dataclasses import replace
from datetime import timedelta
from functools import cache

import markets

from market import features
from registry import training
from registry.labels import label
from registry.search import search
from registry.settings import StudySettings
from registry.training import Plan

MARKET, NAME = "XRP/USD", "xrp-usd-one"


def course(trials):
    """Return what a search of so many trials draws on: two days with a pattern."""
    made = prepared()
    return replace(made, plan=replace(made.plan, trials=trials))


@cache
def prepared():
    """Return a course whose number of trials is yet to be chosen."""
    plan = Plan(interval=timedelta(minutes=1), horizon=10, cost=0.005)
    bars = markets.planted(5, days=2)
    table = label(bars["close"], interval=plan.interval, horizon=plan.horizon, cost=plan.cost)
    return training.prepare(features.compute(bars), table, bars, plan)


if __name__ == "__main__":
    settings = StudySettings(OPTUNA_STORAGE_URL=sys.argv[1], TRAINING_HEARTBEAT_SECONDS=1)
    search(course(int(sys.argv[2])), settings, market=MARKET, name=NAME)
