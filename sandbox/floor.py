"""The trading floor: who is connected, and what everybody hears as time passes.

Nothing here waits or holds a socket, so the same floor serves sockets and a simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from sandbox.calamities import let_strike
from sandbox.connection import Connection
from sandbox.disturbance import BEAT, Inlet, Outlet
from sandbox.feeds import Feeds
from sandbox.requests import Dialogue
from sandbox.wire import encode

if TYPE_CHECKING:
    from sandbox.disturbance import Later
    from sandbox.venue import Venue

BEAT_SECONDS = 1.0
IDLE_SECONDS = 60.0
CLOSE_IDLE = 1000
AnyConnection = TypeVar("AnyConnection", bound=Connection)


class Floor(Generic[AnyConnection]):
    """Everybody who is connected to one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._feeds = Feeds(venue)
        self._announced = venue.mode
        self._beaten = float("-inf")
        self.connections: set[AnyConnection] = set()

    def enter(self, connection: AnyConnection, later: Later) -> Inlet:
        """Greet a connection and give what answers it."""
        connection.outlet = Outlet(self._venue, later)
        if self._venue.recording is not None:
            self._venue.recording.opened(connection)
        connection.heard = self._venue.clock.waited()
        self.connections.add(connection)
        connection.send(status_message(self._venue.mode, connection.number))
        dialogue = Dialogue(self._venue, self._feeds, connection)
        return Inlet(self._venue, connection, dialogue, later)

    def leave(self, connection: AnyConnection) -> None:
        """Forget a connection that is gone."""
        if self._venue.recording is not None:
            self._venue.recording.closed(connection)
        self._feeds.drop(connection)
        for token in connection.tokens.values():
            self._venue.tokens.release(token)
        self.connections.discard(connection)

    def pulse(self, at: float) -> list[tuple[AnyConnection, int]]:
        """Let time pass: publish the market, tell of a change of mode, and beat.

        Returns:
            Those that are to be closed, for being idle or by a fault, each with a code.
        """
        now = self._venue.sync()
        self._venue.commit(now)
        if self._venue.recording is not None:
            self._venue.recording.flush()
        closing = let_strike(self._venue, self.connections, now)
        self._announce()
        if at - self._beaten < BEAT_SECONDS:
            return closing
        self._beaten = at
        return closing + [(connection, CLOSE_IDLE) for connection in self._beat(at)]

    def _announce(self) -> None:
        if self._venue.mode == self._announced:
            return
        self._announced = self._venue.mode
        for connection in self.connections:
            connection.send(status_message(self._venue.mode, connection.number))
        self._feeds.tell_mode()

    def _beat(self, at: float) -> list[AnyConnection]:
        idle, waited = [], self._venue.clock.waited()
        for connection in list(self.connections):
            if connection.topics:
                if at - connection.said >= BEAT_SECONDS:
                    connection.send(BEAT)
            elif waited - connection.heard > IDLE_SECONDS:
                idle.append(connection)
        return idle


def status_message(mode: str, number: int) -> bytes:
    """Write the message that greets a connection and tells of a change of mode."""
    body = {
        "version": "2.0.10",
        "system": "online" if mode == "limit_only" else mode,
        "api_version": "v2",
        "connection_id": number,
        "upcoming_maintenance": [],
        "emergency": [],
    }
    return encode({"channel": "status", "type": "update", "data": [body]})
