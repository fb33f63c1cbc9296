"""Nothing is served that is not what its version says it is."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
import xgboost as xgb

from registry import contract as terms
from registry import served
from registry.errors import ArtifactRefused
from registry.overriding import Override

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def table():
    numbers = np.random.default_rng(7).normal(size=(600, 4))
    numbers[::7, 1] = np.nan
    return numbers


@pytest.fixture(scope="module")
def booster(table):
    matrix = xgb.DMatrix(table.astype(np.float32), table[:, 0] > 0)
    return xgb.train({"objective": "binary:logistic", "nthread": 1}, matrix, 20)


@pytest.fixture
def model(booster):
    return bytes(booster.save_raw("ubj"))


@pytest.fixture
def contract(model):
    return terms.Contract(
        symbol="XRP/USD",
        interval_seconds=60,
        horizon_bars=10,
        features=NAMES,
        feature_hash="f" * 64,
        cost=0.005,
        gain=0.012,
        loss=0.001,
        base_rate=0.2,
        platt_slope=0.8,
        platt_intercept=-0.1,
        model_sha256=terms.digest(model),
        data_hash="d" * 64,
        trained_until=datetime(2026, 11, 1, tzinfo=UTC),
        git_commit="unknown",
        gate_passed=True,
        gate_reason="every check passed",
    )


@pytest.fixture
def golden(table, contract, booster):
    trained = served.ServedModel(contract=contract, booster=booster)
    return served.to_json(table[:32], [trained.predict(row) for row in table[:32]])


def load(model, contract, golden, **changed):
    given = {
        "expected_sha256": terms.digest(model),
        "feature_names": NAMES,
        "feature_hash": "f" * 64,
    }
    return served.load(model, terms.to_json(contract), golden, **(given | changed))


def test_a_sound_model_is_served_as_it_was_trained(model, contract, golden, table, booster):
    margin = booster.predict(xgb.DMatrix(table[:1]), output_margin=True)[0]

    found = load(model, contract, golden).predict(table[0])

    assert found == pytest.approx(1 / (1 + np.exp(-(0.8 * margin - 0.1))), abs=1e-6)


def test_a_contract_survives_being_written_and_read(contract):
    assert terms.parse(terms.to_json(contract)) == contract


def test_one_changed_byte_of_the_model_is_refused(model, contract, golden):
    edited = bytearray(model)
    edited[len(edited) // 2] ^= 1

    with pytest.raises(ArtifactRefused, match=r"model\.ubj was changed"):
        load(bytes(edited), contract, golden, expected_sha256=terms.digest(model))


def test_an_edited_contract_is_refused(model, contract, golden):
    edited = replace(contract, cost=0.0)

    with pytest.raises(ArtifactRefused, match=r"contract\.json was changed"):
        load(model, edited, golden, expected_contract_sha256=terms.digest(terms.to_json(contract)))


def test_a_contract_for_another_model_is_refused(model, contract, golden):
    with pytest.raises(ArtifactRefused, match="the model that"):
        load(model, replace(contract, model_sha256="0" * 64), golden)


def test_a_persons_word_lifts_the_gates_verdict_and_nothing_else(model, contract, golden):
    word = Override(who="Anna", why="because")
    other = replace(contract, gate_passed=False, gate_reason="too few trades")

    assert load(model, other, golden, override=word).contract == other
    with pytest.raises(ArtifactRefused, match="changed after registration"):
        load(model, other, golden, override=word, expected_sha256="0" * 64)
    with pytest.raises(ArtifactRefused, match="golden"):
        load(model, other, b"[]", override=word)


def test_a_version_its_gate_refused_is_refused(model, contract, golden):
    refused = replace(contract, gate_passed=False, gate_reason="nothing learned")

    with pytest.raises(ArtifactRefused, match="the gate refused this version: nothing learned"):
        load(model, refused, golden)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"feature_names": ("a", "b", "c", "z")}, "does not compute: \\['d'\\]"),
        ({"feature_names": ("b", "a", "c", "d")}, "order differs"),
        ({"feature_hash": "e" * 64}, "feature definitions"),
    ],
)
def test_other_features_are_refused(model, contract, golden, changed, message):
    with pytest.raises(ArtifactRefused, match=message):
        load(model, contract, golden, **changed)


def test_golden_vectors_nested_too_deep_are_refused(model, contract):
    with pytest.raises(ArtifactRefused, match="no golden vectors"):
        load(model, contract, b'{"rest":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


def test_other_calibration_than_the_golden_rows_had_is_refused(model, contract, golden):
    with pytest.raises(ArtifactRefused, match="golden row 1 scores"):
        load(model, replace(contract, platt_intercept=-0.2), golden)


@pytest.mark.parametrize(
    "golden",
    [b"", b"{", b'{"rows": [], "probabilities": []}', b"\xff", b"[1]"],
    ids=["empty", "cut off", "without rows", "not text", "something else"],
)
def test_golden_vectors_must_be_there(model, contract, golden):
    with pytest.raises(ArtifactRefused, match="golden"):
        load(model, contract, golden)


@pytest.mark.parametrize("probability", [0.5, None])
def test_a_wrong_golden_probability_is_refused(model, contract, golden, probability):
    content = msgspec.json.decode(golden)
    content["probabilities"][3] = probability

    with pytest.raises(ArtifactRefused, match="golden"):
        load(model, contract, msgspec.json.encode(content))


@pytest.mark.parametrize("rubbish", [b"", b"x", b"{}"])
def test_bytes_that_are_no_model_are_refused(contract, golden, rubbish):
    with pytest.raises(ArtifactRefused, match=r"model\.ubj is"):
        load(rubbish, replace(contract, model_sha256=terms.digest(rubbish)), golden)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"\xff\xfe",
        b'{"symbol": "XRP/USD"}',
    ],
)
def test_what_is_no_contract_is_refused(raw):
    with pytest.raises(ArtifactRefused, match="not a contract"):
        terms.parse(raw)


def test_an_unknown_field_in_a_contract_is_refused(contract):
    raw = terms.to_json(contract).replace(b"{", b'{"leverage": 5,', 1)

    with pytest.raises(ArtifactRefused, match="something besides"):
        terms.parse(raw)


@pytest.mark.parametrize(
    "changed",
    [
        {"cost": float("nan")},
        {"cost": -0.1},
        {"gain": float("inf")},
        {"horizon_bars": 0},
        {"features": ()},
        {"features": ("a", "a")},
        {"base_rate": 1.0},
        {"model_sha256": "abc"},
        {"trained_until": datetime(2026, 11, 1)},  # noqa: DTZ001 - the point
    ],
)
def test_an_impossible_contract_cannot_be_built(contract, changed):
    with pytest.raises(ValueError):
        replace(contract, **changed)


@pytest.mark.parametrize("row", [np.zeros(3), np.zeros(5), np.array([0, 0, np.inf, 0])])
def test_a_row_of_another_shape_or_an_infinite_one_is_not_scored(model, contract, golden, row):
    with pytest.raises(ValueError):
        load(model, contract, golden).predict(row)


def test_a_probability_is_never_quite_certain():
    assert 0 < served.calibrate(-1e9, 1, 0) < served.calibrate(1e9, 1, 0) < 1


def test_many_rows_at_once_score_as_each_alone_to_the_last_bit(model, contract, golden, table):
    loaded = load(model, contract, golden)

    together = loaded.predict_all(table)

    assert together.tolist() == [loaded.predict(row) for row in table]
    assert loaded.predict_all(table[:0]).tolist() == []


@pytest.mark.parametrize("rows", [np.zeros((2, 3)), np.zeros(4), np.array([[0.0, 1, np.inf, 2]])])
def test_rows_of_another_shape_or_an_infinite_one_are_not_scored(model, contract, golden, rows):
    with pytest.raises(ValueError, match=r"features|infinite"):
        load(model, contract, golden).predict_all(rows)
