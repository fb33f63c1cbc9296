"""Put a backtest beside the evidence of the version that it tested, in MLflow."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ops.backtesting import report as reports
from ops.commands.printing import plain
from registry import store
from registry.contract import model_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ops.backtesting.report import Report

FOLDER = "backtests"  # of the version's run


def keep(client: MlflowClient, report: Report, page: str) -> str:
    """Store page and figures with the version's run, and say so on the version.

    Returns:
        Where in the run the page is.

    Raises:
        RegistryUnreachable: MLflow does not answer.
    """
    subject = report.subject
    name = f"{subject.start:%Y%m%dT%H%M}-{subject.end:%Y%m%dT%H%M}"
    content = json.dumps(reports.as_json(report), default=plain, indent=2)
    with (
        tempfile.TemporaryDirectory() as folder,
        store.translated(f"{subject.symbol} version {subject.version}"),
    ):
        for path, text in ((f"{name}.html", page), (f"{name}.json", content)):
            written = Path(folder) / path
            written.write_text(text)
            client.log_artifact(subject.run_id, str(written), FOLDER)
        tag = f"{report.verdict} ({FOLDER}/{name}.html)"
        client.set_model_version_tag(
            model_name(subject.symbol), str(subject.version), "backtest", tag
        )
    return f"{FOLDER}/{name}.html"
