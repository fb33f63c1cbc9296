"""Where a stack lives, and how a command finds the one that runs.

`friday up` writes the environment that commands need into its folder, readable by its
owner only; a variable that is already set wins.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "environment.json"


def home() -> Path:
    """Return the folder that holds everything of one stack: FRIDAY_HOME, or .friday here."""
    return Path(os.environ.get("FRIDAY_HOME") or ".friday").absolute()


def write(folder: Path, environment: Mapping[str, str]) -> None:
    """Leave the environment that commands of this stack need; a reader never sees half."""
    fresh = folder / f"{FILE}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(dict(environment), indent=2))
    fresh.replace(folder / FILE)


def adopt(folder: Path) -> bool:
    """Set the variables of the stack in this folder that are not set yet.

    Returns:
        Whether there is such a stack.
    """
    try:
        found = json.loads((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return False
    for name, value in found.items():
        os.environ.setdefault(name, value)
    return True
