"""Leave root behind: PostgreSQL refuses to run as root, so there it runs as `nobody`."""

from __future__ import annotations

import os
import pwd
import subprocess
from typing import TYPE_CHECKING, Any

from ops.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def account() -> dict[str, Any]:
    """Return the subprocess arguments for an account that is not root; none if we are not.

    Raises:
        CannotStart: There is no such account.
    """
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL does not run as root and there is no account 'nobody' to run it as; "
            "start friday as an ordinary user"
        ) from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def check_reach(path: Path, account: Mapping[str, Any]) -> None:
    """Make sure that the account may enter a folder or run a program.

    Raises:
        CannotStart: It may not; the message names the first folder that is closed to it.
    """
    probe = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
    if subprocess.run(probe, check=False, cwd="/", **account).returncode != 0:  # noqa: S603 - a fixed command; the path is an argument
        raise CannotStart(
            "PostgreSQL does not run as root, so it runs as 'nobody', who is not allowed to "
            f"enter {_first_closed(path)}; clone the project into a folder that everybody may "
            "enter, or start friday as an ordinary user"
        )


def _first_closed(path: Path) -> Path:
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return path
