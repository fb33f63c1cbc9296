"""Everything this package raises on purpose.

* DatabaseError
    * DatabaseUnreachable    nothing answers at DATABASE_URL, or it refuses us
    * SchemaOutdated         the tables are older or newer than this code
    * SeveralFound           a name is that of more than one row
    * TurnNotCome            somebody else was at it for too long
    * LeaseTaken             another live trader holds the account
    * LeaseLost              the lock that makes us the only trader may be gone
"""

from __future__ import annotations


class DatabaseError(Exception):
    """The root of every error this package raises on purpose."""


class DatabaseUnreachable(DatabaseError):
    """Nothing answers at DATABASE_URL, or it refuses us."""


class SchemaOutdated(DatabaseError):
    """The tables are older or newer than this code."""


class SeveralFound(DatabaseError):
    """A name is that of more than one row."""


class TurnNotCome(DatabaseError):
    """Somebody else was still at what may only be done one at a time."""


class LeaseTaken(DatabaseError):
    """Another live trader holds the account's lease."""


class LeaseLost(DatabaseError):
    """The connection that held the lease is gone; stop before another trader starts."""
