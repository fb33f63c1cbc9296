"""What the trader takes from the registry is checked, kept for a bad day, and let go when told."""

import queue
from dataclasses import replace
from functools import partial

import artifacts_of_ours
import pytest

from registry.errors import RegistryUnreachable
from serving.events import ModelLoaded, ModelRefused, ModelWithdrawn
from serving.model_cache import FILES, SPARES, ModelCache, Version
from serving.models import ModelWatch
from serving.signals import Pointers, Signals, choose

VERSION = Version(number=3, run_id="run", tags={"artifact_sha256": "0" * 64})


class Registry:
    """A registry that says what it is told to, or nothing."""

    def __init__(self):
        self.pointed, self.stage, self.away, self.broken = {}, None, False, ()

    def pointers(self, _name):
        """Return what points at a version of a model."""
        if self.away:
            raise RegistryUnreachable("away")
        return Pointers(aliases=dict(self.pointed), stage=self.stage)

    def version(self, _name, number):
        """Return a version without a model worth the name."""
        if number in self.broken:
            raise RegistryUnreachable("no such run")
        return replace(VERSION, number=number)

    def files(self, _name, _number):
        """Return files that are no model."""
        return dict.fromkeys(FILES, b"nonsense")


@pytest.fixture
def events():
    return queue.Queue()


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture(scope="module")
def artifact():
    return partial(artifacts_of_ours.artifact, raw=artifacts_of_ours.sound_bytes())


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


def test_a_refused_version_is_looked_at_again_when_somebody_overrides_its_gate(
    watch, registry, events, monkeypatch
):
    raw = artifacts_of_ours.sound_bytes()
    version, files = artifacts_of_ours.artifact(3, raw, gate="refused")
    registry.pointed = {"production": 3}
    monkeypatch.setattr(registry, "version", lambda _name, _number: version)
    monkeypatch.setattr(registry, "files", lambda _name, _number: files)
    watch._follow("XRP/USD")
    watch._follow("XRP/USD")
    (refused,) = drained(events)
    assert "as in 'Anna: too few trades to tell'" in refused.reason

    version.tags["override"] = "Anna: a short sample"
    watch._follow("XRP/USD")
    watch._follow("XRP/USD")

    (loaded,) = drained(events)
    assert isinstance(loaded, ModelLoaded)
    assert loaded.evidence["override"] == "Anna: a short sample"


def test_a_promoted_challenger_challenges_nobody(watch, registry, events):
    registry.pointed = {"production": 3, "challenger": 3}

    watch._follow("XRP/USD")

    assert [event.role for event in drained(events)] == ["production"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', "\x00", "[" * 100_000])
def test_a_damaged_copy_is_refused_and_not_a_crash(tmp_path, content):
    (tmp_path / "xrp-usd.json").write_text(content)

    assert isinstance(ModelCache(tmp_path).recall("XRP/USD"), ModelRefused)


def test_what_was_kept_is_checked_again_before_it_trades(tmp_path):
    cache = ModelCache(tmp_path)
    cache.keep("XRP/USD", VERSION, dict.fromkeys(FILES, b"edited"))

    assert isinstance(cache.recall("XRP/USD"), ModelRefused)


@pytest.mark.parametrize(
    ("looks", "chosen"),
    [
        ([(2, None)], 2),
        ([(None, 3)], 3),
        ([(2, 3)], 2),  # at a first look the alias counts
        ([(2, None), (2, 3)], 3),  # then whichever was moved
        ([(2, None), (2, 3), (2, 3)], 3),
        ([(2, None), (2, 3), (4, 3)], 4),
        ([(2, 3), (2, None)], 2),
        ([(2, 3), (None, 3)], 3),
        ([(2, 3), (None, None)], None),
    ],
)
def test_what_an_operator_moved_last_is_what_they_want(looks, chosen):
    signals = None
    for alias, stage in looks:
        aliases = {} if alias is None else {"production": alias}
        signals = choose(signals, Pointers(aliases=aliases, stage=stage))

    assert signals.chosen == chosen


def test_a_stage_that_was_moved_still_counts_after_a_restart(watch, registry, events, tmp_path):
    registry.pointed = {"production": 2}
    watch._follow("XRP/USD")
    registry.stage = 3
    watch._follow("XRP/USD")

    again = ModelWatch(registry, ModelCache(tmp_path), ("XRP/USD",), events)
    again._follow("XRP/USD")

    assert [event.version for event in drained(events)] == [2, 3, 3]
    assert ModelCache(tmp_path).signals("XRP/USD") == Signals(alias=2, stage=3, chosen=3)


def test_two_aliases_that_differ_by_case_are_refused_and_never_guessed_at(watch, registry, events):
    registry.pointed = {"production": 2, "Production": 3}
    for _ in range(2):
        watch._follow("XRP/USD")
    (told,) = drained(events)
    assert isinstance(told, ModelRefused)
    assert "'Production'" in told.reason

    registry.pointed = {"production": 2, "Production": 2}
    watch._follow("XRP/USD")

    assert [event.version for event in drained(events)] == [2]


def test_an_alias_taken_away_while_nobody_looked_is_told_once(watch, registry, events):
    watch._follow("XRP/USD")
    watch._follow("XRP/USD")
    assert drained(events) == [ModelWithdrawn(symbol="XRP/USD", role="production")]

    registry.pointed = {"production": 3}
    watch._follow("XRP/USD")
    registry.pointed["Production"] = 4
    watch._follow("XRP/USD")
    registry.pointed = {}  # both between two looks
    watch._follow("XRP/USD")
    watch._follow("XRP/USD")

    told = [type(event) for event in drained(events)]
    assert told == [ModelRefused, ModelRefused, ModelWithdrawn]


def test_what_cannot_be_fetched_of_one_role_holds_up_no_other(watch, registry, events, capsys):
    registry.pointed, registry.broken = {"previous": 1, "production": 3}, (1,)
    for _ in range(3):
        watch._follow("XRP/USD")

    assert [event.version for event in drained(events)] == [3]
    assert capsys.readouterr().err.count("cannot follow") == 1


def test_the_versions_before_are_kept_too_and_not_for_ever(tmp_path):
    cache = ModelCache(tmp_path)
    for number in range(1, SPARES + 4):
        cache.keep("XRP/USD", replace(VERSION, number=number), dict.fromkeys(FILES, b""))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["xrp-usd.json", *(f"xrp-usd.v{n}.json" for n in range(3, SPARES + 3))]

    cache.keep("XRP/USD", replace(VERSION, number=4), dict.fromkeys(FILES, b""))

    assert not (tmp_path / "xrp-usd.v4.json").exists()
    assert (tmp_path / f"xrp-usd.v{SPARES + 3}.json").exists()


def test_a_start_without_a_registry_has_the_good_model_and_the_one_before(
    registry, events, tmp_path, artifact
):
    for number in (1, 2):
        ModelCache(tmp_path).keep("XRP/USD", *artifact(number))
    (tmp_path / "xrp-usd.v7.json").write_text("{}")
    registry.away = True
    watch = ModelWatch(registry, ModelCache(tmp_path), ("XRP/USD",), events)

    watch.start()
    watch.stop()

    told = [(type(event), event.role, event.version) for event in drained(events)]
    assert told == [(ModelLoaded, "previous", 1), (ModelLoaded, "production", 2)]


def test_the_registrys_first_word_confirms_the_copy_that_a_start_began_with(
    registry, events, tmp_path, artifact
):
    ModelCache(tmp_path).keep("XRP/USD", *artifact(2))
    registry.away = True
    watch = ModelWatch(registry, ModelCache(tmp_path), ("XRP/USD",), events)
    watch.start()
    watch.stop()
    (copy,) = drained(events)

    registry.away, registry.pointed = False, {"production": 2}
    watch._follow("XRP/USD")
    watch._follow("XRP/USD")

    assert copy.is_copy
    assert drained(events) == [replace(copy, is_copy=False)]


def drained(events):
    found = []
    while not events.empty():
        found.append(events.get())
    return found
