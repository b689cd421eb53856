"""One attempt to hand a message in, and what became of it in a sentence.

Of an answer the status and a few headers are kept, never its text: an address that somebody typed
must not become a window into what lies behind the hub.
"""

from __future__ import annotations

import asyncio
import email.utils
from datetime import datetime
from http import HTTPStatus
from time import perf_counter
from typing import Any

import httpx
import msgspec

from hub.db import now
from hub.errors import HubError
from hub.outbound import Outbound
from hub.settings import Secret
from hub.sync.webhooks import signing
from hub.sync.webhooks.messages import GITHUB, STANDARD

PATIENCE = 15.0
"""Seconds that an attempt may take in all."""
MOST_READ = 16 * 1024
"""Bytes of an answer that are read (and forgotten) so that the connection can be used again."""
SHOWN = ("content-type", "date", "server", "retry-after", "x-request-id", "x-github-request-id")
LONGEST_WAIT = 3600.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, with what opens it."""

    form: str
    url: str
    secrets: list[Secret]
    """Signing secrets, the newest first; of GitHub's form the token."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    at: datetime
    good: bool
    said: str
    """A sentence."""
    ms: int
    status: int | None = None
    head: dict[str, str] = {}
    """Of the answer: the status in words, and a few headers."""
    gone: bool = False
    """It said that it wants no more."""
    wait: float = 0.0
    """Seconds it asked to be left alone for."""

    def kept(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)


def request_headers(target: Target, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """What goes with the body."""
    plain = {"Content-Type": "application/json", "User-Agent": "prompthub-webhooks"}
    if target.form == STANDARD:
        return plain | signing.headers(target.secrets, message_id, at, body)
    if target.form == GITHUB:
        return plain | {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {target.secrets[0]}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
    return plain


async def send(
    outbound: Outbound, target: Target, message_id: str, body: bytes, *, patience: float = PATIENCE
) -> Attempt:
    """Hand it in once; does not raise for anything the other side can do."""
    at, begun = now(), perf_counter()
    headers = request_headers(target, message_id, at, body)
    status, said, head, wait = None, "", dict[str, str](), 0.0
    try:
        async with asyncio.timeout(patience):
            status, head = await _post(outbound, target.url, headers, body)
    except TimeoutError:
        said = f"It did not answer within {patience:g} seconds."
    except HubError as refusal:
        said = refusal.sentence
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        said = _fault(error)
    if status is not None:
        said, wait = _answered(target, status), _asked_to_wait(status, head)
    return Attempt(
        at=at, good=status is not None and 200 <= status < 300, said=said,
        ms=round((perf_counter() - begun) * 1000), status=status, head=head,
        gone=status == HTTPStatus.GONE, wait=wait,
    )  # fmt: skip


async def _post(
    outbound: Outbound, url: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str]]:
    """Status and head. The answer's text is read only to have the connection back."""
    async with outbound.client().stream("POST", url, content=body, headers=headers) as answer:
        head = {"status": f"{answer.status_code} {_plain(answer.reason_phrase)}".strip()}
        for name in SHOWN:
            if value := answer.headers.get(name):
                head[name] = _plain(value)[:200]
        read = 0
        try:
            async for piece in answer.aiter_raw():
                read += len(piece)
                if read > MOST_READ:
                    break
        except httpx.HTTPError:
            pass  # the head has come; what it thinks of the message is said
        return answer.status_code, head


def _answered(target: Target, status: int) -> str:
    if 200 <= status < 300:
        return f"It took the message ({status})."
    if 300 <= status < 400:
        return (
            f"It answered with a redirect ({status}), which the hub does not follow. "
            "Enter the address that it leads to."
        )
    if status == HTTPStatus.GONE:
        return "It answered 410 Gone: it wants no more messages."
    if status in (401, 403):
        what = "the token" if target.form == GITHUB else "the secret"
        return f"It refused the message ({status}). Look whether {what} is right there."
    if status == HTTPStatus.NOT_FOUND:
        more = " The token may also lack the right." if target.form == GITHUB else ""
        return f"There is nothing at this address (404).{more}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "It asks to be left alone for a while (429)."
    if status >= 500:
        return f"Something is broken there (it answered {status})."
    return f"It did not take the message (it answered {status})."


def _asked_to_wait(status: int, head: dict[str, str]) -> float:
    said = head.get("retry-after", "").strip()
    if status not in (429, 503) or not said:
        return 0.0
    if said.isascii() and said.isdecimal() and len(said) < 10:
        return min(float(said), LONGEST_WAIT)
    try:
        until = email.utils.parsedate_to_datetime(said)
        return min(max((until - now()).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _fault(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "It cannot be reached: nobody answers at this address."
    if isinstance(error, httpx.ConnectError):
        text = str(error)
        if "certificate" in text.lower():
            return "Its certificate is not valid, so nothing was sent."
        if text.startswith("There is no machine"):
            return text
        return "It cannot be reached: nobody listens at this address."
    if isinstance(error, httpx.TimeoutException):
        return "It did not answer in time."
    if isinstance(error, httpx.RemoteProtocolError):
        if "disconnected" in str(error).lower():
            return "It hung up without an answer."
        return "What it answered is not HTTP."
    if isinstance(error, httpx.HTTPError):
        return "The connection broke before it had answered."
    return "The address cannot be used."


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()
