"""Everything this package raises on purpose; each has the exit code it ends a command with.

* FridayError
    * CannotStart        something the stack needs is missing, taken or broken
    * AlreadyRunning     another stack runs in this folder
    * NotRunning         the command needs a running stack, and there is none
    * CannotReplay       there is no recording of what is asked for
    * AnswerIsNo         the command ran, and the answer is no
    * Refused            trading is halted, or a risk rule refused
"""

from __future__ import annotations


class FridayError(Exception):
    """The root of every error this package raises on purpose."""

    exit_code = 3


class CannotStart(FridayError):
    """Something the stack needs is missing, taken or broken."""


class AlreadyRunning(FridayError):
    """Another stack runs in this folder."""


class NotRunning(FridayError):
    """The command needs a running stack, and there is none."""


class CannotReplay(FridayError):
    """There is no recording of what is asked for."""

    exit_code = 2


class AnswerIsNo(FridayError):
    """The command ran, and the answer is no."""

    exit_code = 1


class Refused(FridayError):
    """Trading is halted, or a risk rule refused."""

    exit_code = 4
