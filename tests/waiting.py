"""Waiting for what another process does, within a bound."""

import time
from threading import Event


def until(condition, seconds, what):
    """Return what the condition gives once it is true; fail with a sentence when it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        Event().wait(0.2)
    return found
