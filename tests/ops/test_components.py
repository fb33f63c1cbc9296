"""Every process of a stack gets the keys that it needs, and no other."""

import pytest

from ops import components, exchange
from ops.components import Plan
from ops.databases import Databases
from ops.home import Home


@pytest.fixture
def plan(tmp_path):
    word = "postgresql://nobody@127.0.0.1:1/none"
    return Plan(
        home=Home.at(tmp_path),
        databases=Databases(
            friday=word, mlflow=word, prefect=word, optuna=word, address="a", server=None
        ),
        venue=exchange.sandbox(1),
        mark="0123456789",
        mlflow_port=2,
        prefect_port=3,
        sandbox_port=4,
        speed=1.0,
        keys={},
    )


def test_the_key_for_market_data_goes_to_the_flows_alone(plan, monkeypatch):
    monkeypatch.setenv("APCA_API_SECRET_KEY", "0123456789")
    makers = ("sandbox", "mlflow", "prefect", "deploy", "worker", "trader")
    parts = [getattr(components, name)(plan) for name in makers]

    holders = [one.name for one in parts if "APCA_API_SECRET_KEY" in one.environment]

    assert holders == ["worker"]
