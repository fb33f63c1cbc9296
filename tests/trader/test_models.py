"""What the trader takes from the registry is checked, kept for a bad day, and let go when told."""

import queue

import pytest

from registry.errors import RegistryUnreachable
from trader.events import ModelRefused, ModelWithdrawn
from trader.models import FILES, ModelCache, ModelWatch, Version

VERSION = Version(number=3, run_id="run", tags={"artifact_sha256": "0" * 64})


class Registry:
    """A registry that says what it is told to, or nothing."""

    def __init__(self):
        self.pointed, self.away = {}, False

    def aliases(self, _name):
        """Return the aliases of a model."""
        if self.away:
            raise RegistryUnreachable("away")
        return dict(self.pointed)

    def version(self, _name, _number):
        """Return a version without a model worth the name."""
        return VERSION

    def files(self, _name, _number):
        """Return files that are no model."""
        return dict.fromkeys(FILES, b"nonsense")


@pytest.fixture
def events():
    return queue.Queue()


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def watch(registry, events, tmp_path):
    return ModelWatch(registry, ModelCache(tmp_path), ("XRP/USD",), events)


def test_a_version_that_is_not_what_it_says_is_refused_once(watch, registry, events):
    registry.pointed = {"production": 3}

    watch._follow("XRP/USD")
    watch._follow("XRP/USD")

    (refused,) = drained(events)
    assert isinstance(refused, ModelRefused)
    assert "model.ubj was changed after registration" in refused.reason


def test_an_alias_that_is_taken_away_withdraws_the_model_and_its_copy(
    watch, registry, events, tmp_path
):
    registry.pointed = {"production": 3}
    watch._follow("XRP/USD")
    ModelCache(tmp_path).keep("XRP/USD", VERSION, dict.fromkeys(FILES, b""))
    registry.pointed = {}

    watch._follow("XRP/USD")

    assert drained(events)[-1] == ModelWithdrawn(symbol="XRP/USD", role="production")
    assert ModelCache(tmp_path).recall("XRP/USD") is None


def test_a_promoted_challenger_challenges_nobody(watch, registry, events):
    registry.pointed = {"production": 3, "challenger": 3}

    watch._follow("XRP/USD")

    assert [event.role for event in drained(events)] == ["production"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', "\x00"])
def test_a_damaged_copy_is_refused_and_not_a_crash(tmp_path, content):
    (tmp_path / "xrp-usd.json").write_text(content)

    assert isinstance(ModelCache(tmp_path).recall("XRP/USD"), ModelRefused)


def test_what_was_kept_is_checked_again_before_it_trades(tmp_path):
    cache = ModelCache(tmp_path)
    cache.keep("XRP/USD", VERSION, dict.fromkeys(FILES, b"edited"))

    assert isinstance(cache.recall("XRP/USD"), ModelRefused)


def drained(events):
    found = []
    while not events.empty():
        found.append(events.get())
    return found
