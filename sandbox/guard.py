"""Who may administrate: people and programs on this machine, but no page of somebody else's.

A browser sends whatever a page asks it to, to this machine as well. It says whose page it
was in `Origin` and `Sec-Fetch-Site`, and under which name it reached us in `Host`; a name
somebody else owns may lead here, an address or a bare name may not.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_SITES = frozenset({"", "same-origin", "none"})


def objection(headers: Mapping[str, str], *, page: bool = False) -> str | None:
    """Say why a request must not administrate, or nothing if it may.

    Anybody may link to the `page` itself; what it shows, it asks for in its own name.
    """
    host = headers.get("Host", "")
    if not _ours(host):
        return f"administration is not served under the name {host[:100]!r}; use an address"
    origin = headers.get("Origin")
    if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
        return f"a page of {origin[:100]!r} must not administrate"
    if not page and headers.get("Sec-Fetch-Site", "") not in OWN_SITES:
        return "a page of another site must not administrate"
    return None


def _ours(host: str) -> bool:
    """Whether nobody else can own a name: it is an address, or has no dot."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ip_address(name)
    except ValueError:
        return bool(name) and (name.endswith(".localhost") or "." not in name)
    return True
