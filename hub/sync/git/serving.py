"""A git that answers one request: bytes in, bytes out, and none left once nobody listens.

request body --unpacked--> stdin of the child --> stdout --> answer, part by part
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from litestar.types import Receive

from hub.errors import HubError, Invalid, Unavailable
from hub.registry.git.children import Child

PART = 1 << 16
MOST_AT_ONCE = 8
"""Gits that serve at the same time."""
LONGEST_WAIT = 30.0
"""Seconds in line for one of them."""
LONGEST_SILENCE = 120.0
"""Seconds in which a client must send or take something."""

LONGEST = 3600.0
"""Seconds for one answer: a client that takes a byte a minute must not keep its place for ever."""


class TooLarge(HubError):
    """The request has more bytes than any honest one."""

    status = 413


class ClientGone(Exception):
    """Nobody listens any more."""


class Places:
    """So many gits at once, and half of them for one key; the others wait a while."""

    def __init__(self, most: int = MOST_AT_ONCE, patience: float = LONGEST_WAIT) -> None:
        self._free = asyncio.Semaphore(most)
        self._most_for_one = most // 2
        self._mine: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._patience = patience

    @asynccontextmanager
    async def one(self, key_id: str) -> AsyncGenerator[None]:
        """Raises:
        Unavailable: none became free.
        """
        mine = self._mine.get(key_id) or asyncio.Semaphore(self._most_for_one)
        self._mine[key_id] = mine
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._patience):
                    for places in (mine, self._free):
                        await stack.enter_async_context(places)
            except TimeoutError:
                raise Unavailable(
                    "Many are cloning or pushing just now. Try again in a minute."
                ) from None
            yield


async def body(receive: Receive, *, zipped: bool, most: int) -> AsyncIterator[bytes]:
    """The request's body in small parts, unpacked; chunked or not makes no difference here.

    Raises:
        ClientGone: it ended before its end.
        TooLarge, Invalid: it is longer than `most` once unpacked, or not gzip.
    """
    unzip = Unzip() if zipped else None
    seen, until = 0, asyncio.get_running_loop().time() + LONGEST
    more = True
    while more:
        # Not `wait_for`, here and below: in Python 3.11 it can swallow that we are cancelled.
        async with asyncio.timeout(LONGEST_SILENCE):
            message = await receive()
        if message["type"] != "http.request" or asyncio.get_running_loop().time() > until:
            raise ClientGone
        data = message.get("body", b"")
        more = message.get("more_body", False)
        for part in unzip.parts(data) if unzip else [data] if data else []:
            seen += len(part)
            if seen > most:
                raise TooLarge(f"A request of git may have {most >> 20} MiB at most.")
            yield part
    if unzip is not None and not unzip.whole:
        raise Invalid("The body was to be gzip, and is cut short.")


class Unzip:
    """Unpacks gzip part by part: a kilobyte can stand for a gigabyte."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def whole(self) -> bool:
        return self._zlib.eof

    def parts(self, data: bytes) -> Iterator[bytes]:
        """What `data` stands for.

        Raises:
            Invalid: it is not gzip.
        """
        try:
            part = self._zlib.decompress(data, PART)
            while part:
                yield part
                part = self._zlib.decompress(self._zlib.unconsumed_tail, PART)
        except zlib.error:
            raise Invalid("The body was to be gzip, and is not.") from None


async def wait_for_end(receive: Receive) -> None:
    """Return once the client has hung up; to be asked when the body is read."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def ended(child: Child) -> AsyncGenerator[Child]:
    """However this is left, the child and what it started are gone afterwards."""
    try:
        yield child
    finally:
        child.kill()
        child.close()
        await asyncio.shield(child.wait())


async def feed(child: Child, parts: AsyncIterator[bytes]) -> None:
    """Write the parts to the child, and end its input. One that has ended takes no more."""
    assert child.stdin
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        async for part in parts:
            child.stdin.write(part)
            async with asyncio.timeout(LONGEST_SILENCE):
                await child.stdin.drain()
    child.stdin.close()


async def said(child: Child) -> str:
    """The end of what it complains about; read all the while, lest a full pipe stop it."""
    text = b""
    while part := await child.stderr.read(PART):
        text = (text + part)[-2000:]
    return text.decode("utf-8", "replace").strip()
