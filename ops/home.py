"""FRIDAY_HOME: the folder a stack keeps everything in, and what it says about itself there."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ops import environment
from ops.errors import AlreadyRunning, CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent


class StackSettings(BaseSettings):
    """Which ports the stack of one machine offers, from FRIDAY_*."""

    model_config = SettingsConfigDict(env_prefix="FRIDAY_")

    mlflow_port: int = Field(default=5000, ge=1, le=65535)
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    sandbox_port: int = Field(default=8790, ge=1, le=65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One component in the table: where it answers, how it is, a word on what it does."""

    name: str
    address: str
    state: str
    word: str
    pid: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack as other commands see it; no secret is in it."""

    supervisor: int
    supervisor_created: float
    mark: str
    exchange: str
    started_at: str
    healthy_after: float | None = None
    components: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder, made on first use."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Home:
        """Return the home at a path, making the folder.

        Raises:
            CannotStart: The folder cannot be made or written to.
        """
        home = cls(path.resolve())
        try:
            for folder in (home.path, home.logs, home.path / "secrets", home.path / "tmp"):
                folder.mkdir(parents=True, exist_ok=True)
            (home.path / "secrets").chmod(0o700)
        except OSError as error:
            raise CannotStart(f"cannot write to {home.path}: {error.strerror}") from None
        return home

    @property
    def logs(self) -> Path:
        """Return the folder with one log a component."""
        return self.path / "logs"

    @property
    def postgres(self) -> Path:
        """Return the folder of the embedded PostgreSQL."""
        return self.path / "postgres"

    def lock(self) -> int:
        """Take the folder for this process; the lock dies with it and is no file.

        Raises:
            AlreadyRunning: Another process has it.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        os.set_inheritable(descriptor, False)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"a stack is already running in {self.path}; friday status tells about it, "
                "friday down stops it"
            ) from None
        return descriptor

    def write(self, stack: Stack) -> None:
        """Tell other commands about the running stack."""
        draft = self.path / "state.json.new"
        draft.write_text(json.dumps(asdict(stack), indent=2))
        draft.rename(self.path / "state.json")

    def read(self) -> Stack | None:
        """Return what the last stack said of itself, if it did not end cleanly."""
        try:
            found = json.loads((self.path / "state.json").read_text())
            return Stack(**{**found, "components": [Line(**x) for x in found["components"]]})
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None

    def supervisor(self) -> psutil.Process | None:
        """Return the process that runs the stack here; None if none does, or it was killed."""
        stack = self.read()
        if stack is None:
            return None
        try:
            process = psutil.Process(stack.supervisor)
            lives = process.status() != psutil.STATUS_ZOMBIE  # killed, and not yet reaped
            ours = abs(process.create_time() - stack.supervisor_created) < 1
        except psutil.NoSuchProcess:
            return None
        return process if lives and ours else None

    def forget(self) -> None:
        """Say that no stack runs here."""
        for name in ("state.json", environment.FILE):
            (self.path / name).unlink(missing_ok=True)

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """Return a secret, making it on the first use and keeping it readable by us alone."""
        path = self.path / "secrets" / name
        if (kept := self.kept_secret(name)) is not None:
            return kept
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(made := make())
        return made

    def kept_secret(self, name: str) -> str | None:
        """Return a secret that was made before."""
        try:
            return (self.path / "secrets" / name).read_text() or None
        except FileNotFoundError:
            return None


def new_mark() -> str:
    """Return what a stack writes into the environment of every process it starts."""
    return secrets.token_hex(16)
