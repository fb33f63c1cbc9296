"""A version is registered whole or not at all, and promoted only past its gate."""

import json
import socket
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import pytest

from market import features
from registry import contract, moving, registration, served, store
from registry.errors import PromotionRefused, RegistryUnreachable, VersionUnknown
from registry.overriding import Override
from registry.settings import ModelRegistrySettings
from serving.events import ModelLoaded
from serving.model_cache import FILES, Version, verify


@pytest.fixture(scope="module")
def registered(registry, candidate, refused):
    passed = registration.register(registry, candidate, trigger="test")
    return passed, registration.register(registry, refused, trigger="test")


def test_the_trader_finds_all_three_files_in_one_folder(registry, registered, candidate):
    uri = registry.get_model_version_download_uri("xrp-usd", str(registered[0].version))
    folder = Path(urlsplit(uri).path)
    tags = store.version(registry, "XRP/USD", registered[0].version).tags

    model = served.load(
        (folder / "model.ubj").read_bytes(),
        (folder / "contract.json").read_bytes(),
        (folder / "golden.json").read_bytes(),
        expected_sha256=tags["artifact_sha256"],
        expected_contract_sha256=tags["contract_sha256"],
        feature_names=features.NAMES,
        feature_hash=features.HASH,
    )

    assert model.contract == candidate.contract


def test_mlflow_itself_can_read_the_model_and_its_signature(registered):
    uri = f"models:/xrp-usd/{registered[0].version}"
    loaded = mlflow.pyfunc.load_model(uri)

    assert tuple(loaded.metadata.signature.inputs.input_names()) == features.NAMES


def test_a_version_tells_what_its_gate_found(registry, registered, candidate):
    found = store.version(registry, "XRP/USD", registered[0].version)

    assert found.passed
    assert found.gate_reason == candidate.verdict.reason
    assert found.cost == 0.005
    assert found.tags["data_hash"] == candidate.contract.data_hash
    assert found.tags["contract_sha256"] == contract.digest(candidate.contract_json)
    assert found.metrics["hold_out_trades"] == candidate.evidence.trades


def test_a_versions_page_begins_with_the_verdict_and_leads_to_its_files(registry, registered):
    passed, refused = (
        registry.get_model_version("xrp-usd", str(one.version)) for one in registered
    )

    run = registry.get_run(passed.run_id).info
    told = f"#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/evidence"
    assert passed.description.startswith(f"Passed as 1.0.0: [plots and files]({told}).\n\n# XRP")
    assert refused.description.startswith("Refused as 1.")
    assert {file.path for file in registry.list_artifacts(run.run_id)} == {"evidence"}


def test_a_version_is_numbered_by_what_changed_since_the_one_before(
    registry, registered, candidate
):
    first, second = (store.version(registry, "XRP/USD", one.version) for one in registered)
    calibrated = replace(candidate.contract, symbol="LTC/USD", platt_slope=0.5)

    one = registration.register(registry, _of(candidate, "LTC/USD"), trigger="test")
    again = registration.register(
        registry,
        replace(candidate, contract=calibrated, contract_json=contract.to_json(calibrated)),
        trigger="test",
    )
    asked = replace(calibrated, cost=0.006)
    other = registration.register(registry, replace(candidate, contract=asked), trigger="test")

    # Another market's noise was asked the same, and taught other trees.
    assert (first.semantic, second.semantic) == ("1.0.0", "1.1.0")
    assert (one.semantic, again.semantic, other.semantic) == ("1.0.0", "1.0.1", "2.0.0")
    told = registry.get_model_version("ltc-usd", str(other.version))
    assert "the cost of a round trip 0.005 before, 0.006 now" in told.description
    assert registry.get_run(other.run_id).info.run_name == "ltc-usd 2.0.0"


def test_the_run_holds_the_evidence(registry, registered, candidate):
    run = registry.get_run(registered[0].run_id)
    files = {Path(file.path).name for file in registry.list_artifacts(run.info.run_id, "evidence")}

    assert run.info.status == "FINISHED"
    assert {"verdict.md", "verdict.json", "contract.json"} < files
    assert {"reliability.png", "hold_out_equity.png", "feature_importance.png"} < files
    (told,) = run.inputs.dataset_inputs
    assert told.dataset.digest == candidate.contract.data_hash[:36]
    assert json.loads(told.dataset.source) == {
        "table": "market.price_bars",
        "symbol": "XRP/USD",
        "interval_seconds": 60,
        "start": candidate.data.start.isoformat(),
        "end": candidate.data.end.isoformat(),
        "sha256": candidate.contract.data_hash,
    }
    assert json.loads(told.dataset.profile) == {"num_rows": candidate.data.bars}
    columns = json.loads(told.dataset.schema)["mlflow_colspec"]
    assert tuple(one["name"] for one in columns) == candidate.data.columns
    assert run.data.params["horizon_bars"] == "10"
    assert run.data.tags["trigger"] == "test"


def test_registration_sets_no_alias(registry, registered):
    assert store.version(registry, "XRP/USD", registered[0].version).aliases == ()
    assert store.version(registry, "XRP/USD", registered[1].version).aliases == ()


def test_versions_are_listed_newest_first(registry, registered):
    listed = store.versions(registry, "XRP/USD")

    assert [one.version for one in listed] == [registered[1].version, registered[0].version]


def test_a_market_without_a_model_has_no_versions(registry):
    assert store.versions(registry, "BTC/USD") == []
    assert store.production_version(registry, "BTC/USD") is None


def test_promotion_moves_production_and_remembers_the_one_before(registry, candidate):
    first = registration.register(registry, _of(candidate, "DOGE/USD"), trigger="test").version
    second = registration.register(registry, _of(candidate, "DOGE/USD"), trigger="test").version

    store.challenge(registry, "DOGE/USD", second)
    assert moving.promote(registry, "DOGE/USD", first).previous is None
    assert store.aliases(registry, "DOGE/USD") == {"production": first, "challenger": second}
    assert moving.promote(registry, "DOGE/USD", second).previous == first
    assert moving.promote(registry, "DOGE/USD", second).previous == second
    assert store.aliases(registry, "DOGE/USD") == {"production": second, "previous": first}
    assert store.production_version(registry, "DOGE/USD") == second


def test_what_is_restored_does_not_remember_what_it_replaced(registry, candidate):
    first = registration.register(registry, _of(candidate, "SOL/USD"), trigger="test").version
    second = registration.register(registry, _of(candidate, "SOL/USD"), trigger="test").version
    moving.promote(registry, "SOL/USD", first)
    moving.promote(registry, "SOL/USD", second)

    assert moving.restore(registry, "SOL/USD", first).previous == second
    assert store.aliases(registry, "SOL/USD") == {"production": first}


def test_a_stage_counts_where_there_is_no_alias_and_follows_a_promotion(registry, candidate):
    first = registration.register(registry, _of(candidate, "ADA/USD"), trigger="test").version
    second = registration.register(registry, _of(candidate, "ADA/USD"), trigger="test").version
    with pytest.warns(FutureWarning):
        registry.transition_model_version_stage("ada-usd", str(second), "Production")
    assert store.production_version(registry, "ADA/USD") == second

    assert moving.promote(registry, "ADA/USD", first).previous == second

    staged = registry.get_registered_model("ada-usd").latest_versions
    assert {one.version: one.current_stage for one in staged}[first] == "Production"
    assert store.aliases(registry, "ADA/USD") == {"production": first, "previous": second}


def test_a_refused_version_is_not_promoted(registry, registered):
    with pytest.raises(PromotionRefused, match="its gate says refused"):
        moving.promote(registry, "XRP/USD", registered[1].version)

    assert store.production_version(registry, "XRP/USD") is None


def test_a_refused_version_is_promoted_on_a_persons_word_until_it_is_rolled_back(
    registry, candidate, refused
):
    word = Override(who="Anna", why="the sample is short")
    sound = registration.register(registry, _of(candidate, "DOT/USD"), trigger="test").version
    poor = registration.register(registry, _of(refused, "DOT/USD"), trigger="test").version
    with pytest.raises(PromotionRefused, match="promote it without an override"):
        moving.promote(registry, "DOT/USD", sound, override=word)
    moving.promote(registry, "DOT/USD", sound)

    moving.promote(registry, "DOT/USD", poor, override=word)
    assert store.version(registry, "DOT/USD", poor).override == word
    moving.restore(registry, "DOT/USD", sound)

    assert store.version(registry, "DOT/USD", poor).override is None
    with pytest.raises(PromotionRefused, match="its gate says refused"):
        moving.promote(registry, "DOT/USD", poor)


def test_an_artifact_edited_after_registration_is_refused_by_the_trader(registry, candidate):
    number = registration.register(registry, _of(candidate, "XMR/USD"), trigger="test").version
    folder = Path(urlsplit(registry.get_model_version_download_uri("xmr-usd", str(number))).path)
    known = store.version(registry, "XMR/USD", number)
    version = Version(number=number, run_id=known.run_id, tags=known.tags)

    def taken():
        files = {name: (folder / name).read_bytes() for name in FILES}
        return verify("XMR/USD", "production", version, files)

    assert isinstance(taken(), ModelLoaded)
    for name in ("model.ubj", "contract.json"):
        sound = (folder / name).read_bytes()
        (folder / name).write_bytes(sound.replace(b"1", b"2", 1))
        assert "changed after registration" in taken().reason
        (folder / name).write_bytes(sound)
    (folder / "golden.json").write_bytes(b"{}")
    assert "golden" in taken().reason


@pytest.mark.usefixtures("registered")
def test_an_unknown_version_is_not_promoted(registry):
    with pytest.raises(VersionUnknown, match="XRP/USD version 99"):
        moving.promote(registry, "XRP/USD", 99)


class Breaking:
    """A registry that fails at one call and otherwise is the real one."""

    def __init__(self, client, call):
        self._client = client
        self._call = call

    def __getattr__(self, name):
        if name == self._call:
            return self._fail
        return getattr(self._client, name)

    def _fail(self, *_, **__):
        raise ConnectionError("the server went away")


@pytest.mark.parametrize(
    "call",
    [
        "create_logged_model",
        "log_model_artifacts",
        "finalize_logged_model",
        "log_batch",
        "log_artifacts",
        "create_model_version",
    ],
)
def test_a_failure_on_the_way_leaves_no_version_and_a_rerun_ends_well(registry, candidate, call):
    symbol = call.replace("_", "-").upper() + "/USD"
    offered = _of(candidate, symbol)

    with pytest.raises(RegistryUnreachable, match="the server went away"):
        registration.register(Breaking(registry, call), offered, trigger="test")

    assert store.versions(registry, symbol) == []
    (run,) = registry.search_runs(_experiments(registry), f"tags.symbol = '{symbol}'")
    assert run.info.status == "FAILED"
    again = registration.register(registry, offered, trigger="test")
    assert [one.version for one in store.versions(registry, symbol)] == [again.version]


def test_a_run_that_cannot_be_closed_takes_its_version_with_it(registry, candidate):
    with pytest.raises(RegistryUnreachable):
        registration.register(
            Breaking(registry, "set_terminated"), _of(candidate, "BTC/USD"), trigger="test"
        )

    assert store.versions(registry, "BTC/USD") == []


def test_a_registry_that_is_down_is_reported_at_once(candidate):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        client = store.open_registry(ModelRegistrySettings(MLFLOW_TRACKING_URI=address))

        with pytest.raises(RegistryUnreachable):
            registration.register(client, candidate, trigger="test")

    assert time.monotonic() - began < 30


@pytest.mark.parametrize("uri", ["", "localhost:5000", "ftp://somewhere"])
def test_a_tracking_address_of_no_known_kind_is_refused(uri):
    with pytest.raises(ValueError, match="MLFLOW_TRACKING_URI must be"):
        ModelRegistrySettings(MLFLOW_TRACKING_URI=uri)


def _of(candidate, symbol):
    agreed = replace(candidate.contract, symbol=symbol)
    return replace(candidate, contract=agreed, contract_json=contract.to_json(agreed))


def _experiments(registry):
    return [registry.get_experiment_by_name("retrain").experiment_id]
