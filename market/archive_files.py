"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replace(path: Path) -> Iterator[Path]:
    """Give a path to write to; when it is written, it is synced and takes the other's place."""
    beside = path.with_name(f"{path.name}.part")
    yield beside
    _sync(beside)
    beside.replace(path)
    _sync(path.parent)


def put(path: Path, text: str) -> None:
    """Write a text file."""
    with replace(path) as beside:
        beside.write_text(text)


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
