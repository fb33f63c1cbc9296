"""What a killed postmaster leaves behind: processes that serve nobody and bar a new one.

An idle one notices the death by itself; one in the midst of a statement goes on, and while
it does, PostgreSQL refuses to start in its folder.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil


def end(data: Path, seconds: float) -> None:
    """Kill every PostgreSQL process that works in a data folder, and wait until it is gone."""
    found = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, timeout=seconds)


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False
