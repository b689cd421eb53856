"""Making one model call: waiting for a place, trying again, reading what comes.

`perform` does not raise for anything an endpoint can do; the call holds the outcome.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx

from hub.errors import HubError
from hub.playground.calls import PATIENCE, Call, Endpoint, Patience
from hub.playground.wire import openai_chat, refusals
from hub.playground.wire.events import Event, Failed

log = logging.getLogger("hub.playground")

LONGEST_ANSWER = 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024
"""Of one answer on the wire: reasoning and tool calls are not shown while they come."""
TRIES = 3


async def perform(
    call: Call, endpoint: Endpoint, request: dict[str, Any], patience: Patience = PATIENCE
) -> None:
    """Make the call and record it in `call`; cancelling this closes the connection."""
    call.request = openai_chat.body(request, model=endpoint.model)
    try:
        if endpoint.slots.locked():
            call.tell(f"Waits for a free place at {endpoint.name}")
        async with endpoint.slots, asyncio.timeout(patience.total):
            await _tries(call, endpoint, patience)
        call.end("failed" if call.error else "done")
    except TimeoutError:
        minutes = f"{patience.total / 60:g}"
        call.end("failed", f"It took longer than {minutes} minutes and was stopped.")
    except asyncio.CancelledError:
        call.end("stopped")
        raise
    except HubError as error:
        call.end("failed", error.sentence)
    except Exception:
        log.exception("a model call broke")
        call.end("failed", "Something broke on our side. What came is kept; run it again.")
    finally:
        if endpoint.key and call.error:
            # Some endpoints repeat the key they refuse.
            call.error = call.error.replace(endpoint.key, "…")
        call.price(endpoint)


async def _tries(call: Call, endpoint: Endpoint, patience: Patience) -> None:
    """Try again, before the first byte only, while there is hope; say so meanwhile."""
    attempt, changes = 0, 0
    while True:
        attempt += 1
        outcome = await _try(call, endpoint, patience, attempt)
        if outcome is None:
            return
        if isinstance(outcome, dict):
            changes += 1
            if changes > 6:
                call.error = "It refuses the settings of this prompt. Change them and run again."
                return
            call.request, attempt = outcome, attempt - 1
            continue
        pause, sentence = outcome
        if pause is None or attempt >= TRIES:
            call.error = sentence
            return
        call.tell(f"{sentence} Tries again in {pause:.0f} s · {attempt} of {TRIES} tries")
        await asyncio.sleep(pause)


Again = tuple[float | None, str]
"""Seconds until another try (None: no hope), and what went wrong."""


async def _try(
    call: Call, endpoint: Endpoint, patience: Patience, attempt: int
) -> dict[str, Any] | Again | None:
    """One request. None: `call` has the outcome; a dict: send this instead; else see `Again`."""
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    begun = False
    try:
        if endpoint.local and call.state == "waiting":
            call.tell("The local model is starting…")
        client = await endpoint.client()
        call.begin()
        asking = client.stream(
            "POST",
            f"{endpoint.base_url}/chat/completions",
            json=call.request,
            headers=headers,
            timeout=httpx.Timeout(connect=10, write=30, pool=10, read=patience.first_byte),
        )
        async with asking as response:
            if response.status_code != 200:
                return await _refused(call, response, attempt)
            async for event in events(response, patience):
                begun = True
                call.take(event)
                if len(call.output) > LONGEST_ANSWER:
                    call.error = "The answer grew beyond 1 MiB and was stopped."
                    return None
        return None
    except _Silent:
        call.error = f"Nothing came from {endpoint.name} for {patience.idle:g} seconds."
        return None
    except httpx.HTTPError as error:
        if begun:
            call.error = openai_chat.CUT_OFF
            return None
        return _unreached(endpoint, error, attempt)


async def _refused(call: Call, response: httpx.Response, attempt: int) -> dict[str, Any] | Again:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > 65536:
            break
    changed = refusals.adjust(call.request, data) if response.status_code in (400, 422) else None
    if changed is not None:
        request, note = changed
        call.notes += [note] if note else []
        return request
    pause = refusals.wait(response.status_code, response.headers, data, attempt)
    return pause, refusals.sentence(response.status_code, data)


def _unreached(endpoint: Endpoint, error: httpx.HTTPError, attempt: int) -> Again:
    """Nothing came at all: why, and whether another try is worth it."""
    if isinstance(error, httpx.ReadTimeout):
        return None, f"{endpoint.name} took the request but did not begin to answer."
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        if "certificate" in str(error).lower():
            return None, f"The certificate of {endpoint.name} is not valid, so nothing was sent."
        again = 0.5 * 2 ** (attempt - 1)
        return again, f"{endpoint.name} cannot be reached. Is it running, and is the address right?"
    if isinstance(error, httpx.PoolTimeout):
        return None, f"Too many calls to {endpoint.name} at once. Run it again in a moment."
    return 0.5, f"{endpoint.name} closed the connection without an answer."


class _Silent(Exception):
    """The endpoint stopped talking without closing the connection."""


async def events(response: httpx.Response, patience: Patience) -> AsyncIterator[Event]:
    """What an answer with status 200 says, piece by piece."""
    kind = response.headers.get("content-type", "")
    if "text/html" in kind:
        yield Failed(openai_chat.WEB_PAGE)
        return
    reader = openai_chat.Reader(streamed="application/json" not in kind)
    chunks = response.aiter_bytes()
    begun, came = False, 0
    try:
        while not reader.over:
            try:
                async with asyncio.timeout(patience.idle if begun else patience.first_byte):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise _Silent from None
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
