"""Answers that are no answer: what an error status means, and whether to try again. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hub.playground.wire.reading import AGAIN, Json, error_object, error_of, text, tree, trees

LONGEST_WAIT = 20.0
"""Seconds we wait for somebody who looks at the screen."""
_FIRST_WAIT, _LAST_WAIT = 0.5, 8.0

_SENTENCES = {
    401: "It does not accept the key. An administrator can enter another one under Models.",
    402: "The account behind the key has no credit left.",
    403: "The key is not allowed to do this there. Ask whoever gave it to you.",
    404: (
        "It knows no such address or model. Check the address (OpenAI-like ones usually end in "
        "/v1) and the name of the model."
    ),
    405: "It does not take chat requests at this address. The base URL usually ends in /v1.",
    408: "It gave up waiting. Run it again.",
    413: "The prompt is too long for it. Shorten it or use another model.",
    429: "It asks for fewer requests at a time. Run this again in a moment.",
    529: "It has too much to do just now. Run this again in a moment.",
}
# Words of an endpoint that does not take a setting, whatever its language.
_REFUSES = re.compile(
    r"unsupported|unknown|unrecognized|not support|not allowed|not permitted|deprecated|"
    r"may only be set|cannot both|only one of|cannot find field|not enabled",
    re.I,
)
_NEEDED = frozenset(
    "model messages contents input system systemInstruction instructions stream tools max_tokens "
    "truncate store".split()
)
"""Without these it would be another question, or none."""
_SILENT = frozenset({"stream_options", "reasoning.summary", "thinking.display"})
"""Our own additions; nobody asked for them, so nobody misses them."""
_THINKING = ("thinking", "think", "thinkingConfig", "reasoning", "reasoning_effort")


def sentence(status: int, data: bytes) -> str:
    """What a status other than 200 means, with the endpoint's own words where it gave some."""
    error = error_object(data)
    said = error_of(error) if error else ""
    if _no_credit(error):
        return "The account behind the key has no credit left."
    if 300 <= status < 400:
        return "It sends us on to another address, which we do not follow. Enter the final one."
    if said and error.get("type") == "engine_error":
        return said  # another hub's engine, which speaks to people itself
    plain = _SENTENCES.get(status)
    if plain is None:
        plain = (
            f"It has a problem of its own (status {status}). Try again later."
            if status >= 500
            else f"It did not accept the request (status {status})."
        )
    return f"{plain} It says: {said}" if said else plain


def too_long(headers: Mapping[str, str], data: bytes) -> str:
    """How long it asks to be left alone, where that is longer than anybody looks at a screen."""
    asked = asked_wait(headers, error_object(data))
    if asked is None or asked <= LONGEST_WAIT:
        return ""
    minutes = round(asked / 60)
    spell = f"{round(asked)} seconds" if asked < 120 else f"{minutes:,} minutes"
    return f" It asks to wait {spell}."


def wait(status: int, headers: Mapping[str, str], data: bytes, attempt: int) -> float | None:
    """Seconds to wait before trying again; None: do not."""
    error = error_object(data)
    if status not in AGAIN or _no_credit(error):
        return None
    asked = asked_wait(headers, error)
    seconds = backoff(attempt) if asked is None else asked
    return seconds if seconds <= LONGEST_WAIT else None


def backoff(attempt: int) -> float:
    """0.5, 1, 2 … 8 seconds, each up to half shorter, so that many do not come back at once."""
    longest = min(_FIRST_WAIT * 2 ** (attempt - 1), _LAST_WAIT)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def asked_wait(headers: Mapping[str, str], error: Json) -> float | None:
    """`retry-after-ms`, `retry-after` in seconds or as a date, or Gemini's `retryDelay`."""
    try:
        if value := headers.get("retry-after-ms"):
            return max(0.0, float(value) / 1000)
        value = headers.get("retry-after")
        if not value:
            return _delay(error)
        if value.strip().replace(".", "", 1).isdecimal():
            return float(value)
        until = parsedate_to_datetime(value) - datetime.now(UTC)
        return max(0.0, until.total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def adjust(request: Json, data: bytes) -> tuple[Json, str] | None:
    """The request without the setting a 400 complained of, and a note about it; None: it did not.

    Reasoning models refuse a temperature, newer ones call `max_tokens` something else, small
    servers know no `stream_options`, and each says so in its own words.
    """
    error = error_object(data)
    message, param = text(error.get("message")), text(error.get("param"))
    if "max_tokens" in request and (param == "max_tokens" or "'max_completion_tokens'" in message):
        rest = {key: value for key, value in request.items() if key != "max_tokens"}
        return {**rest, "max_completion_tokens": request["max_tokens"]}, ""
    if not param and not _REFUSES.search(message):
        return None
    paths = list(_paths(request))
    named = [path for path in paths if _meant(path, param, message)]
    if not named and not param and "thinking" in message.lower():
        named = [path for path in paths if path.rpartition(".")[2] in _THINKING][:1]
    if not named:
        return None
    path = named[-1]  # of two that exclude each other, the later one
    note = "" if path in _SILENT else f"ignored: {shown(path)}"
    return _without(request, path.split(".")), note


def shown(path: str) -> str:
    """A setting's name for people: `generationConfig.topK` is "top k".

    >>> shown("generationConfig.topK"), shown("reasoning.effort"), shown("top_p")
    ('top k', 'reasoning effort', 'top p')
    """
    first, _, last = path.rpartition(".")
    name = f"{first}_{last}" if first in ("reasoning", "thinking") else last
    if name in ("thinking", "think", "thinkingConfig"):
        name = "reasoning effort"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("_", " ").lower()


def _paths(request: Json) -> Iterator[str]:
    """Every setting, `a` or `a.b`, without what makes the question."""
    for key, value in request.items():
        if key in _NEEDED:
            continue
        inner = [f"{key}.{one}" for one in tree(value)] if key != "response_format" else []
        yield from [key, *inner]


def _meant(path: str, param: str, message: str) -> bool:
    last = path.rpartition(".")[2]
    if param:
        return param == path
    if re.search(rf"[`'\"]({re.escape(path)}|{re.escape(last)})[`'\"]", message):
        return True
    return message.startswith(f"{path}:")


def _without(request: Json, path: list[str]) -> Json:
    first, *rest = path
    if not rest:
        return {key: value for key, value in request.items() if key != first}
    return {**request, first: _without(tree(request.get(first)), rest)}


def _no_credit(error: Json) -> bool:
    return "insufficient_quota" in (error.get("code"), error.get("type"))


def _delay(error: Json) -> float | None:
    """`{"@type": "…RetryInfo", "retryDelay": "17s"}`."""
    for detail in trees(error.get("details")):
        found: Any = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)s", text(detail.get("retryDelay")))
        if found:
            return float(found[1])
    return None
