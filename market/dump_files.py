"""The lines of Kraken's dumps: CSV without a header, plain, gzipped, or many in a zip.

Files are gigabytes, so nothing but the line that is read is in memory.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from market.errors import FileRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

ZIP = b"PK\x03\x04"  # what a zip begins with; its list of files is at its end
UNREADABLE = (
    OSError,
    EOFError,
    UnicodeDecodeError,
    csv.Error,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # a member with a password
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of a file: the file itself, or a member of a zip.

    `size` is how far `Lines.position` goes: bytes of the file, or of the member unpacked.
    """

    path: Path
    member: str | None
    size: int

    @property
    def name(self) -> str:
        """Return the name that tells whose bars it holds."""
        return self.path.name if self.member is None else self.member

    def __str__(self) -> str:
        """Name it for a person."""
        return str(self.path) if self.member is None else f"{self.path}, {self.member}"


@dataclass(frozen=True, slots=True)
class Lines:
    """The numbered lines of a part, split at commas, and how far they have been read."""

    rows: Iterator[tuple[int, list[str]]]
    position: Callable[[], int]


def parts(path: Path) -> list[Part]:
    """Return the tables of a file, in the order of their names.

    Raises:
        FileRefused: The file cannot be read, or is a zip without a .csv in it.
    """
    try:
        if not zipfile.is_zipfile(path):
            if _begins_as_zip(path):
                raise FileRefused(
                    f"{path} is a zip that was cut short: its list of files is missing"
                )
            return [Part(path=path, member=None, size=path.stat().st_size)]
        with zipfile.ZipFile(path) as archive:
            found = [one for one in archive.infolist() if _is_table(one.filename)]
    except UNREADABLE as error:
        raise FileRefused(f"cannot read {path}: {error}") from None
    if not found:
        raise FileRefused(f"{path} holds no .csv")
    members = (Part(path=path, member=one.filename, size=one.file_size) for one in found)
    return sorted(members, key=lambda part: part.name)


@contextmanager
def lines(part: Part) -> Iterator[Lines]:
    """Open a part and give its lines.

    Raises:
        FileRefused: It cannot be read, or not to its end.
    """
    try:
        with ExitStack() as stack:
            file, position = _open(part, stack)
            reader = csv.reader(_ended(io.TextIOWrapper(file, encoding="utf-8", newline=""), part))
            yield Lines(((reader.line_num, row) for row in reader if row), position)
    except UNREADABLE as error:
        raise FileRefused(f"cannot read {part}: {error}") from None


def _ended(text: IO[str], part: Part) -> Iterator[str]:
    line = "\n"
    for line in text:
        yield line
    if not line.endswith(("\n", "\r")):
        raise FileRefused(
            f"{part} seems cut short within its last line, {line[:80]!r}; end it with a line "
            "break if it is whole"
        )


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ZIP)) == ZIP


def _is_table(name: str) -> bool:
    return name.endswith(".csv") and not name.startswith("__MACOSX/")


def _open(part: Part, stack: ExitStack) -> tuple[IO[bytes], Callable[[], int]]:
    if part.member is not None:
        archive = stack.enter_context(zipfile.ZipFile(part.path))
        member = stack.enter_context(archive.open(part.member))
        return member, member.tell
    file = stack.enter_context(part.path.open("rb"))
    if part.path.suffix == ".gz":
        unpacked = gzip.GzipFile(fileobj=file)
        stack.callback(unpacked.close)
        return cast("IO[bytes]", unpacked), file.tell  # which it is in all but name
    return file, file.tell
