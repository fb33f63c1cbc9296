"""What a flow tells in a terminal is lines; tracebacks go to whoever keeps them."""

import io
import logging

import pytest

from ops import progress


@pytest.fixture
def terminal():
    """Stand in for the console that Prefect writes to."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    yield said
    logging.getLogger().removeHandler(handler)


def test_a_failure_is_told_in_a_line_and_its_traceback_kept_elsewhere(terminal, caplog):
    progress.without_tracebacks()
    progress.without_tracebacks()

    try:
        int("three")
    except ValueError:
        logging.getLogger("a.flow").exception("it failed")

    assert terminal.getvalue() == "ERROR it failed\n"
    assert caplog.records[-1].exc_info is not None
