"""What cannot be meant is said in one sentence with its name, and never in a stack trace."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from sql.tables import DriftResultRow, OrderRow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NO_TEXT = "\udcff"  # how Python spells a byte of an argument that is no UTF-8


@pytest.mark.parametrize(
    "words", [("why", NO_TEXT), ("halt", "--reason", NO_TEXT), ("experiment", "show", NO_TEXT)]
)
def test_what_is_no_text_is_wrong_usage(friday, words):
    code, output, complaint = friday(*words)

    assert (code, output, complaint.count("\n")) == (2, "", 1)
    assert "is no text" in complaint


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KRAKEN_KILL_API_KEY", "\u2603"),
        ("KRAKEN_KILL_API_KEY", NO_TEXT),
        ("KRAKEN_KILL_API_SECRET", "no base64!"),
        ("KRAKEN_KILL_API_KEY", None),
        ("KRAKEN_KILL_API_SECRET", None),
    ],
)
def test_a_key_of_the_kill_switch_that_cannot_be_one_is_named(friday, monkeypatch, variable, value):
    monkeypatch.setenv("KRAKEN_REST_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("KRAKEN_KILL_API_KEY", "key")
    monkeypatch.setenv("KRAKEN_KILL_API_SECRET", "c2VjcmV0")
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)

    code, _, complaint = friday("kill", "--reason", "a test")

    assert (code, complaint.count("\n")) == (2, 1)
    assert complaint.startswith(f"{variable} ")


@pytest.fixture
def two_orders(engine):
    """Put two orders on record whose ids begin alike."""
    with Session(engine) as session, session.begin():
        for name in ("7d3f", "7d4f"):
            session.add(
                OrderRow(
                    id=name,
                    symbol="XRP/USD",
                    side="buy",
                    quantity=Decimal(1),
                    limit_price=Decimal(2),
                    cancelling=False,
                    time_in_force="ioc",
                    status="cancelled",
                    filled=Decimal(0),
                    created_at=NOON,
                    deadline=NOON,
                    updated_at=NOON,
                )
            )


@pytest.mark.parametrize("start", ["7d", ""])
@pytest.mark.usefixtures("two_orders")
def test_a_start_that_several_orders_share_is_not_said_to_be_unknown(friday, start):
    code, _, complaint = friday("why", start)

    assert code == 1
    assert complaint == f"several orders begin with {start!r}; say more of the id\n"


def test_what_is_no_number_is_nothing_in_json(friday, engine):
    with Session(engine) as session, session.begin():
        session.add(
            DriftResultRow(
                symbol="XRP/USD",
                model_version=1,
                kind="feature",
                window_start=NOON,
                window_end=NOON,
                statistic=float("nan"),
                threshold=float("inf"),
                alarm=False,
                reason="too few rows",
                detail={},
                at=NOON,
            )
        )

    code, output, _ = friday("drift", "XRP/USD", "--json")

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    (row,) = json.loads(output, parse_constant=refuse)
    assert (code, row["statistic"], row["threshold"]) == (0, None, None)


@pytest.mark.parametrize("address", ["http://[::1", NO_TEXT, "nonsense"])
def test_the_doctor_outlives_an_address_that_is_none(friday, monkeypatch, address):
    monkeypatch.setenv("KRAKEN_REST_URL", address)

    code, output, complaint = friday("doctor", "--json")

    (found,) = [one for one in json.loads(output) if one["what"] == "exchange"]
    assert (code, found["good"], complaint.count("\n")) == (1, False, 1)
