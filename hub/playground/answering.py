"""An answer with status 200, piece by piece: bytes off the wire, into the dialect's reader."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio  # comes with httpx, whose closing of a connection only its scopes leave alone
import httpx

from hub.playground.calls import Patience
from hub.playground.wire import reading
from hub.playground.wire.dialects import Dialect
from hub.playground.wire.events import Event, Failed

LONGEST_ANSWER = 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024
"""Of one answer on the wire: what a model asks of tools is not shown while it comes."""
END_S = 0.05
"""The end of an answer comes with its last event or right behind it."""


class Silent(Exception):
    """The endpoint stopped talking without closing the connection."""


async def events(
    response: httpx.Response, dialect: Dialect, patience: Patience
) -> AsyncIterator[Event]:
    """What it says; a connection that breaks in the middle ends with a sentence.

    Raises:
        Silent: nothing came for as long as `patience` allows.
        httpx.HTTPError: it broke before the first byte.
    """
    kind = response.headers.get("content-type", "")
    if "text/html" in kind:
        yield Failed(reading.WEB_PAGE)
        return
    reader = dialect.Reader(streamed="application/json" not in kind)
    chunks = response.aiter_bytes()
    begun, came = False, 0
    try:
        while not reader.over:
            try:
                with anyio.fail_after(patience.idle if begun else patience.first_byte):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise Silent from None
            begun, came = True, came + len(chunk)
            if came > MOST_BYTES:
                yield Failed("It sent more than 64 MiB and was stopped.")
                return
            for event in reader.feed(chunk):
                yield event
    except httpx.HTTPError:
        if not begun:
            raise
        # Closed in the middle: what the reader still holds decides whether the answer is whole.
    for event in reader.end():
        yield event
    if reader.over:
        await _rest(chunks)


async def _rest(chunks: AsyncIterator[bytes]) -> None:
    """What follows the last event is the end of the answer: once that is read, the connection can
    serve the next call, which saves it a handshake. Who keeps us waiting for it is left.
    """
    with contextlib.suppress(httpx.HTTPError), anyio.move_on_after(END_S):
        async for _ in chunks:
            return  # more than an end
