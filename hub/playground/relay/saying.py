"""Answers in OpenAI's two languages, whole and piece by piece. Pure.

A writer is fed what the model says and gives server-sent events; `whole` tells it all at once. The
text of a call may hold remarks about tools for people, so texts are put together here anew.
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import msgspec

from hub.playground.calls import Call
from hub.playground.wire.events import Called, Delta, Event

Json = dict[str, Any]
_ENDS = {"stop", "length", "tool_calls", "content_filter"}


class Writer(ABC):
    """What both languages have in common."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.created = int(time.time())
        self.text = ""
        self.reasoning = ""
        self.tools: list[Called] = []

    @abstractmethod
    def begin(self) -> Iterator[bytes]:
        """Said before anything comes."""

    def hear(self, event: Event) -> Iterator[bytes]:
        """Said when that came."""
        if isinstance(event, Delta):
            self.text += event.text
            self.reasoning += event.reasoning
            yield from self._delta(event)
        elif isinstance(event, Called):
            called = Called(event.name, event.arguments, event.id or f"call_{_id()}")
            self.tools.append(called)
            yield from self._called(called)

    @abstractmethod
    def end(self, call: Call) -> Iterator[bytes]:
        """Said when nothing more comes."""

    @abstractmethod
    def whole(self, call: Call) -> Json:
        """The answer in one."""

    @abstractmethod
    def _delta(self, event: Delta) -> Iterator[bytes]: ...

    @abstractmethod
    def _called(self, called: Called) -> Iterator[bytes]: ...


class Chat(Writer):
    """`chat.completion`."""

    def __init__(self, model: str, *, usage: bool) -> None:
        super().__init__(model)
        self._id = f"chatcmpl-{_id()}"
        self._usage = usage

    def begin(self) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})

    def _delta(self, event: Delta) -> Iterator[bytes]:
        delta: Json = {"content": event.text} if event.text else {}
        if event.reasoning:
            delta["reasoning_content"] = event.reasoning
        yield self._chunk(delta)

    def _called(self, called: Called) -> Iterator[bytes]:
        at = len(self.tools) - 1
        yield self._chunk({"tool_calls": [{"index": at, **_tool(called)}]})

    def end(self, call: Call) -> Iterator[bytes]:
        if call.error:
            yield _event({"error": error_of(call.error, "server_error")})
        else:
            yield self._chunk({}, self._reason(call))
            if self._usage:
                yield _event(self._head("chat.completion.chunk") | {
                    "choices": [], "usage": _usage(call, "prompt", "completion"),
                })  # fmt: skip
        yield b"data: [DONE]\n\n"

    def whole(self, call: Call) -> Json:
        message: Json = {"role": "assistant", "content": self.text or None, "refusal": None}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tools:
            message["tool_calls"] = [_tool(one) for one in self.tools]
        choice = {
            "index": 0, "message": message, "finish_reason": self._reason(call), "logprobs": None
        }  # fmt: skip
        return self._head("chat.completion") | {
            "choices": [choice], "usage": _usage(call, "prompt", "completion"),
        }  # fmt: skip

    def _reason(self, call: Call) -> str:
        if self.tools:
            return "tool_calls"
        return call.finish_reason if call.finish_reason in _ENDS else "stop"

    def _head(self, kind: str) -> Json:
        return {"id": self._id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _event(self._head("chat.completion.chunk") | {"choices": [choice]})


class Responses(Writer):
    """`response`: items, opened and closed in order, each event numbered."""

    def __init__(self, model: str, prompt: Json) -> None:
        super().__init__(model)
        self._id = f"resp_{_id()}"
        self._prompt = prompt
        self._message = f"msg_{_id()}"
        self._items: list[Json] = []
        self._open = False
        self._count = 0

    def begin(self) -> Iterator[bytes]:
        yield self._say("response.created", response=self._response("in_progress"))
        yield self._say("response.in_progress", response=self._response("in_progress"))

    def _delta(self, event: Delta) -> Iterator[bytes]:
        if not event.text:
            return  # what a model thinks is kept with the call, not handed on
        if not self._open:
            self._open = True
            item = self._item("in_progress", "")
            item["content"] = []
            at = len(self._items)
            yield self._say("response.output_item.added", output_index=at, item=item)
            yield self._say("response.content_part.added", **self._place(), part=_part(""))
        yield self._say(
            "response.output_text.delta", **self._place(), delta=event.text, logprobs=[]
        )

    def _called(self, called: Called) -> Iterator[bytes]:
        yield from self._close()
        at = len(self._items)
        item = {
            "type": "function_call", "id": f"fc_{_id()}", "call_id": called.id,
            "name": called.name, "arguments": "", "status": "in_progress",
        }  # fmt: skip
        yield self._say("response.output_item.added", output_index=at, item=item)
        place = {"item_id": item["id"], "output_index": at}
        said = called.arguments
        yield self._say("response.function_call_arguments.delta", **place, delta=said)
        yield self._say(
            "response.function_call_arguments.done", **place, arguments=said, name=called.name
        )
        item = item | {"arguments": said, "status": "completed"}
        self._items.append(item)
        yield self._say("response.output_item.done", output_index=at, item=item)

    def _close(self) -> Iterator[bytes]:
        """End the message that is being written."""
        if not self._open:
            return
        place, text = self._place(), self.text
        yield self._say("response.output_text.done", **place, text=text, logprobs=[])
        yield self._say("response.content_part.done", **place, part=_part(text))
        item = self._item("completed", text)
        yield self._say("response.output_item.done", output_index=len(self._items), item=item)
        self._items.append(item)
        self._open, self.text, self._message = False, "", f"msg_{_id()}"

    def end(self, call: Call) -> Iterator[bytes]:
        yield from self._close()
        kind = self._state(call)
        yield self._say(f"response.{kind}", response=self._response(kind, call))

    def whole(self, call: Call) -> Json:
        for _ in self._close():
            pass
        return self._response(self._state(call), call)

    def _state(self, call: Call) -> str:
        if call.error:
            return "failed"
        return "incomplete" if call.finish_reason in ("length", "content_filter") else "completed"

    def _response(self, state: str, call: Call | None = None) -> Json:
        why = {"length": "max_output_tokens"}.get(
            (call and call.finish_reason) or "", "content_filter"
        )
        return {
            "id": self._id, "object": "response", "created_at": self.created, "status": state,
            "model": self.model, "prompt": self._prompt, "output": list(self._items),
            "error": {"code": "server_error", "message": call.error} if call and call.error
            else None,
            "incomplete_details": {"reason": why} if state == "incomplete" else None,
            "usage": _usage(call, "input", "output") if call else None,
            "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": None,
            "tool_choice": "auto", "tools": [], "top_p": None, "store": False,
        }  # fmt: skip

    def _item(self, state: str, text: str) -> Json:
        return {
            "type": "message", "id": self._message, "role": "assistant", "status": state,
            "content": [_part(text)],
        }  # fmt: skip

    def _place(self) -> Json:
        return {"item_id": self._message, "output_index": len(self._items), "content_index": 0}

    def _say(self, kind: str, **said: Any) -> bytes:
        made = _event({"type": kind, "sequence_number": self._count, **said}, kind)
        self._count += 1
        return made


def error_of(sentence: str, kind: str, code: str | None = None) -> Json:
    """An error as OpenAI's clients read it."""
    return {"message": sentence, "type": kind, "param": None, "code": code}


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _tool(called: Called) -> Json:
    function = {"name": called.name, "arguments": called.arguments}
    return {"id": called.id, "type": "function", "function": function}


def _usage(call: Call, came: str, went: str) -> Json:
    """As counted by the endpoint, or by us where it did not say."""
    taken, given = call.tokens_in or 0, call.tokens_out or 0
    return {
        f"{came}_tokens": taken, f"{went}_tokens": given, "total_tokens": taken + given,
        f"{came}_tokens_details": {"cached_tokens": call.tokens_cached or 0},
        f"{went}_tokens_details": {"reasoning_tokens": call.tokens_reasoning or 0},
    }  # fmt: skip


def _event(said: Json, name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(said) + b"\n\n"


def _id() -> str:
    return secrets.token_hex(12)
