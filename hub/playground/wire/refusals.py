"""Answers that are no answer: what an error status means, and whether to try again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import msgspec

from hub.playground.wire.openai_chat import error_of

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
LONGEST_WAIT = 20.0
"""Seconds we wait for somebody who looks at the screen."""

_SENTENCES = {
    401: "It does not accept the key. An administrator can enter another one under Models.",
    402: "The account behind the key has no credit left.",
    403: "The key is not allowed to do this there. Ask whoever gave it to you.",
    404: (
        "It knows no such address or model. Check the base URL (it usually ends in /v1) "
        "and the name of the model."
    ),
    405: "It does not take chat requests at this address. The base URL usually ends in /v1.",
    408: "It gave up waiting. Run it again.",
    413: "The prompt is too long for it. Shorten it or use another model.",
    429: "It asks for fewer requests at a time. Run this again in a moment.",
}


def sentence(status: int, data: bytes) -> str:
    """What a status other than 200 means, with the endpoint's own words where it gave some."""
    said = _said(data)
    if _no_credit(data):
        return "The account behind the key has no credit left."
    if 300 <= status < 400:
        return "It sends us on to another address, which we do not follow. Enter the final one."
    plain = _SENTENCES.get(status)
    if plain is None:
        plain = (
            f"It has a problem of its own (status {status}). Try again later."
            if status >= 500
            else f"It did not accept the request (status {status})."
        )
    return f"{plain} It says: {said}" if said else plain


def wait(status: int, headers: Mapping[str, str], data: bytes, attempt: int) -> float | None:
    """Seconds to wait before trying again; None: do not."""
    if status not in AGAIN or _no_credit(data):
        return None
    asked = _asked(headers)
    seconds = 0.25 * 2**attempt if asked is None else asked
    return seconds if seconds <= LONGEST_WAIT else None


def adjust(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], str] | None:
    """The request without the setting a 400 complained of, and a note about it; None: it did not.

    Reasoning models refuse a temperature, newer ones call `max_tokens` something else, small
    servers know no `stream_options`.
    """
    error = _error(data)
    message = str(error.get("message") or "").lower()
    named = [str(error["param"])] if error.get("param") else []
    if not named and any(word in message for word in ("unsupported", "unknown", "unrecognized")):
        named = [key for key in request if f"'{key}'" in message or f'"{key}"' in message]
    for name in named:
        if name == "max_tokens" and name in request:
            rest = {key: value for key, value in request.items() if key != name}
            return {**rest, "max_completion_tokens": request[name]}, ""
        if name in request and name not in ("model", "messages", "stream"):
            rest = {key: value for key, value in request.items() if key != name}
            return rest, "" if name == "stream_options" else f"ignored: {name.replace('_', ' ')}"
    return None


def _error(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return {}
    error = found.get("error", found) if isinstance(found, dict) else {}
    if isinstance(error, str):
        return {"message": error}
    return cast("dict[str, Any]", error) if isinstance(error, dict) else {}


def _said(data: bytes) -> str:
    error = _error(data)
    return error_of(error) if error else ""


def _no_credit(data: bytes) -> bool:
    error = _error(data)
    return "insufficient_quota" in (error.get("code"), error.get("type"))


def _asked(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms`, or `retry-after` in seconds or as a date."""
    try:
        if value := headers.get("retry-after-ms"):
            return max(0.0, float(value) / 1000)
        value = headers.get("retry-after")
        if not value:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        until = parsedate_to_datetime(value) - datetime.now(UTC)
        return max(0.0, until.total_seconds())
    except (ValueError, TypeError):
        return None
