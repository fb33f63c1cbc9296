"""Everything the streams raise on purpose.

* StreamError
    * FeedBroken             a stream of the exchange can no longer be trusted
"""

from __future__ import annotations


class StreamError(Exception):
    """The root of every error this package raises on purpose."""


class FeedBroken(StreamError):
    """A stream skipped, repeated or garbled a message; reconnect with a new feed."""
