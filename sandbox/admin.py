"""Health, and what only the person who runs the sandbox may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.calamities import let_strike, relieve
from sandbox.errors import Refused
from sandbox.instruments import ASSET_BY_ID
from sandbox.keys import mint_key
from sandbox.permissions import PERMISSIONS, SERVED
from sandbox.venue import MODES, Venue
from sandbox.wire import SECOND_NS, encode, order_body, stamp

if TYPE_CHECKING:
    from decimal import Decimal

    from sandbox.connection import SocketConnection


def add_routes(app: web.Application, venue: Venue, connections: set[SocketConnection]) -> None:
    """Add the doors of administration to an application."""
    desk = Desk(venue, connections)
    app.router.add_get("/health", desk.health)
    app.router.add_get("/admin/state", desk.state)
    app.router.add_post("/admin/clock/advance", desk.advance)
    app.router.add_post("/admin/keys", desk.add_key)
    app.router.add_post("/admin/mode", desk.set_mode)
    app.router.add_post("/admin/tokens/expire", desk.expire_tokens)
    app.router.add_get("/admin/faults", desk.faults)
    app.router.add_post("/admin/faults", desk.add_fault)
    app.router.add_delete("/admin/faults", desk.remove_faults)
    app.router.add_delete("/admin/faults/{id}", desk.remove_faults)


class Desk:
    """Answers the person who runs the sandbox."""

    def __init__(self, venue: Venue, connections: set[SocketConnection]) -> None:
        self._venue = venue
        self._connections = connections

    async def health(self, _request: web.Request) -> web.Response:
        """Tell that the exchange is up, and its time."""
        now = self._venue.sync()
        self._venue.commit(now)
        return _answer(
            {
                "status": "ok",
                "time": now / SECOND_NS,
                "timestamp": stamp(now),
                "mode": self._venue.mode,
                "clock": "simulated" if self._venue.clock.simulated else "real",
                "speed": self._venue.clock.anchor.speed,
                "connections": len(self._connections),
                "open_orders": len(self._venue.exchange.open),
            }
        )

    async def state(self, _request: web.Request) -> web.Response:
        """Show accounts, open orders and connections; the sums prove the ledger."""
        now = self._venue.sync()
        self._venue.commit(now)
        exchange = self._venue.exchange
        names = sorted({key.account for key in self._venue.keys.values()})
        return _answer(
            {
                "time": stamp(now),
                "accounts": {name: _plain(exchange.accounts.of(name)) for name in names},
                "sums": _plain(exchange.accounts.sums()),
                "open": {
                    order.txid: order_body(order, with_trades=False)
                    for order in exchange.open.values()
                },
                "orders": len(exchange.orders),
                "trades": len(exchange.trades),
                "connections": [
                    {
                        "id": connection.number,
                        "opens": sorted(connection.opens),
                        "topics": sorted(
                            " ".join(filter(None, (t.channel, t.symbol, t.detail)))
                            for t in connection.topics
                        ),
                    }
                    for connection in self._connections
                ],
            }
        )

    async def advance(self, request: web.Request) -> web.Response:
        """Move a simulated clock by `seconds`."""
        if not self._venue.clock.simulated:
            return _refuse("only a simulated clock can be advanced")
        form = await _form(request)
        seconds = form.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
            return _refuse("seconds must be a number that is not negative")
        self._venue.clock.advance(int(seconds * SECOND_NS))
        now = self._venue.sync()
        self._venue.commit(now)
        await self._let_strike()
        self._venue.checkpoint()
        return _answer({"time": now / SECOND_NS, "timestamp": stamp(now)})

    async def add_key(self, request: web.Request) -> web.Response:
        """Mint a key pair, for the account named or for the first."""
        form = await _form(request)
        key = mint_key(str(form.get("account") or "main"))
        key.label = str(form.get("name") or "")
        window, permissions = form.get("window", 0), form.get("permissions", SERVED)
        if isinstance(window, bool) or not isinstance(window, int) or window < 0:
            return _refuse("window must be a whole number that is not negative")
        if not isinstance(permissions, list | tuple) or any(
            permission not in PERMISSIONS for permission in permissions
        ):
            return _refuse(f"permissions must be a list of {', '.join(PERMISSIONS)}")
        key.window, key.permissions = window, tuple(dict.fromkeys(permissions))
        self._venue.add_key(key, self._venue.sync())
        shown = {"key": key.name, "secret": key.secret, "account": key.account}
        return _answer({**shown, "permissions": key.permissions})

    async def set_mode(self, request: web.Request) -> web.Response:
        """Put the exchange into one of its modes."""
        mode = (await _form(request)).get("mode")
        if mode not in MODES:
            return _refuse(f"mode must be one of {', '.join(MODES)}")
        self._venue.mode = str(mode)
        return _answer({"mode": mode})

    async def expire_tokens(self, _request: web.Request) -> web.Response:
        """Make every websocket token invalid."""
        self._venue.tokens.expire_all()
        return _answer({"expired": True})

    async def faults(self, _request: web.Request) -> web.Response:
        """Show the faults that wait and those that struck."""
        faults = self._venue.faults
        return _answer({"waiting": list(faults.waiting.values()), "struck": list(faults.struck)})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Take up a fault; some strike at once, the others when there is an occasion."""
        try:
            form = await _form(request)
            fault = self._venue.faults.add(form, self._venue.sync())
        except Refused as refused:
            return _refuse(refused.text)
        await self._let_strike()
        return _answer(fault)

    async def _let_strike(self) -> None:
        now = self._venue.clock.now()
        for connection, code in let_strike(self._venue, self._connections, now):
            await connection.socket.close(code=code)
        self._venue.keep_faults()

    async def remove_faults(self, request: web.Request) -> web.Response:
        """Take back one fault or all."""
        gone = self._venue.faults.remove(request.match_info.get("id", ""))
        for fault in gone:
            relieve(self._venue, fault)
        self._venue.keep_faults()
        return _answer({"removed": [fault.id for fault in gone]})


def _plain(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {a: f"{amount:.{ASSET_BY_ID[a].decimals}f}" for a, amount in amounts.items()}


async def _form(request: web.Request) -> dict[str, Any]:
    try:
        form = json.loads(await request.read() or b"{}")
    except ValueError:
        return {}
    return form if isinstance(form, dict) else {}


def _answer(body: Any) -> web.Response:
    return web.Response(body=encode(body), content_type="application/json")


def _refuse(text: str) -> web.Response:
    return web.Response(body=encode({"error": text}), content_type="application/json", status=400)
