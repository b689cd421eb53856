"""When a crowd presses Run at once: two of them are served at a time, and the others wait outside.

What they ask for is the dearest that the hub does, and everybody's other pages share the loop and
the database's few readers with it. A place is given back when the answer begins, so neither who
sends slowly nor who reads slowly keeps others waiting.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from hub.playground.room import Playground


def in_turn(app: ASGIApp) -> ASGIApp:
    """Litestar middleware of a route; it stands before the gate, which asks the database too."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await Request[Any, Any, Any](scope, receive).body()
        playground: Playground = scope["litestar_app"].state.playground
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
            await app(scope, receive, begun)
        finally:
            leave()

    return wait
