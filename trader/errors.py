"""Everything the trader raises on purpose.

* TraderError
    * IllegalTransition      an order event that its current state forbids
    * OrderUnknown           news of an order or a trade that is not ours to book
    * OutcomeUnknown         a request left us, and no answer proves what happened
"""

from __future__ import annotations


class TraderError(Exception):
    """The root of every error this package raises on purpose."""


class IllegalTransition(TraderError):
    """An order event arrived that the order's state forbids.

    The order is left unchanged; reconcile it with the exchange before retrying.
    """

    def __init__(self, order_id: str, status: str, event: str) -> None:
        super().__init__(f"order {order_id} is {status}; it cannot take {event}")
        self.order_id = order_id
        self.status = status
        self.event = event


class OrderUnknown(TraderError):
    """News of an order or a trade that our record cannot place; reconcile before trading."""


class OutcomeUnknown(TraderError):
    """A request left us and nothing proves whether the exchange acted on it."""
