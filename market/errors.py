"""Everything that asking for market data raises on purpose.

* MarketError
    * ExchangeUnreachable    the exchange did not answer a question; ask again later
    * ExchangeRefused        the exchange answered, and the answer is no
    * OtherHouse             the bars on record are of another house's market of that name
    * FileRefused            a file to import is not what its format promises
"""

from __future__ import annotations


class MarketError(Exception):
    """The root of every error this package raises on purpose."""


class ExchangeUnreachable(MarketError):
    """The exchange did not answer a question that changes nothing; ask again later."""


class ExchangeRefused(MarketError):
    """The exchange answered and refused; the message is its own."""


class OtherHouse(MarketError):
    """The bars on record are of another house's market of the same name; nothing was asked."""


class FileRefused(MarketError):
    """A file to import is not what its format promises; nothing of it was kept.

    `lines` tells a person what is wrong with which of its lines, and of how many more it does not.
    """

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.lines = lines
