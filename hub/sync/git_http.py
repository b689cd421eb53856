"""`git clone https://hub/<workspace>.git`: git's smart HTTP, before the web framework.

    GET  /<workspace>.git/info/refs?service=git-upload-pack    clone and fetch
    POST /<workspace>.git/git-upload-pack
    GET  /<workspace>.git/info/refs?service=git-receive-pack   push: see `git/push.py`
    POST /<workspace>.git/git-receive-pack

An API key, an app's or a person's own, is the password of HTTP Basic, with any user name. `main`
and `deploy` are shown, nothing else; docs/git.md says what that means for whoever clones.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import cast

from litestar.types import Message, Receive, Scope, Send

from hub.errors import HubError, NotFound, Unavailable, Unknown
from hub.people.gate import password
from hub.people.keys import KeyGrant, KeyTable
from hub.people.policy import Need, require
from hub.registry.git.children import Child
from hub.registry.git.git_terms import DEPLOY, MAIN
from hub.registry.git.gits import stream
from hub.registry.writing.publish import Publisher
from hub.sync.git import push
from hub.sync.git import serving as serving
from hub.sync.git.serving import ClientGone, Places
from hub.sync.git.unpack import LARGEST_PACK

log = logging.getLogger("hub")

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PATH = re.compile(r"/([a-z0-9][a-z0-9-]*)\.git(/.*)?", re.ASCII)
REFS, FETCH, PUSH = "/info/refs", "/git-upload-pack", "/git-receive-pack"
NEEDS: Mapping[tuple[str, str, str], Need] = {
    ("GET", REFS, "service=git-upload-pack"): Need.READ,
    ("POST", FETCH, ""): Need.READ,
    ("GET", REFS, "service=git-receive-pack"): Need.PROPOSE,
    ("POST", PUSH, ""): Need.PROPOSE,
}
"""What each route needs, as the routes of the framework declare it."""
SHOWN = (MAIN, DEPLOY)
LARGEST_ASK = 32 << 20
"""Bytes of a fetch's request: a list of commits that the clone has."""
LARGEST_PUSH = LARGEST_PACK + (1 << 20)
SEND_A_KEY = (
    "Give an API key as the password; any user name will do. You make one on your account page."
)
NO_SUCH_KEY = "This API key is unknown or was revoked. Make another on your account page."
NO_SUCH_PLACE = "There is no such workspace, or this key is not for it."
_KINDS = {one: b"application/x-git-%s-request" % one[5:].encode() for one in (FETCH, PUSH)}
"""A page elsewhere can have a browser send other kinds, with a key that the browser has kept."""
_VERSION = re.compile(rb"version=[012]", re.ASCII)
_FRESH: Headers = [
    (b"cache-control", b"no-cache, max-age=0, must-revalidate"), (b"pragma", b"no-cache"),
    (b"expires", b"Fri, 01 Jan 1980 00:00:00 GMT"),
]  # fmt: skip
SETTINGS = (
    ("safe.directory", "*"),  # whose folder it is has been settled by whom the hub runs as
    ("transfer.hideRefs", "refs"),
    *(("transfer.hideRefs", f"!{ref}") for ref in SHOWN),
    ("uploadpack.allowFilter", "true"),
    # A partial clone asks for contents by id. In version 2 anybody may; so in the older ones.
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("uploadpackfilter.allow", "false"),
    ("uploadpackfilter.blob:none.allow", "true"),
    ("uploadpackfilter.blob:limit.allow", "true"),
    ("uploadpackfilter.tree.allow", "true"),
    ("pack.threads", "1"),  # the hub answers others meanwhile
    ("core.hooksPath", "/dev/null"),
)
"""Given with each start, so that no change of a repository's own file can undo them."""


class NotGits(HubError):
    """A request that no git makes."""

    status = 415

    def __init__(self) -> None:
        super().__init__("This address is for git alone, which names what it sends.")


class GitDoor:
    """See the top of the file."""

    def __init__(self, publisher: Publisher, keys: KeyTable, url: str) -> None:
        """`url`: where people find the hub's pages."""
        self._publisher = publisher
        self._keys = keys
        self._url = url
        self._places = Places()

    def around(self, app: App) -> App:
        """`app`, behind these routes."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            found = PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
            if found is None:
                await app(scope, receive, send)
                return
            begun = False

            async def out(message: Message) -> None:
                nonlocal begun
                begun = True
                await send(message)

            try:
                await self._answer(scope, receive, out, found[1], found[2] or "")
            except ClientGone:
                pass
            except Exception as error:
                if begun:
                    raise  # the server hangs up, so that nobody takes half for the whole
                await _refuse(send, *_told(error, scope["path"]))

        return door

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, slug: str, rest: str
    ) -> None:
        grant = await self._admit(scope, slug)
        asked = scope["query_string"].decode("latin-1") if rest == REFS else ""
        need = NEEDS.get((cast("dict[str, str]", scope)["method"], rest, asked))
        if need is None:
            raise NotFound(NO_SUCH_PLACE)
        require(grant.actor, need, grant.workspace.id)
        if rest != REFS and _header(scope, b"content-type") != _KINDS[rest]:
            raise NotGits
        async with self._places.one(grant.key_id):
            if need is Need.READ:
                path = (await self._publisher.ensure(grant.workspace)).path
                async with asyncio.timeout(serving.LONGEST):
                    await _fetch(path, scope, receive, send, advertise=rest == REFS)
            else:
                await self._push(grant, scope, receive, send, advertise=rest == REFS)

    async def _push(
        self, grant: KeyGrant, scope: Scope, receive: Receive, send: Send, *, advertise: bool
    ) -> None:
        if advertise:
            repository = await self._publisher.ensure(grant.workspace)
            tips = await asyncio.to_thread(repository.tips)
            said = push.advertised({ref: tips[ref] for ref in SHOWN if ref in tips})
        else:
            zipped = _header(scope, b"content-encoding") in {b"gzip", b"x-gzip"}
            asked = serving.body(receive, zipped=zipped, most=LARGEST_PUSH)
            said = await push.receive(
                self._publisher, grant.workspace, grant.actor, asked, self._url
            )
        kind = b"advertisement" if advertise else b"result"
        headers = [(b"content-type", b"application/x-git-receive-pack-%s" % kind), *_FRESH]
        await _Answer(send, headers).say(said, more=False)

    async def _admit(self, scope: Scope, slug: str) -> KeyGrant:
        """Who has no key learns nothing, not even which workspaces there are."""
        token = _password(scope)
        if not token:
            raise Unknown(SEND_A_KEY)
        if (grant := await self._keys.find(token)) is None:
            raise Unknown(NO_SUCH_KEY)
        if grant.workspace.slug != slug:
            raise NotFound(NO_SUCH_PLACE)
        return grant


async def _fetch(
    path: Path, scope: Scope, receive: Receive, send: Send, *, advertise: bool
) -> None:
    """Hand the request to `git upload-pack`, and what it says to the client."""
    version = _header(scope, b"git-protocol")
    given = {}
    if _VERSION.fullmatch(version):
        given["GIT_PROTOCOL"] = version.decode()
    more = ("--http-backend-info-refs",) if advertise else ()
    words = ("upload-pack", "--stateless-rpc", "--strict", *more, str(path))
    zipped = _header(scope, b"content-encoding") in {b"gzip", b"x-gzip"}
    kind = b"advertisement" if advertise else b"result"
    headers = [(b"content-type", b"application/x-git-upload-pack-%s" % kind), *_FRESH]
    asked = serving.body(receive, zipped=zipped, most=LARGEST_ASK)
    first = b""
    if advertise and version != b"version=2":
        first = b"001e# service=git-upload-pack\n0000"
    async with serving.ended(await stream(words, settings=SETTINGS, given=given)) as child:
        await _carry(child, asked, receive, _Answer(send, headers, first))


class _Answer:
    """An answer that begins once there is something to say: until then it can be a refusal."""

    def __init__(self, send: Send, headers: Headers, first: bytes = b"") -> None:
        self._send, self._headers, self._first = send, headers, first
        self.begun = False

    async def say(self, data: bytes, *, more: bool = True) -> None:
        if not self.begun:
            self.begun = True
            await self._send(_start(200, self._headers))
            data = self._first + data
        message: Message = {"type": "http.response.body", "body": data, "more_body": more}
        async with asyncio.timeout(serving.LONGEST_SILENCE):
            await self._send(message)


async def _carry(
    child: Child, asked: AsyncIterator[bytes], receive: Receive, answer: _Answer
) -> None:
    """Both ways at once, until the child has ended or the client has."""
    complaints = asyncio.create_task(serving.said(child))

    async def hear() -> None:
        await serving.feed(child, asked)
        await serving.wait_for_end(receive)
        raise ClientGone

    async def speak() -> None:
        while part := await child.stdout.read(serving.PART):
            await answer.say(part)

    hearing, speaking = asyncio.create_task(hear()), asyncio.create_task(speak())
    try:
        await asyncio.wait({hearing, speaking}, return_when=asyncio.FIRST_COMPLETED)
        if hearing.done() and not speaking.done():
            hearing.result()
        await speaking
        code = await child.wait()
        if not answer.begun:
            log.error("git upload-pack ended with %s: %a", code, await complaints)
            raise Unavailable("The workspace's git repository could not be read. Try again.")
        await answer.say(b"", more=False)
    finally:
        for task in (hearing, speaking, complaints):
            task.cancel()
        await asyncio.gather(hearing, speaking, complaints, return_exceptions=True)


# ── HTTP ────────────────────────────────────────────────────────────────────────────────────────


def _header(scope: Scope, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")


def _password(scope: Scope) -> str:
    kind, _, packed = _header(scope, b"authorization").partition(b" ")
    return password(packed.decode("latin-1")) if kind.lower() == b"basic" else ""


def _told(error: Exception, path: str) -> tuple[int, str]:
    if isinstance(error, HubError):
        return error.status, error.sentence
    log.error("git could not be answered at %s", path, exc_info=error)
    return 503, "The hub could not answer this just now. Try again."


def _start(status: int, headers: Headers) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _refuse(send: Send, status: int, sentence: str) -> None:
    """In plain text, which git shows to whoever called it."""
    data = f"{sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(data)),
    ]  # fmt: skip
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Prompt Hub", charset="UTF-8"'))
    if status == 503:
        headers.append((b"retry-after", b"10"))
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": data, "more_body": False})
