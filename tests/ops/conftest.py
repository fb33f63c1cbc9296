"""The command line as a person meets it, on a record of its own."""

import pytest

from ops.cli import main


@pytest.fixture
def friday(monkeypatch, tmp_path, database_url, capsys):
    """Run a command against an empty record and return its code, output and complaint."""
    monkeypatch.setenv("FRIDAY_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments):
        with pytest.raises(SystemExit) as ending:
            main(list(arguments))
        said = capsys.readouterr()
        return ending.value.code, said.out, said.err

    return run
