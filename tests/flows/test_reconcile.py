"""The reconcile flow says what it found in an artifact, halts on the unexplained, runs again."""

import pytest
from paper_exchange import PaperExchange, serving
from prefect.client.orchestration import get_client
from sqlalchemy.orm import Session

from flows.reconcile import reconcile
from sql import reads


@pytest.fixture
def paper(monkeypatch, database_url):
    """Serve an account and point the flow's environment at it."""
    account = PaperExchange()
    with serving(account) as client:
        monkeypatch.setenv("DATABASE_URL", database_url)
        monkeypatch.setenv("KRAKEN_REST_URL", client._client.urls["api"]["public"])
        monkeypatch.setenv("KRAKEN_API_KEY", "key")
        monkeypatch.setenv("KRAKEN_API_SECRET", "c2VjcmV0")
        monkeypatch.setenv("KRAKEN_REQUEST_INTERVAL_SECONDS", "0")
        yield account


@pytest.mark.usefixtures("prefect_server")
def test_reconciling_opens_then_finds_nothing_then_halts_on_the_unexplained(paper, engine):
    assert reconcile().opened
    again = reconcile()
    assert (again.clean, again.differences) == (True, ())

    paper.balances["ZUSD"] += 1
    assert not reconcile().clean

    with Session(engine) as session:
        (halt,) = reads.halts(session, standing=True)
    assert halt.reason_code == "reconciliation"
    with get_client(sync_client=True) as client:
        pages = [
            artifact.data for artifact in client.read_artifacts() if artifact.key == "reconcile"
        ]
    assert any("expected 10000, found 10001" in page for page in pages)
