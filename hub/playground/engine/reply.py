"""One chat completion in the dialect of OpenAI, streamed or whole, with our notes beside it."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hub.playground.engine import ask
from hub.playground.engine.refusal import Refused, broken
from hub.playground.engine.server import Receive, Send, Server, send_json
from hub.playground.engine.tools import Call, Caller

if TYPE_CHECKING:
    from hub.playground.engine.loading import Loaded
    from hub.playground.engine.run import Stream
    from hub.playground.engine.shelf import Lease
    from hub.playground.engine.stream import Event

SSE = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
RENDER_SECONDS = 20


class Answer:
    """One of the answers to a request, as far as it has come."""

    def __init__(self, given: ask.Ask, tools: bool) -> None:
        names = [tool["function"]["name"] for tool in given.tools]
        self._caller = Caller(names) if names and (tools or given.must_call) else None
        self.text = ""
        self.calls: list[Call] = []
        self.logprobs: list[dict[str, Any]] = []
        self.finish = ""
        self.begun = False

    def push(self, text: str) -> str:
        piece = self._caller.push(text) if self._caller else text
        self.text += piece
        return piece

    def close(self, finish: str) -> str:
        """The rest of the text; calls change how it finished."""
        rest = ""
        if self._caller is not None:
            rest, self.calls = self._caller.finish()
        self.text += rest
        self.finish = "tool_calls" if self.calls else finish
        return rest

    def called(self) -> list[dict[str, Any]]:
        return [
            {
                "index": index,
                "id": f"call_{uuid4().hex[:16]}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(self.calls)
        ]

    def message(self) -> dict[str, Any]:
        made: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.calls:
            made["tool_calls"] = self.called()
        return made


class Reply:
    """Runs one request; whatever happens, the caller gets an end."""

    def __init__(self, server: Server, receive: Receive, send: Send) -> None:
        self._server = server
        self._receive = receive
        self._send = send
        self._begun = False
        self._base: dict[str, Any] = {}
        self._usage = {"prompt_tokens": 0, "completion_tokens": 0, "cached": 0}
        self._load_seconds = 0.0

    async def answer(self, given: ask.Ask) -> None:
        """Run it; when the caller goes away the run is cancelled, wherever it stands."""
        work = asyncio.create_task(self._run(given))
        gone = asyncio.create_task(self._gone())
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            work.cancel()
        with suppress(asyncio.CancelledError):
            try:
                await work
            except Refused as refusal:
                await self._refuse(refusal)
            except Exception as error:
                traceback.print_exc()
                await self._refuse(broken(f"The engine failed: {type(error).__name__}: {error}"))

    async def _refuse(self, refusal: Refused) -> None:
        """As a status if nothing was sent yet, else as the last event of the stream."""
        if not self._begun:
            raise refusal
        await self._event(refusal.as_json())
        await self._end()

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _run(self, given: ask.Ask) -> None:
        self._base = {
            "id": f"chatcmpl-{uuid4().hex}",
            "created": int(time.time()),
            "model": given.model,
        }
        began = time.monotonic()
        engine = await self._wait(self._server.engine(), given)
        lease = engine.shelf.lease(given.model)
        try:
            model = await self._wait(_leased(lease), given)
            self._load_seconds = time.monotonic() - began
            self._base["system_fingerprint"] = model.fingerprint
            await self._answered(engine, given, model)
        finally:
            engine.shelf.give_back(lease)

    async def _answered(self, engine: Any, given: ask.Ask, model: Loaded) -> None:
        from hub.playground.engine.run import Stream, fit

        try:
            fitting = asyncio.to_thread(fit, given, model)
            fitted = await asyncio.wait_for(fitting, RENDER_SECONDS)
        except TimeoutError as error:
            raise Refused("This model's chat template takes too long on this prompt.") from error
        answers = [Answer(given, fitted.prompt.tools) for _ in fitted.requests]
        stream = Stream(engine, given.model, fitted.requests)
        notes = [*given.notes, *fitted.prompt.notes]
        stream.start()
        try:
            await self._told(given, stream, answers, notes, model)
        finally:
            stream.cancel()

    async def _wait(self, coming: Any, given: ask.Ask) -> Any:
        """Wait for the model; a streaming caller hears that it is loading."""
        task = asyncio.ensure_future(coming)
        told = ""
        while not task.done():
            await asyncio.wait((task,), timeout=0.4)
            if not task.done() and given.stream:
                share, why = self._server.progress(given.model)
                more = {"note": why} if why and why != told else {}
                told = why or told
                await self._chunk(None, {}, prompthub={"loading": share, **more})
        return task.result()

    async def _told(
        self, given: ask.Ask, stream: Stream, answers: list[Answer], notes: list[str], model: Loaded
    ) -> None:
        noted = {"note": "; ".join(notes)} if notes else {}
        asked = time.monotonic()
        async for index, event in stream.events():
            answer = answers[index]
            if event.kind == "failed":
                raise broken(event.text)
            if event.kind == "queued" and given.stream:
                await self._chunk(None, {}, prompthub={"queued": event.place})
            elif event.kind == "delta":
                entries = [_entry(model, token, likely) for token, likely in event.likely]
                answer.logprobs += entries
                if (piece := answer.push(event.text)) or entries:
                    noted = await self._piece(given, index, answer, piece, noted, entries)
            elif event.kind == "done":
                self._count(event)
                if rest := answer.close(event.text):
                    noted = await self._piece(given, index, answer, rest, noted, [])
                await self._finished(given, index, answer, event, noted)
                noted = {}
        timing = {
            "queue_s": round(stream.queued, 3), "load_s": round(self._load_seconds, 3),
            "device": model.device, "run_s": round(time.monotonic() - asked - stream.queued, 3),
        }  # fmt: skip
        await (self._last(given, timing) if given.stream else self._whole(answers, timing, notes))

    async def _piece(
        self, given: ask.Ask, index: int, answer: Answer, text: str, noted: dict[str, Any],
        entries: list[dict[str, Any]],
    ) -> dict[str, Any]:  # fmt: skip
        """Send some text; what there was to note has been said then."""
        if not given.stream:
            return noted
        delta: dict[str, Any] = {} if answer.begun else {"role": "assistant"}
        answer.begun = True
        more: dict[str, Any] = {"prompthub": noted} if noted else {}
        await self._chunk(index, delta | {"content": text}, logprobs=entries, **more)
        return {}

    async def _finished(
        self, given: ask.Ask, index: int, answer: Answer, event: Event, noted: dict[str, Any]
    ) -> None:
        if not given.stream:
            return
        if answer.calls:
            delta: dict[str, Any] = {} if answer.begun else {"role": "assistant", "content": None}
            await self._chunk(index, delta | {"tool_calls": answer.called()})
        extra = dict(noted)
        if event.stopped_by is not None:
            extra["stopped_by"] = event.stopped_by
        more: dict[str, Any] = {"prompthub": extra} if extra else {}
        await self._chunk(index, {}, finish=answer.finish, **more)

    def _count(self, event: Event) -> None:
        self._usage["prompt_tokens"] = event.prompt_tokens
        self._usage["completion_tokens"] += event.completion_tokens
        self._usage["cached"] = max(self._usage["cached"], event.cached_tokens)

    def _used(self) -> dict[str, Any]:
        prompt, completion = self._usage["prompt_tokens"], self._usage["completion_tokens"]
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": self._usage["cached"]},
        }

    async def _last(self, given: ask.Ask, timing: dict[str, Any]) -> None:
        await self._chunk(None, {}, prompthub=timing)
        if given.usage:
            await self._chunk(None, {}, usage=self._used())
        await self._end()

    async def _whole(self, answers: list[Answer], timing: dict[str, Any], notes: list[str]) -> None:
        choices: list[dict[str, Any]] = []
        for index, answer in enumerate(answers):
            choice = {
                "index": index, "message": answer.message(), "finish_reason": answer.finish,
                "logprobs": {"content": answer.logprobs} if answer.logprobs else None,
            }  # fmt: skip
            choices.append(choice)
        more = {"note": "; ".join(notes)} if notes else {}
        value = {
            **self._base, "object": "chat.completion", "choices": choices, "usage": self._used(),
            "prompthub": timing | more,
        }  # fmt: skip
        await send_json(self._send, value)

    async def _chunk(
        self, index: int | None, delta: dict[str, Any], finish: str | None = None,
        logprobs: list[dict[str, Any]] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        choices: list[dict[str, Any]] = []
        if index is not None:
            choice: dict[str, Any] = {"index": index, "delta": delta, "finish_reason": finish}
            if logprobs:
                choice["logprobs"] = {"content": logprobs}
            choices.append(choice)
        await self._event(
            {**self._base, "object": "chat.completion.chunk", "choices": choices, **more}
        )

    async def _event(self, value: Any) -> None:
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": SSE})
        data = b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _end(self) -> None:
        await self._send(
            {"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False}
        )


async def _leased(lease: Lease) -> Loaded:
    return await asyncio.wrap_future(lease.model)


def _entry(model: Loaded, token: int, likely: Any) -> dict[str, Any]:
    """A token's log probability as the dialect writes it."""

    def named(one: int, logprob: float) -> dict[str, Any]:
        text, raw = model.guide().spelled(one)
        return {"token": text, "logprob": max(-9999.0, logprob), "bytes": raw}

    top = [named(one, logprob) for one, logprob in likely.top]
    return {**named(token, likely.logprob), "top_logprobs": top}
