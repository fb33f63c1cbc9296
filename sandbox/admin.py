"""Health, and what only the person who runs the sandbox may do."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from sandbox.calamities import let_strike, relieve
from sandbox.errors import Refused, printable
from sandbox.faults import Fault
from sandbox.guard import objection
from sandbox.keys import mint_key
from sandbox.kinds import GROUPS, KINDS, SHORT, takes
from sandbox.overview import describe_fault, describe_faults, overview
from sandbox.permissions import PERMISSIONS, SERVED
from sandbox.venue import MODES, Venue
from sandbox.wire import SECOND_NS, encode, stamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.connection import SocketConnection

    Act = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE = Path(__file__).with_name("page.html")
MOST = 1_000_000
DIGITS = 8
LONGEST_NAME = 100
FARTHEST_SECONDS = 366 * 86_400
LATEST_NS = 7_258_118_400 * SECOND_NS  # 2200, before nanoseconds outgrow 64 bits
PRIVATE_TO_US = "house:"
POLICY = (
    "default-src 'none'; style-src 'nonce-NONCE'; script-src 'nonce-NONCE'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_routes(app: web.Application, venue: Venue, connections: set[SocketConnection]) -> None:
    """Add the doors of administration to an application."""
    desk = Desk(venue, connections)
    app.router.add_get("/health", desk.health)
    app.router.add_get("/admin", _guarded(desk.page, page=True))
    app.router.add_get("/admin/state", _guarded(desk.state))
    app.router.add_post("/admin/clock/advance", _guarded(desk.advance))
    app.router.add_post("/admin/keys", _guarded(desk.add_key))
    app.router.add_post("/admin/mode", _guarded(desk.set_mode))
    app.router.add_post("/admin/tokens/expire", _guarded(desk.expire_tokens))
    app.router.add_get("/admin/faults", _guarded(desk.faults))
    app.router.add_get("/admin/faults/kinds", _guarded(desk.kinds))
    app.router.add_post("/admin/faults", _guarded(desk.add_fault))
    app.router.add_delete("/admin/faults", _guarded(desk.remove_faults))
    app.router.add_delete("/admin/faults/{id}", _guarded(desk.remove_faults))


def _guarded(act: Act, *, page: bool = False) -> Act:
    async def door(request: web.Request) -> web.StreamResponse:
        words = objection(request.headers, page=page)
        try:
            return await act(request) if words is None else _refuse(words, 403)
        except Refused as refused:
            return _refuse(refused.text)

    return door


class Desk:
    """Answers the person who runs the sandbox."""

    def __init__(self, venue: Venue, connections: set[SocketConnection]) -> None:
        self._venue = venue
        self._connections = connections

    async def health(self, _request: web.Request) -> web.Response:
        """Tell that the exchange is up, and its time."""
        now = self._present()
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

    def _present(self) -> int:
        now = self._venue.sync()
        self._venue.commit(now)
        return now

    async def page(self, _request: web.Request) -> web.Response:
        """Show the page for a browser."""
        text = PAGE.read_text("utf-8")
        nonce = secrets.token_urlsafe(16)
        headers = PAGE_HEADERS | {"Content-Security-Policy": POLICY.replace("NONCE", nonce)}
        text = text.replace('nonce="NONCE"', f'nonce="{nonce}"')
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def state(self, request: web.Request) -> web.Response:
        """Show everything at a glance; the sums prove the ledger."""
        wanted = request.query.get("most", "")
        most = (
            int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < DIGITS else MOST
        )
        return _answer(overview(self._venue, self._connections, self._present(), most))

    async def advance(self, request: web.Request) -> web.Response:
        """Move a simulated clock by `seconds`."""
        if not self._venue.clock.simulated:
            return _refuse("only a simulated clock can be advanced")
        seconds = (await _form(request)).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return _refuse("seconds must be a number")
        if not 0 <= seconds <= FARTHEST_SECONDS:
            return _refuse(f"seconds must be 0 to {FARTHEST_SECONDS}, which is a year")
        if self._venue.clock.now() + seconds * SECOND_NS > LATEST_NS:
            return _refuse("the exchange's time ends in 2200")
        self._venue.clock.advance(int(seconds * SECOND_NS))
        now = self._present()
        await self._let_strike()
        self._venue.checkpoint()
        return _answer({"time": now / SECOND_NS, "timestamp": stamp(now)})

    async def add_key(self, request: web.Request) -> web.Response:
        """Mint a key pair, for the account named or for the first."""
        form = await _form(request)
        account = printable(form.get("account") or "main")
        if account.startswith(PRIVATE_TO_US) or len(account) > LONGEST_NAME:
            return _refuse(f"account must be short and not begin with {PRIVATE_TO_US}")
        key = mint_key(account)
        key.label = printable(form.get("name") or "")
        window, permissions = form.get("window", 0), form.get("permissions", SERVED)
        if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window < 2**63:
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
        self._present()
        self._venue.mode = str(mode)
        return _answer({"mode": mode})

    async def expire_tokens(self, _request: web.Request) -> web.Response:
        """Make every websocket token invalid."""
        self._venue.tokens.expire_all()
        return _answer({"expired": True})

    async def faults(self, _request: web.Request) -> web.Response:
        """Show the faults that wait and those that struck."""
        return _answer(describe_faults(self._venue, MOST))

    async def kinds(self, _request: web.Request) -> web.Response:
        """Show which faults there are, and what a fault may say about itself."""
        usual = msgspec.to_builtins(Fault(kind=""))
        fields = {kind: takes(kind) for kind in KINDS}
        return _answer(
            {"kinds": KINDS, "short": SHORT, "groups": GROUPS, "takes": fields, "usual": usual}
        )

    async def add_fault(self, request: web.Request) -> web.Response:
        """Take up a fault; some strike at once, the others when there is an occasion."""
        form = await _form(request)
        fault = self._venue.faults.add(form, self._venue.sync())
        await self._let_strike()
        return _answer(describe_fault(fault))

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


async def _form(request: web.Request) -> dict[str, Any]:
    try:
        form = msgspec.json.decode(await request.read() or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body must be JSON: {error}") from error
    if not isinstance(form, dict):
        raise Refused("the body must be a JSON object")
    return form


def _answer(body: Any) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=encode(body), content_type="application/json", headers=headers)


def _refuse(text: str, status: int = 400) -> web.Response:
    return web.Response(
        body=encode({"error": text}), content_type="application/json", status=status
    )
