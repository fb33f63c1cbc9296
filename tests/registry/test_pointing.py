"""The small client that moves aliases says and does what MLflow's own client does."""

import threading

import pytest
from werkzeug.serving import make_server

from registry import moving, store
from registry.errors import RegistryUnreachable, VersionUnknown
from registry.overriding import OVERRIDE, Override
from registry.pointing import Pointer
from registry.settings import ModelRegistrySettings

SYMBOL, NAME = "XRP/USD", "xrp-usd"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve a real registry over HTTP from a thread of this process."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{folder}/mlflow.db")
        patched.setenv("_MLFLOW_SERVER_REGISTRY_STORE", f"sqlite:///{folder}/mlflow.db")
        patched.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder / "artifacts"))
        from mlflow.server import app  # noqa: PLC0415 - it reads the variables above

        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(scope="module")
def settings(address):
    return ModelRegistrySettings(MLFLOW_TRACKING_URI=address)


@pytest.fixture(scope="module")
def theirs(settings):
    """Register three versions, of which the gate refused the last, with MLflow's own client."""
    client = store.open_registry(settings)
    run = client.create_run("0")
    client.log_metric(run.info.run_id, "hold_out_trades", 42.0)
    client.create_registered_model(NAME)
    for gate in ("passed", "passed", "refused"):
        source = f"{run.info.artifact_uri}/model"
        client.create_model_version(NAME, source, run_id=run.info.run_id, tags={"gate": gate})
    return client


@pytest.fixture
def ours(settings, theirs):  # noqa: ARG001 - with versions to ask for
    return Pointer(settings)


def told(client):
    versions = [store.version(client, SYMBOL, number) for number in (1, 2, 3)]
    return versions, store.aliases(client, SYMBOL), store.production_version(client, SYMBOL)


def test_a_promotion_and_a_way_back_are_what_mlflows_client_sees(ours, theirs):
    moving.promote(ours, SYMBOL, 1)
    moving.promote(ours, SYMBOL, 2)

    assert told(ours) == told(theirs)
    assert store.aliases(theirs, SYMBOL) == {"production": 2, "previous": 1}
    assert store.version(ours, SYMBOL, 1).metrics == {"hold_out_trades": 42.0}

    done = moving.restore(ours, SYMBOL, 1)

    assert (done.version, done.previous) == (1, 2)
    assert store.aliases(theirs, SYMBOL) == {"production": 1}
    assert told(ours) == told(theirs)


def test_a_word_against_the_gate_is_written_and_taken_away(ours, theirs):
    moving.promote(ours, SYMBOL, 1)
    moving.promote(ours, SYMBOL, 3, override=Override(who="Anna", why="a drill"))

    assert store.version(theirs, SYMBOL, 3).override == Override(who="Anna", why="a drill")

    moving.restore(ours, SYMBOL, 1)

    assert OVERRIDE not in store.version(theirs, SYMBOL, 3).tags


def test_a_stage_of_the_older_interface_moves_along(ours, theirs):
    with pytest.warns(FutureWarning):
        theirs.transition_model_version_stage(NAME, "2", "Production")

    moving.promote(ours, SYMBOL, 1)

    assert {one.current_stage for one in ours.get_registered_model(NAME).latest_versions} == {
        *("Archived", "None", "Production")
    }
    assert told(ours) == told(theirs)


def test_what_mlflow_does_not_have_is_unknown(ours):
    with pytest.raises(VersionUnknown, match="XRP/USD version 99"):
        store.version(ours, SYMBOL, 99)
    assert store.aliases(ours, "ADA/USD") == {}


def test_an_answer_that_is_no_answer_is_told(settings):
    elsewhere = Pointer(settings.model_copy(update={"tracking_uri": settings.tracking_uri + "/no"}))
    with pytest.raises(RegistryUnreachable, match="it answered 404"):
        store.version(elsewhere, SYMBOL, 1)


@pytest.mark.parametrize("opened", [Pointer, store.open_registry])
def test_where_nothing_answers_the_address_is_told_and_no_more(settings, opened):
    nobody = opened(settings.model_copy(update={"tracking_uri": "http://127.0.0.1:1"}))

    with pytest.raises(RegistryUnreachable) as refused:
        store.aliases(nobody, SYMBOL)

    said = "the model registry failed on XRP/USD: nothing answers at http://127.0.0.1:1"
    assert str(refused.value) == said
