"""What every request meets before a route, and every answer on its way out.

Plain ASGI around Litestar, so that nothing, not even an error or a static file, leaves without
the security headers, and nothing with a foreign host name or a disguised path gets in.
"""

from __future__ import annotations

import gc
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from traceback import format_exc
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from litestar import Litestar
from litestar.types import Message, Receive, Scope, Send

from hub.assets import Assets
from hub.errors import HubError
from hub.settings import Settings
from hub.standing import methods_at
from hub.web import PROGRAMS, SECURITY_HEADERS

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Quick = Callable[[Scope], tuple[Message, Message] | None]
Headers = list[tuple[bytes, bytes]]
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
PORT = re.compile(r":\d+$")
DISGUISES = re.compile(rb"%2f|%5c|%00|//|/\.{1,2}(?:/|$)", re.IGNORECASE)
ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
PROMPTS_OF_LANGFUSE = b"/api/public/v2/prompts/"
WRONG_HOST = (
    "This hub does not answer to that host name. The operator can add it with "
    "PROMPTHUB_PUBLIC_URL or PROMPTHUB_ALLOWED_HOSTS."
)
WRONG_PATH = "Write names in addresses with plain slashes; this address cannot be used."
BARE_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>That address cannot be used · Prompt Hub</title>
<h1>That address cannot be used</h1>
<p>{}</p>
<p><a href="/">To the start</a></p>
</html>
"""


class Behind(msgspec.Struct, frozen=True):
    """What requests go to."""

    app: App
    quick: Quick | None = None
    """Whole answers to GET requests, at once and with `program_headers`; None: ask the app."""


Running = Callable[[Litestar], AbstractAsyncContextManager[Behind]]
"""Opens what the hub needs, and closes it."""


class Front:
    """The ASGI app that servers run; `litestar` is what lies behind it."""

    def __init__(
        self, litestar: Litestar, settings: Settings, assets: Assets, running: Running
    ) -> None:
        self.litestar = litestar
        self.state = litestar.state
        self._assets = assets
        self._running = running
        self._behind = Behind(cast(App, litestar))
        self._hosts = allowed_hosts(settings)
        self._known_hosts: set[bytes] = set()
        self._headers = security_headers(settings)
        self._for_programs = program_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if cast(str, scope["type"]) == "lifespan":
            await self._live(receive, send)
            return
        app, quick = self._behind.app, self._behind.quick
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope, receive, send = _headers_alone(scope, receive, send)
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is not None:
            await _refuse(refusal, scope, self._guarded(send))
        elif scope["path"].startswith("/static/"):
            await self._assets(scope, receive, self._guarded(send))
        elif quick and scope["method"] == "GET" and (answer := quick(scope)) is not None:
            await send(answer[0])
            await send(answer[1])
        elif scope["method"] == "OPTIONS" and (taken := methods_at(self.litestar, scope["path"])):
            await _name_methods(taken, self._guarded(send))
        else:
            programs = scope["path"].startswith(PROGRAMS)
            await app(scope, receive, self._guarded(send, programs=programs))

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Everything the hub needs open, opened; tests use it in place of a server."""
        async with self._running(self.litestar) as self._behind:
            yield

    async def _live(self, receive: Any, send: Any) -> None:
        """The lifespan protocol; a start that fails says why in one sentence."""
        await receive()
        phase = "startup"
        try:
            async with self.lifespan():
                # What is loaded now stays: the garbage collector need not walk it again and again.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except Exception as error:
            said = error.sentence if isinstance(error, HubError) else format_exc()
            await send({"type": f"lifespan.{phase}.failed", "message": said})
            return
        await send({"type": "lifespan.shutdown.complete"})

    def _guarded(self, send: Send, *, programs: bool = False) -> Send:
        """Add the security headers, leaving those that a route set itself."""
        always = self._for_programs if programs else self._headers

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = list(message.get("headers", []))
                names = {name.lower() for name, _ in present}
                present += [pair for pair in always if pair[0] not in names]
                message["headers"] = present
            await send(message)

        return out

    def _refusal(self, scope: Scope) -> str | None:
        sent = b""
        for name, value in scope["headers"]:
            if name == b"host":
                if sent:  # a proxy may have judged by one and we by the other
                    return WRONG_HOST
                sent = value
        if sent not in self._known_hosts:
            host = sent.decode("latin-1").lower()
            if host not in self._hosts and PORT.sub("", host) not in self._hosts:
                return WRONG_HOST
            if len(self._known_hosts) < 100:
                self._known_hosts.add(sent)
        raw = scope.get("raw_path") or scope["path"].encode()
        if raw.startswith(PROMPTS_OF_LANGFUSE):  # its clients write names so; routes see slashes
            raw = ENCODED_SLASH.sub(b"/", raw)
        return WRONG_PATH if DISGUISES.search(raw) else None


def _headers_alone(scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
    """HEAD is GET whose body stays here. What streams is told that nobody listens any more."""
    begun = False

    async def hear() -> Any:
        return {"type": "http.disconnect"} if begun else await receive()

    async def out(message: Message) -> None:
        nonlocal begun
        if message["type"] == "http.response.start":
            await send(message)
            begun = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return cast(Scope, {**scope, "method": "GET"}), hear, out


async def _name_methods(taken: list[str], send: Send) -> None:
    """Of several handlers at one address, Litestar would name the first one's methods alone."""
    named = ["HEAD"] if "GET" in taken else []
    allow = ", ".join([*taken, *named, "OPTIONS"]).encode()
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow)]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def security_headers(settings: Settings) -> Headers:
    """What every answer carries."""
    secure = settings.url.startswith("https://")
    extra = {"Strict-Transport-Security": "max-age=31536000"} if secure else {}
    return [
        (name.lower().encode(), value.encode())
        for name, value in (SECURITY_HEADERS | extra).items()
    ]


def program_headers(settings: Settings) -> Headers:
    """What answers to programs carry of it: enough that no browser makes a page of one. Each line
    of a head is looked through by two patterns on its way out, which a fetch at full speed feels.
    """
    kept = {b"x-content-type-options", b"strict-transport-security"}
    policy = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
    return [policy, *(pair for pair in security_headers(settings) if pair[0] in kept)]


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Exact `host` or `host:port`; those without a port are good with any."""
    given = [urlsplit(settings.url).netloc, *settings.allowed_hosts.split(",")]
    local = ["localhost", "127.0.0.1", "[::1]"] if settings.host in LOCAL else []
    named = [settings.host] if settings.host not in {"0.0.0.0", "::"} else []  # noqa: S104
    return frozenset(host.strip().lower() for host in [*given, *local, *named] if host.strip())


async def _refuse(sentence: str, scope: Scope, send: Send) -> None:
    """Problem details, or a bare page for browsers: no template may meet what was refused, and
    nothing of it is said again."""
    if any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
        kind, body = b"text/html; charset=utf-8", BARE_PAGE.replace("{}", sentence).encode()
    else:
        told = {"type": "about:blank", "title": "BadRequest", "status": 400, "detail": sentence}
        kind, body = b"application/problem+json", msgspec.json.encode(told)
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
