"""From a saved prompt and values to the request a model gets.

Text that only fills in `{{ names }}` is rendered right here. Everything else, loops and conditions
that people wrote, goes to a warm worker process that is killed when it takes longer than two
seconds: a template that explodes costs its own request and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Any, cast

import msgspec

from hub.errors import Invalid, Unavailable
from hub.playground.render_worker import render as render_here
from hub.playground.values import dicts
from hub.web import ROOT

DEADLINE = 2.0
WORKERS = 2
LARGEST = 8 * 1024 * 1024
"""Bytes of one answer of a worker; a template's own output ends at 1 MiB."""
_NAME = re.compile(r"\{\{\s*[A-Za-z_][A-Za-z0-9_]*\s*\}\}")
_MARKS = ("{{", "{%", "{#")


class NotRendered(Invalid):
    """The prompt cannot be filled in with these values; the sentence says why."""


class Renderer:
    """A few warm workers, started when first needed."""

    def __init__(self) -> None:
        self._idle: asyncio.LifoQueue[Process | None] = asyncio.LifoQueue()
        for _ in range(WORKERS):
            self._idle.put_nowait(None)
        self._here = asyncio.Lock()
        """Hundreds begin at the same moment; between two of them others have their turn."""
        self._checking = asyncio.Semaphore(WORKERS - 1)
        """Answers of hundreds of calls are checked; filling in always finds a worker between."""

    async def request(
        self, document: dict[str, Any], snippets: dict[str, str], values: dict[str, Any]
    ) -> dict[str, Any]:
        """The chat-completions request of this prompt with these values.

        Raises:
            NotRendered: a variable is missing or does not fit, or the template is refused.
        """
        if is_simple(document):
            async with self._here:
                answer = render_here(document, snippets, values)
                await asyncio.sleep(0)
        else:
            asked = {"document": document, "snippets": snippets, "values": values}
            answer = await self._ask(msgspec.json.encode(asked) + b"\n")
        if "error" in answer:
            raise NotRendered(answer["error"])
        return cast("dict[str, Any]", answer["request"])

    async def misfit(self, schema: dict[str, Any], answer: str) -> str:
        """Why an answer does not have the shape it was asked for; empty: it has."""
        line = msgspec.json.encode({"schema": schema, "answer": answer}) + b"\n"
        try:
            async with self._checking:
                return str((await self._ask(line))["misfit"])
        except NotRendered:
            return "to check it took too long"

    async def stop(self) -> None:
        while not self._idle.empty():
            await _end(self._idle.get_nowait())

    async def _ask(self, line: bytes) -> dict[str, Any]:
        worker = await self._idle.get()
        try:
            worker = await _alive(worker)
            return await _exchange(worker, line)
        except (TimeoutError, OSError, EOFError, ValueError):
            await _end(worker)
            worker = None
            raise NotRendered(
                "Filling in this prompt took too long or too much memory and was stopped. "
                "Look for loops over very long lists."
            ) from None
        except BaseException:
            # Whoever asked has gone; an answer to them must not reach the next one.
            await asyncio.shield(_end(worker))
            worker = None
            raise
        finally:
            self._idle.put_nowait(worker)


def is_simple(document: dict[str, Any]) -> bool:
    """Whether no text of the prompt holds more than `{{ name }}`, so that nothing can run wild."""
    if document.get("template") == "plain":
        return True
    return not any(
        mark in _NAME.sub("", str(message.get("content") or ""))
        for message in dicts(document.get("messages"))
        for mark in _MARKS
    )


async def _alive(worker: Process | None) -> Process:
    if worker is not None and worker.returncode is None:
        return worker
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.playground.render_worker",
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd=ROOT, limit=LARGEST,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            assert worker.stdout
            if not await worker.stdout.readline():
                raise EOFError
    except (TimeoutError, EOFError):
        await _end(worker)
        raise Unavailable(
            "The process that fills in prompts does not start. Tell the operator; "
            "prompts without conditions and loops still work."
        ) from None
    except BaseException:
        await asyncio.shield(_end(worker))
        raise
    return worker


async def _exchange(worker: Process, line: bytes) -> dict[str, Any]:
    assert worker.stdin
    assert worker.stdout
    async with asyncio.timeout(DEADLINE):
        worker.stdin.write(line)
        await worker.stdin.drain()
        answer = await worker.stdout.readline()
    if not answer.endswith(b"\n"):
        raise EOFError
    return cast("dict[str, Any]", msgspec.json.decode(answer))


async def _end(worker: Process | None) -> None:
    if worker is None:
        return
    with contextlib.suppress(ProcessLookupError):
        worker.kill()
    await worker.wait()
    # asyncio leaves the pipes to the garbage collector, which warns about them.
    transport = getattr(worker, "_transport", None)
    if transport is not None:
        transport.close()
