"""Read a chat completions request: what we take, what we ignore and say so, what we refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.playground.engine.refusal import Refused

ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_TOKENS = 512
"""When the caller names no limit."""
MOST_ANSWERS = 20
IGNORED = (
    "audio",
    "modalities",
    "prediction",
    "reasoning_effort",
    "verbosity",
    "web_search_options",
)
NAMES = 64


@dataclass(frozen=True)
class Sampling:
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    presence: float = 0.0
    frequency: float = 0.0
    bias: tuple[tuple[int, float], ...] = ()
    logprobs: int | None = None
    """How many of the likeliest tokens to name beside each chosen one; None for no logprobs."""


@dataclass(frozen=True)
class Ask:
    model: str
    messages: list[dict[str, Any]]
    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]
    stream: bool
    usage: bool
    who: str
    count: int = 1
    """Answers to the same prompt."""
    schema: dict[str, Any] | bool | None = None
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    must_call: bool = False
    alone: bool = False
    notes: list[str] = field(default_factory=list[str])

    def sampling_of(self, index: int) -> Sampling:
        """Answers of one request differ: the next one has the next seed."""
        if not index or self.sampling.seed is None:
            return self.sampling
        return replace(self.sampling, seed=self.sampling.seed + index)


def read(body: bytes) -> Ask:
    """Raises: Refused, with a sentence that names the field."""
    try:
        given: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("The request is not JSON.") from error
    if not isinstance(given, dict):
        raise Refused("The request must be a JSON object.")
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise Refused("The request names no model.")
    limit = given.get("max_completion_tokens") or given.get("max_tokens")
    if limit is not None:
        limit = int(_number("max_tokens", limit, 1, 1_000_000))
    options, ours = given.get("stream_options"), given.get("prompthub")
    tools, must_call = _tools(given)
    schema = _schema(given.get("response_format"))
    if must_call and schema is not None:
        raise Refused("An answer can be a tool call or fit a schema, not both. Ask for one.")
    return Ask(
        model=model,
        messages=_messages(given.get("messages")),
        sampling=_sampling(given),
        max_tokens=limit,
        stop=_stop(given.get("stop")),
        stream=given.get("stream") is True,
        usage=isinstance(options, dict) and options.get("include_usage") is True,
        who=str(given.get("user") or ""),
        count=int(_number("n", given.get("n") or 1, 1, MOST_ANSWERS)),
        schema=schema,
        tools=tools,
        must_call=must_call,
        alone=isinstance(ours, dict) and ours.get("alone") is True,
        notes=[
            f"ignored: {name}" for name in IGNORED if given.get(name) not in (None, 0, False, [])
        ],
    )


def _number(name: str, value: Any, low: float, high: float) -> float:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fine or not low <= value <= high:
        raise Refused(f"{name} must be a number from {low:g} to {high:g}.")
    return value


def _sampling(given: dict[str, Any]) -> Sampling:
    def number(name: str, low: float, high: float, default: float) -> float:
        value = given.get(name)
        return default if value is None else _number(name, value, low, high)

    seed = given.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise Refused("seed must be a whole number.")
    temperature = number("temperature", 0, 10, 1.0)
    top = int(number("top_logprobs", 0, 20, 0))
    return Sampling(
        # Below this the division overflows; the limit of small temperatures is the greedy choice.
        temperature=temperature if temperature >= 1e-4 else 0.0,
        top_p=number("top_p", 0, 1, 1.0),
        top_k=max(0, int(number("top_k", -1, 1_000_000, 0))),
        seed=seed,
        presence=number("presence_penalty", -2, 2, 0),
        frequency=number("frequency_penalty", -2, 2, 0),
        bias=_bias(given.get("logit_bias")),
        logprobs=top if given.get("logprobs") is True else None,
    )


def _bias(value: Any) -> tuple[tuple[int, float], ...]:
    if value in (None, {}):
        return ()
    if not isinstance(value, dict) or len(value) > 1000:
        raise Refused("logit_bias must be an object of at most 1,000 tokens.")
    if any(not str(token).isdecimal() for token in value):
        raise Refused("logit_bias names tokens by their numbers.")
    return tuple((int(t), _number("logit_bias", w, -100, 100)) for t, w in value.items())


def _stop(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if value is not None and not isinstance(value, str | list):
        raise Refused("stop must be a text or a list of texts.")
    if len(stops) > 16 or any(not isinstance(s, str) or not s or len(s) > 500 for s in stops):
        raise Refused("stop takes up to 16 texts of 1 to 500 characters.")
    return tuple(stops)


def _schema(value: Any) -> dict[str, Any] | bool | None:
    """The schema that the answer must fit; None when it is free."""
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    inner = value.get("json_schema") if kind == "json_schema" else None
    schema = inner.get("schema") if isinstance(inner, dict) else None
    if not isinstance(schema, dict | bool):
        raise Refused("response_format must be text, json_object or a json_schema with a schema.")
    return schema


def _tools(given: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """The tools on offer, and whether one must be called."""
    value, choice = given.get("tools"), given.get("tool_choice")
    if value in (None, []) or choice == "none":
        return [], False
    tools = [_tool(one) for one in value] if isinstance(value, list) else []
    if not tools or len(tools) > 128:
        raise Refused("tools must be a list of up to 128 functions.")
    if choice in (None, "auto"):
        return tools, False
    if choice == "required":
        return tools, True
    function = choice.get("function") if isinstance(choice, dict) else None
    wanted = function.get("name") if isinstance(function, dict) else None
    only = [tool for tool in tools if tool["function"]["name"] == wanted]
    if not only:
        raise Refused("tool_choice must be none, auto, required or one of the tools.")
    return only, True


def _tool(value: Any) -> dict[str, Any]:
    told = value.get("function") if isinstance(value, dict) else None
    function: dict[str, Any] = told if isinstance(told, dict) else {}
    name = function.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= NAMES:
        raise Refused(f"Every tool is a function with a name of 1 to {NAMES} characters.")
    if not isinstance(function.get("parameters", {}), dict):
        raise Refused(f"The parameters of the tool {name} must be a JSON schema.")
    return {"type": "function", "function": function}


def _messages(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise Refused("The prompt has no messages. Write at least one.")
    return [_message(index, message) for index, message in enumerate(value, 1)]


def _message(index: int, message: Any) -> dict[str, Any]:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise Refused(f"Message {index} has no known role. Use system, user or assistant.")
    content = message.get("content")
    if isinstance(content, list):
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise Refused(f"Message {index} holds more than text, which this model cannot read.")
        content = "".join(str(part.get("text", "")) for part in content)
    if content is None:
        content = ""
    if not isinstance(content, str):
        raise Refused(f"The content of message {index} is not text.")
    role = "system" if message["role"] == "developer" else message["role"]
    made: dict[str, Any] = {"role": role, "content": content}
    made |= {name: str(message[name]) for name in ("name", "tool_call_id") if message.get(name)}
    if role == "assistant" and message.get("tool_calls"):
        made["tool_calls"] = _calls(index, message["tool_calls"])
    try:
        json.dumps(made, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Refused(
            f"Message {index} holds a broken character (half of a surrogate pair)."
        ) from error
    return made


def _calls(index: int, value: Any) -> Sequence[dict[str, Any]]:
    """Earlier calls, with arguments as values, which is how templates want them."""
    made: list[dict[str, Any]] = []
    for call in value if isinstance(value, list) else [None]:
        told = call.get("function") if isinstance(call, dict) else None
        function: dict[str, Any] = told if isinstance(told, dict) else {}
        if not isinstance(function.get("name"), str):
            raise Refused(f"A tool call of message {index} names no function.")
        arguments: Any = function.get("arguments") or {}
        try:
            arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        except (ValueError, RecursionError) as error:
            raise Refused(
                f"The arguments of a tool call of message {index} are not JSON."
            ) from error
        made.append(
            {
                "id": str(call["id"] if isinstance(call, dict) and call.get("id") else ""),
                "type": "function",
                "function": {"name": function["name"], "arguments": arguments},
            }
        )
    return made
