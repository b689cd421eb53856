"""When a crowd presses Run at once: two of them are served at a time, and the others wait outside.

What they ask for is the dearest that the hub does, and everybody's other pages share the loop and
the database's few readers with it. A place is given back when the answer begins, so neither who
sends slowly nor who reads slowly keeps others waiting. And while another page is being made, what
the playground does behind it steps aside (`hub.playground.courtesy`).
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from hub.playground.room import Playground
from hub.web import PROGRAMS

_DONE = "page_done"
"""Where a request's state holds what says that its page is there."""


def pages_first(app: ASGIApp) -> ASGIApp:
    """Litestar middleware of the whole app: the playground knows that somebody waits for a page.

    Until the answer begins: neither streams nor slow readers hold anybody up.
    """

    async def make(scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"].startswith(PROGRAMS)
        ):
            await app(scope, receive, send)
            return
        playground: Playground = scope["litestar_app"].state.playground
        done = scope["state"][_DONE] = playground.courtesy.page()

        async def begun(message: Message) -> None:
            done()
            await send(message)

        try:
            await app(scope, receive, begun)
        finally:
            done()

    return make


def in_turn(app: ASGIApp) -> ASGIApp:
    """Litestar middleware of a route; it stands before the gate, which asks the database too."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await Request[Any, Any, Any](scope, receive).body()
        playground: Playground = scope["litestar_app"].state.playground
        if done := scope["state"].get(_DONE):
            done()  # it is one of those that step aside
        await playground.crowd.acquire()
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                playground.crowd.release()

        async def begun(message: Message) -> None:
            leave()
            await send(message)

        try:
            await playground.courtesy.turn()
            await app(scope, receive, begun)
        finally:
            leave()

    return wait
