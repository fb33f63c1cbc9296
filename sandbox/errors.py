"""Everything the sandbox raises on purpose.

* SandboxError
    * Refused      the exchange says no, in Kraken's words
    * BadStart     the exchange cannot start as it was told to
* SystemExit
    * StateLost    the state cannot be written, so the exchange must end
"""

from __future__ import annotations


class SandboxError(Exception):
    """The root of every error this package raises on purpose."""


def printable(text: object) -> str:
    """Make a text that any encoder can write out of what a client sent."""
    return str(text)[:200].encode(errors="replace").decode()


class Refused(SandboxError):
    """The exchange refuses a request; the text is what Kraken would answer."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))
        self.text = printable(text)


class BadStart(SandboxError):
    """The exchange cannot start; the exit code tells wrong usage from a busy port."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class StateLost(SystemExit):
    """The state cannot be written: whatever was not written must not be acknowledged.

    Nothing catches this but the command, not even the server of a single request.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(3)
        self.text = f"the state file {path} cannot be written, so the sandbox ends: {reason}"
