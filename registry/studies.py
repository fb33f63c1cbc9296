"""Where Optuna keeps what was tried, and how much of it there is.

The studies on record are the ledger of trials: a trial is written down before it is made, so
that one whose process was killed is counted, too. Nothing of it may be deleted.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from sqlalchemy import make_url

if TYPE_CHECKING:
    from registry.settings import StudySettings

MARKET = "market"
# A worker silent for so many of its heartbeats is dead. A trial that kills every worker is
# given up.
SILENCE = 3
MOST_RETRIES = 2


def open_storage(settings: StudySettings) -> optuna.storages.BaseStorage:
    """Open the studies on record; without an address, a store that ends with the process."""
    return _open(settings, {})


def open_watched(settings: StudySettings) -> optuna.storages.BaseStorage:
    """Open them for a search, whose workers say that they live.

    The trial of one that fell silent is made again, under another number, by whoever goes on.
    """
    with warnings.catch_warnings():
        # Optuna calls its heartbeat experimental; that it works is tested here.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _open(
            settings,
            # What is lost with PostgreSQL was neither counted nor chosen from, and the look at the
            # hold-out that follows is written to disk with all before it.
            {"options": "-c synchronous_commit=off"},
            heartbeat_interval=settings.heartbeat_seconds,
            grace_period=SILENCE * settings.heartbeat_seconds,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(
                max_retry=MOST_RETRIES
            ),
        )


def trials_ever(storage: optuna.storages.BaseStorage, market: str) -> int:
    """Return how many trials were ever begun for a market, in whatever study.

    A look at a hold-out is a trial, too.
    """
    return sum(
        summary.n_trials
        for summary in optuna.get_all_study_summaries(storage)
        if summary.user_attrs.get(MARKET) == market
    )


def _open(
    settings: StudySettings, terms: dict[str, str], **watch: Any
) -> optuna.storages.BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if settings.storage_url is None:
        return optuna.storages.InMemoryStorage()
    url = make_url(settings.storage_url.get_secret_value())
    engine: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "postgresql":
        # SQLAlchemy 2.1 takes a bare postgresql:// to mean psycopg 3.
        url = url.set(drivername="postgresql+psycopg2")
        engine["connect_args"] = terms
    return optuna.storages.RDBStorage(
        url.render_as_string(hide_password=False), engine_kwargs=engine, **watch
    )
