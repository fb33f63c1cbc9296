"""The loop of a running stack tells the truth about the record, and goes on where it can."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from ops import components, exchange, health
from ops.databases import Databases
from ops.home import Home, new_mark
from ops.prefect_api import Prefect
from ops.stack import Supervisor
from ops.table import Board
from sql.database import limit_waiting


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path)


@pytest.fixture
def tell(home):
    """Run the loop of a stack without parts once, and return what it says of the record."""

    def run(engine):
        none = Databases(friday="", mlflow="", prefect="", optuna="", address="a", server=None)
        plan = components.Plan(
            home=home,
            databases=none,
            venue=exchange.sandbox(1),
            mark=new_mark(),
            mlflow_port=1,
            prefect_port=1,
            sandbox_port=1,
            speed=1.0,
            keys={},
        )
        supervisor = Supervisor(
            plan=plan,
            parts=[],
            record=health.record(engine),
            prefect=Prefect("http://127.0.0.1:1/api"),
            board=Board("test", terminal=False),
            story=None,
            began=0.0,
        )
        once = iter([False])
        supervisor.run(lambda: next(once, True))
        (line,) = home.read().components
        return line.name, line.state, line.word

    yield run
    limit_waiting(None)


def test_a_record_that_answers_is_running(tell, engine):
    assert tell(engine) == ("postgres", "running", "external")


def test_a_record_that_does_not_answer_is_said_to_be_silent(tell):
    away = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")

    assert tell(away) == ("postgres", "silent", "does not answer")
