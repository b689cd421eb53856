"""Read a chat completions request: what we take, what we ignore and say so, what we refuse."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from hub.playground.engine.refusal import Refused
from hub.playground.engine.sampling import Sampling

ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_TOKENS = 512
"""When the caller names no limit."""
IGNORED = (
    "tools", "tool_choice", "response_format", "frequency_penalty", "presence_penalty",
    "logit_bias", "logprobs", "top_logprobs",
)  # fmt: skip


@dataclass(frozen=True)
class Ask:
    model: str
    messages: list[dict[str, str]]
    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]
    stream: bool
    usage: bool
    who: str
    notes: list[str] = field(default_factory=list[str])


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
    if given.get("n") not in (None, 1):
        raise Refused("One answer per request: ask several times for several samples.")
    options = given.get("stream_options")
    return Ask(
        model=model,
        messages=_messages(given.get("messages")),
        sampling=_sampling(given),
        max_tokens=limit,
        stop=_stop(given.get("stop")),
        stream=given.get("stream") is True,
        usage=isinstance(options, dict) and options.get("include_usage") is True,
        who=str(given.get("user") or ""),
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
    return Sampling(
        # Below this the division overflows; the limit of small temperatures is the greedy choice.
        temperature=temperature if temperature >= 1e-4 else 0.0,
        top_p=number("top_p", 0, 1, 1.0),
        top_k=max(0, int(number("top_k", -1, 1_000_000, 0))),
        seed=seed,
    )


def _stop(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if value is not None and not isinstance(value, str | list):
        raise Refused("stop must be a text or a list of texts.")
    if len(stops) > 16 or any(not isinstance(s, str) or not s or len(s) > 500 for s in stops):
        raise Refused("stop takes up to 16 texts of 1 to 500 characters.")
    return tuple(stops)


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise Refused("The prompt has no messages. Write at least one.")
    return [_message(index, message) for index, message in enumerate(value, 1)]


def _message(index: int, message: Any) -> dict[str, str]:
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
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise Refused(
            f"Message {index} holds a broken character (half of a surrogate pair)."
        ) from error
    role = "system" if message["role"] == "developer" else message["role"]
    return {"role": role, "content": content}
