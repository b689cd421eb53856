"""Making one model call: waiting for a place, trying again, falling over to the next, reading.

`perform` does not raise for anything an endpoint can do; the call holds the outcome.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from hub.errors import HubError
from hub.playground import pictures
from hub.playground.answering import LONGEST_ANSWER, Silent, events
from hub.playground.calls import PATIENCE, Call, Endpoint, Patience, Route
from hub.playground.wire import dialects, reading, refusals
from hub.playground.wire.events import Called, Event, Failed

log = logging.getLogger("hub.playground")

TRIES = 3
LONG_STRING = 4096
"""Characters of base64 in a request; more is a picture, and is not kept with the run."""
ONLY_TEXT = "The models of this machine take no pictures. Choose a model of a connection that does."
ENGINE_STOPPED = "The local engine stopped in the middle; it starts again. Run this once more."
ENGINE_CUT_OFF = (
    "The local engine stopped in the middle; it starts again. What came is kept; run this once "
    "more."
)
NOT_TAKEN = (400, 404, 415, 422)
"""How endpoints refuse a request with a picture that a model cannot see."""
SLOW_START = 10.0
"""Seconds without a first byte after which the cell counts them."""


async def perform(
    call: Call, target: Endpoint | Route, request: dict[str, Any], patience: Patience = PATIENCE
) -> None:
    """Make the call and record it in `call`; cancelling this closes the connection."""
    endpoints = target.endpoints if isinstance(target, Route) else [target]
    endpoint = endpoints[0]
    call.asked = request
    try:
        for at, endpoint in enumerate(endpoints):
            last = at + 1 == len(endpoints)
            call.ask(endpoint)
            await _at_one(call, endpoint, request, patience, tries=TRIES if last else 1)
            if call.error is None or call.begun or last:
                break
            why = call.error.partition(". ")[0].rstrip(".")
            call.remark(f"{endpoint.model} at {endpoint.name} did not answer: {why}")
            call.error = None
        if isinstance(target, Route) and call.error is None:
            call.remark(f"answered by {endpoint.model} at {endpoint.name}")
        call.end("failed" if call.error else "done")
    except asyncio.CancelledError:
        call.end("stopped")
        raise
    finally:
        call.price(endpoint)


async def _at_one(
    call: Call, endpoint: Endpoint, request: dict[str, Any], patience: Patience, *, tries: int
) -> None:
    """Ask one endpoint; what goes wrong is `call.error`."""
    try:
        if tries == 1 and endpoint.slots.held:
            call.error = "It asked to be left alone for a moment."
            return
        async with _place(call, endpoint), asyncio.timeout(patience.total):
            await _tries(call, endpoint, request, patience, tries)
    except TimeoutError:
        minutes = f"{patience.total / 60:g}"
        call.error = f"It took longer than {minutes} minutes and was stopped."
    except HubError as error:
        call.error = error.sentence
    except Exception:
        log.exception("a model call broke")
        call.error = "Something broke on our side. What came is kept; run it again."
    finally:
        if endpoint.local and call.error == reading.CUT_OFF:
            call.error = ENGINE_CUT_OFF
        if endpoint.key:
            # Some endpoints repeat the key they refuse.
            call.error = call.error and call.error.replace(endpoint.key, "…")
            call.notes = [note.replace(endpoint.key, "…") for note in call.notes]


@asynccontextmanager
async def _place(call: Call, endpoint: Endpoint) -> AsyncGenerator[None]:
    """A place at the endpoint; the time in line is kept apart from the model's own."""
    since = time.monotonic()

    def tell(place: int) -> None:
        call.tell(f"{reading.ordinal(place)} in line at {endpoint.name}")

    async with endpoint.slots.one(endpoint.owner, tell):
        if (waited := time.monotonic() - since) > 0.01:
            call.waited(waited)
        yield


async def _tries(
    call: Call, endpoint: Endpoint, request: dict[str, Any], patience: Patience, tries: int
) -> None:
    """Try again, before the first piece only, while there is hope; say so meanwhile."""
    if pictures.among(request):
        if endpoint.local:
            call.error = ONLY_TEXT
            return
        request = await call.pictures(request) if call.pictures else request
    sent = dialects.of(endpoint.kind).request(request, model=endpoint.model)
    if sent.ignored:
        call.remark(f"ignored: {', '.join(refusals.shown(name) for name in sent.ignored)}")
    body, attempt, changes = sent.body, 0, 0
    if endpoint.local and endpoint.owner is not None:
        body = body | {"user": str(endpoint.owner)}  # the engine is fair between people
    while True:
        attempt += 1
        if endpoint.slots.held:
            await _count_down(call, f"{endpoint.name} asks to wait.", endpoint.slots.held)
        outcome = await _try(call, endpoint, (sent.path, body), patience, attempt)
        if outcome is None:
            return
        if isinstance(outcome, dict):
            changes += 1
            if changes > 6:
                call.error = "It refuses the settings of this prompt. Change them and run again."
                return
            body, attempt = outcome, attempt - 1
            continue
        pause, sentence, brief = outcome
        if pause is None or attempt >= tries:
            call.error = sentence
            return
        again = f"try {attempt + 1} of {tries}"
        await _count_down(call, f"{endpoint.name} {brief}.", pause, again)


async def _count_down(call: Call, sentence: str, seconds: float, again: str = "") -> None:
    """Wait where people see it."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        more = f" · {again}" if again else ""
        call.tell(f"{sentence} Goes on in {math.ceil(left)} s{more}")
        await asyncio.sleep(min(1.0, left))
    call.waited(seconds)


Again = tuple[float | None, str, str]
"""Seconds until another try (None: no hope), what went wrong, and that in a few words."""


async def _try(
    call: Call, endpoint: Endpoint, sent: tuple[str, dict[str, Any]], patience: Patience,
    attempt: int,
) -> dict[str, Any] | Again | None:  # fmt: skip
    """One request. None: `call` has the outcome; a dict: send this instead; else see `Again`."""
    dialect = dialects.of(endpoint.kind)
    path, body = sent
    begun = False
    try:
        if endpoint.local and call.state == "waiting":
            call.tell("The local model is starting…")
        client = await endpoint.client()
        call.request = kept(body)
        call.begin()
        asking = client.stream(
            "POST",
            dialect.base(endpoint.base_url) + path,
            json=body,
            headers=dialect.headers(endpoint.key),
            timeout=httpx.Timeout(connect=10, write=30, pool=10, read=patience.first_byte),
        )
        async with _counting(call), asking as response:
            if response.status_code != 200:
                return await _refused(call, endpoint, body, response, attempt)
            async for event in events(response, dialect, patience):
                begun = True
                if isinstance(event, Failed) and event.again and not call.begun:
                    return refusals.backoff(attempt), event.sentence, "is busy"
                if not _take(call, event):
                    return None
        return None
    except Silent:
        call.error = f"Nothing came from {endpoint.name} for {patience.idle:g} seconds."
        return None
    except httpx.HTTPError as error:
        if begun:
            call.error = reading.CUT_OFF
            return None
        return _unreached(endpoint, error, attempt)


def _take(call: Call, event: Event) -> bool:
    """Write down what came; False: it is enough."""
    call.take(event)
    if len(call.output) <= LONGEST_ANSWER:
        return True
    call.output = call.output[:LONGEST_ANSWER]
    if isinstance(event, Called):
        call.tool_calls.pop()  # its arguments may be as long as all that came
    call.error = "The answer grew beyond 1 MiB and was stopped."
    return False


@asynccontextmanager
async def _counting(call: Call) -> AsyncGenerator[None]:
    """While nothing comes, the cell says for how long: machines that sleep take minutes to wake."""

    async def count() -> None:
        since = time.monotonic()
        await asyncio.sleep(SLOW_START)
        while not call.begun:
            if not call.wait or call.wait.startswith("Sent "):
                gone = round(time.monotonic() - since)
                call.tell(f"Sent {gone // 60}:{gone % 60:02} ago; it may be starting")
            await asyncio.sleep(1)

    counter = asyncio.create_task(count())
    try:
        yield
    finally:
        counter.cancel()


async def _refused(
    call: Call, endpoint: Endpoint, body: dict[str, Any], response: httpx.Response, attempt: int
) -> dict[str, Any] | Again:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > 65536:
            break
    changed = refusals.adjust(body, data) if response.status_code in (400, 422) else None
    if changed is not None:
        request, note = changed
        if note:
            call.remark(note)
        return request
    pause = refusals.wait(response.status_code, response.headers, data, attempt)
    if pause is not None and response.status_code in (429, 503, 529):
        # Everybody's next call would meet the same answer.
        endpoint.slots.hold(pause)
    brief = "asks to wait" if response.status_code == 429 else "has a problem"
    sentence = refusals.sentence(response.status_code, data)
    if response.status_code in NOT_TAKEN and pictures.among(call.asked):
        sentence = f"Not every model takes pictures, and this request holds one. {sentence}"
    return pause, sentence + refusals.too_long(response.headers, data), brief


def _unreached(endpoint: Endpoint, error: httpx.HTTPError, attempt: int) -> Again:
    """Nothing came at all: why, and whether another try is worth it."""
    again, name = refusals.backoff(attempt), endpoint.name
    if endpoint.local:
        return again, ENGINE_STOPPED, "starts again"
    if isinstance(error, httpx.ReadTimeout):
        return None, f"{name} took the request but did not begin to answer.", ""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        if "certificate" in str(error).lower():
            return None, f"The certificate of {name} is not valid, so nothing was sent.", ""
        sentence = f"{name} cannot be reached. Is it running, and is the address right?"
        return again, sentence, "cannot be reached"
    if isinstance(error, httpx.PoolTimeout):
        return None, f"Too many calls to {name} at once. Run it again in a moment.", ""
    return again, f"{name} closed the connection without an answer.", "closed the connection"


def kept(body: Any) -> Any:
    """A request as it is kept with the run: a picture's bytes are left out.

    >>> kept({"url": "data:image/png;base64," + "A" * 9000})
    {'url': 'data:image/png;base64,AAAAAAAAAA… (9,022 characters)'}
    """
    if isinstance(body, dict):
        return {key: kept(value) for key, value in cast("dict[str, Any]", body).items()}
    if isinstance(body, list):
        return [kept(one) for one in cast("list[Any]", body)]
    if isinstance(body, str) and len(body) > LONG_STRING and " " not in body[:LONG_STRING]:
        return f"{body[:32]}… ({len(body):,} characters)"
    return body
