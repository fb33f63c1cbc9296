"""What cannot start says so in one sentence, exits with 3 and leaves nothing running."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from ops import assembly, ports
from ops.home import Home

UP = [sys.executable, "-c", "from ops.cli import main; main()", "up"]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="friday-starting-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def up(folder, *options, **environment):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KRAKEN_", "DATABASE_URL", "FRIDAY_"))
    }
    for name in ("MLFLOW", "PREFECT", "SANDBOX"):
        kept[f"FRIDAY_{name}_PORT"] = str(ports.any_free())
    return subprocess.run(
        [*UP, *options],
        env={**kept, "FRIDAY_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def postgres_in(folder):
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or [])
    ]


def test_a_port_that_is_taken_is_named_with_the_way_out(folder):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]

        done = up(folder, "--mlflow-port", str(port))

    assert done.returncode == 3
    assert done.stderr == (
        f"port {port} is needed for MLflow and another program listens there; stop that program, "
        "or choose another port with --mlflow-port or FRIDAY_MLFLOW_PORT\n"
    )
    assert postgres_in(folder) == []


def test_two_parts_cannot_have_one_port(folder):
    port = str(ports.any_free())

    done = up(folder, "--mlflow-port", port, "--prefect-port", port)

    assert done.returncode == 3
    assert done.stderr == (
        f"port {port} is wanted for MLflow and for Prefect; choose another one with "
        "--prefect-port or FRIDAY_PREFECT_PORT\n"
    )


@pytest.mark.parametrize(
    ("variable", "value"), [("TRADER_HTTP_PORT", "many"), ("TRADER_HTTP_TOKEN", "short-word")]
)
def test_a_variable_of_the_traders_address_is_checked_before_anything_starts(
    folder, variable, value
):
    done = up(folder, **{variable: value})

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{variable}: ")
    assert "short-word" not in done.stderr
    assert postgres_in(folder) == []


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("mysql://user@host/db", 3, "DATABASE_URL must be postgresql://"),
        ("postgresql://user:secret@127.0.0.1:1/db", 3, "cannot use PostgreSQL at 127.0.0.1:1/db"),
    ],
)
def test_a_wrong_database_url_is_one_sentence_without_the_password(folder, url, code, said):
    done = up(folder, DATABASE_URL=url)

    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_kraken_without_a_key_is_refused(folder):
    done = up(folder, "--exchange", "kraken")

    assert done.returncode == 3
    assert done.stderr.startswith("KRAKEN_API_KEY and KRAKEN_API_SECRET must be set")
    assert postgres_in(folder) == []


def test_a_port_that_is_no_number_is_wrong_usage(folder):
    done = up(folder, FRIDAY_MLFLOW_PORT="five")

    assert done.returncode == 2
    assert "mlflow_port" in done.stderr.lower()
    assert done.stderr.count("\n") == 1


def test_fresh_does_not_pretend_to_clear_a_database_of_somebody_else(folder):
    done = up(folder, "--fresh", DATABASE_URL="postgresql://user@127.0.0.1:1/db")

    assert done.returncode == 3
    assert done.stderr.startswith("--fresh would forget the exchange but not the record")


def test_starting_afresh_deletes_what_a_stack_keeps_and_nothing_else(tmp_path):
    home = Home.at(tmp_path)
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "sandbox.db").write_text("")
    (tmp_path / "thesis.txt").write_text("years of work")

    assembly.clear(home)

    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {"thesis.txt"}
