"""Put a candidate into MLflow with everything that speaks for and against it.

Files first, then the run, and last the version with all its tags at once. Aliases are set by
others and later, so that none ever points at something half-written.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import xgboost as xgb

from registry import contract as terms
from registry import numbering, plots, report, served, store
from registry.contract import model_name
from registry.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from registry.numbering import Numbered
    from registry.retraining import Candidate
    from registry.training import Plan

EXPERIMENT = "retrain"
DIGEST_DIGITS = 36  # as many as MLflow keeps of a dataset's digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Where a candidate went."""

    version: int
    run_id: str
    semantic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A candidate with the number it is given, and its tags."""

    candidate: Candidate
    numbered: Numbered
    tags: dict[str, str]

    def page(self) -> str:
        """Write the verdict for a person to read, its number included."""
        said = f"Its number is {self.numbered}: {self.numbered.reason}."
        return f"{report.markdown(self.candidate)}\n{said}\n"

    def description(self, experiment_id: str, run_id: str) -> str:
        """Write the same for a version's page, with a way to the plots and files of its run.

        MLflow's list of versions shows the first dozen letters.
        """
        word = "Passed" if self.candidate.verdict.passed else "Refused"
        evidence = f"#/experiments/{experiment_id}/runs/{run_id}/artifacts/evidence"
        return f"{word} as {self.numbered}: [plots and files]({evidence}).\n\n{self.page()}"


def register(client: MlflowClient, candidate: Candidate, *, trigger: str) -> Registered:
    """Store a candidate, passed or refused.

    Raises:
        RegistryUnreachable: MLflow failed on the way. The run says FAILED, and what was
            written of the version is taken away again if MLflow still listens.
    """
    with store.translated("a new run"):
        offer = _number(client, candidate)
        run_id = _open_run(client, offer, trigger)
    number: int | None = None
    try:
        with store.translated("a new version"), TemporaryDirectory() as folder:
            model_id = _upload_model(client, offer, run_id, Path(folder) / "model")
            _log_run(client, offer, run_id, model_id, Path(folder) / "evidence")
            number = _create_version(client, offer, run_id, model_id)
            client.set_terminated(run_id, "FINISHED")
    except RegistryError:
        _take_back(client, candidate, run_id, number)
        raise
    return Registered(version=number, run_id=run_id, semantic=str(offer.numbered))


def _number(client: MlflowClient, candidate: Candidate) -> _Offer:
    tags = report.tags(candidate) | {"label": _label(candidate.plan)}
    numbered = numbering.number(store.latest_tags(client, candidate.contract.symbol), tags)
    # MLflow's list shows tags in this order, and cuts each short.
    first = {"gate": tags["gate"]} | numbered.tags()
    return _Offer(candidate=candidate, numbered=numbered, tags=first | tags)


def _label(plan: Plan) -> str:
    if plan.barrier is None:
        return "a return beyond the cost at the horizon"
    ended = f"the first of two barriers {plan.barrier:g} volatilities away, or the horizon, ends it"
    return f"a return beyond the cost where {ended}"


def _open_run(client: MlflowClient, offer: _Offer, trigger: str) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    contract = offer.candidate.contract
    named = f"{model_name(contract.symbol)} {offer.numbered}"
    tags = {"symbol": contract.symbol, "trigger": trigger} | offer.tags
    run = client.create_run(experiment_id, run_name=named, tags=tags)
    return str(run.info.run_id)


def _upload_model(client: MlflowClient, offer: _Offer, run_id: str, folder: Path) -> str:
    candidate = offer.candidate
    _write_model(candidate, folder)
    experiment_id = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(
        experiment_id,
        name=model_name(candidate.contract.symbol),
        source_run_id=run_id,
        model_type="xgboost",
        tags=offer.tags,
        params={key: str(value) for key, value in report.parameters(candidate).items()},
    )
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _write_model(candidate: Candidate, folder: Path) -> None:
    import mlflow.xgboost  # noqa: PLC0415 - seconds to import, so only where models are written
    from mlflow.models import ModelSignature  # noqa: PLC0415 - mlflow takes seconds to import
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415 - mlflow takes seconds to import

    contract = candidate.contract
    mlflow.xgboost.save_model(
        served.read_booster(candidate.model_ubj),
        str(folder),
        signature=ModelSignature(
            inputs=Schema([ColSpec("double", name) for name in contract.features]),
            outputs=Schema([ColSpec("double", "uncalibrated_probability")]),
        ),
        model_format="ubj",
        pip_requirements=[f"xgboost=={xgb.__version__}"],
        metadata={"feature_hash": contract.feature_hash, "data_hash": contract.data_hash},
    )
    # The bytes the gate examined, not the flavour's own rendering of them.
    (folder / "model.ubj").write_bytes(candidate.model_ubj)
    (folder / "contract.json").write_bytes(candidate.contract_json)
    (folder / "golden.json").write_bytes(candidate.golden_json)


def _log_run(client: MlflowClient, offer: _Offer, run_id: str, model_id: str, folder: Path) -> None:
    from mlflow.entities import LoggedModelOutput, Metric, Param  # noqa: PLC0415 - mlflow takes seconds to import

    candidate = offer.candidate
    now = int(datetime.now(UTC).timestamp() * 1000)
    metrics = [
        Metric(name, value, now, 0, model_id=model_id, run_id=run_id)
        for name, value in report.metrics(candidate).items()
    ]
    parameters = [Param(key, str(value)) for key, value in report.parameters(candidate).items()]
    client.log_batch(run_id, metrics=metrics, params=parameters)
    client.log_inputs(run_id, [_dataset(candidate)])
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    folder.mkdir()
    files = plots.draw(candidate) | {
        "verdict.md": offer.page().encode(),
        "verdict.json": report.verdict_json(candidate.verdict),
        "contract.json": candidate.contract_json,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    client.log_artifacts(run_id, str(folder), "evidence")


def _dataset(candidate: Candidate) -> object:
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - mlflow takes seconds to import

    contract, data = candidate.contract, candidate.data
    source = {
        "table": "market.price_bars",
        "symbol": contract.symbol,
        "interval_seconds": contract.interval_seconds,
        "start": data.start.isoformat(),
        "end": data.end.isoformat(),
        "sha256": data.sha256,
    }
    columns = [{"type": "double", "name": name, "required": False} for name in data.columns]
    dataset = Dataset(
        name=f"{model_name(contract.symbol)} bars",
        digest=data.sha256[:DIGEST_DIGITS],
        source_type="postgresql",
        source=msgspec.json.encode(source).decode(),
        schema=msgspec.json.encode({"mlflow_colspec": columns}).decode(),
        profile=msgspec.json.encode({"num_rows": data.bars}).decode(),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _create_version(client: MlflowClient, offer: _Offer, run_id: str, model_id: str) -> int:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - mlflow takes seconds to import

    symbol = offer.candidate.contract.symbol
    try:
        client.create_registered_model(
            model_name(symbol), tags={"symbol": symbol}, description=f"The model of {symbol}."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    created = client.create_model_version(
        model_name(symbol),
        f"models:/{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags=offer.tags | {"contract_sha256": terms.digest(offer.candidate.contract_json)},
        description=offer.description(client.get_run(run_id).info.experiment_id, run_id),
        await_creation_for=0,
    )
    return int(created.version)


def _take_back(client: MlflowClient, candidate: Candidate, run_id: str, number: int | None) -> None:
    # What cannot be taken back has no alias, and so is no more than a line in a list.
    if number is not None:
        with suppress(RegistryError), store.translated("taking back a version"):
            client.delete_model_version(model_name(candidate.contract.symbol), str(number))
    with suppress(RegistryError), store.translated("closing a run"):
        client.set_terminated(run_id, "FAILED")
