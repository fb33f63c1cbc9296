"""The exchange's dead-man's switch: it cancels everything of ours should we fall silent.

Asked for again every third of its time, as the exchange advises; off while the exchange is
not open, since what it brings back would be cancelled, and off once we stop in good order.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from market.errors import ExchangeRefused, ExchangeUnreachable

if TYPE_CHECKING:
    from datetime import datetime

    from trader.exchange import Exchange

TIMEOUT = timedelta(seconds=60)
RENEW_EVERY = TIMEOUT / 3


@dataclass(slots=True)
class DeadMansSwitch:
    """The switch of one account, in the exchange's time."""

    exchange: Exchange
    _armed: datetime | None = field(default=None, init=False)
    _asked: datetime | None = field(default=None, init=False)

    def age(self, now: datetime) -> timedelta | None:
        """Return how long ago the exchange heard us, or None if the switch is off."""
        return None if self._armed is None else now - self._armed

    def renew(self, now: datetime, status: str) -> None:
        """Ask again if it is time, or disarm while the exchange is not open."""
        if status != "online":
            self.disarm()
        elif self._asked is None or now - self._asked >= RENEW_EVERY:
            self._asked = now
            if self._ask(TIMEOUT):
                self._armed = now

    def disarm(self) -> None:
        """Turn it off, if it is on; it may have heard even if it does not answer."""
        self._armed = None
        if self._asked is not None and self._ask(timedelta(0)):
            self._asked = None

    def _ask(self, timeout: timedelta) -> bool:
        try:
            self.exchange.arm(timeout)
        except (ExchangeRefused, ExchangeUnreachable) as error:
            sys.stderr.write(f"the dead-man's switch was not heard: {error}\n")
            return False
        return True
