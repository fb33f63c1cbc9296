"""Which code made a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def git_commit() -> str:
    """Return the commit this code was started from, marked if files differ from it."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return f"{commit}+changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603 - fixed words only
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - wherever git is installed
        capture_output=True,
        check=True,
        text=True,
        timeout=10,
    )
    return answer.stdout.strip()
