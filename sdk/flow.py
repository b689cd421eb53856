"""What is asked of the hub and what its answers mean. Pure: no sockets, no clock.

    ask  = question(url, key, pin, name, etag)      what to send
    said = reading(reply or failure, pin, name)     Fresh, Same, Gone or Failed

Only an answer of the hub itself can change what an app is served: a page of a proxy, half an
answer, a 500 or a refused key are `Failed`, and what was kept is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from json import loads
from typing import Any, NamedTuple, cast

from sdk.errors import TemplateError
from sdk.prompt import Prompt

Pin = str | int
"""A label (`production`) or a version number; what is looked up first."""

_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)


class Ask(NamedTuple):
    """A GET. The key is kept out of `repr`."""

    url: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<GET {self.url}>"


class Reply(NamedTuple):
    """An answer, of whomever."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fresh(NamedTuple):
    """A version we did not have."""

    prompt: Prompt
    etag: str


class Same(NamedTuple):
    """Nothing changed."""


class Gone(NamedTuple):
    """The hub says that there is no such prompt, version or label."""

    sentence: str


class Failed(NamedTuple):
    """No usable answer; `wait` is how long the hub asked us to stay away, in seconds."""

    sentence: str
    wait: float = 0.0
    silent: bool = False
    """Nobody said anything in time, so it may be better not to wait again soon."""
    passing: bool = False
    """It may be over in a moment: a connection that broke, a hub that is starting."""


Said = Fresh | Same | Gone | Failed


def impossible(pin: object, name: object) -> str:
    """Why there can be no such prompt, or nothing; such a question never leaves the program.

    >>> impossible("production", "Support Triage")
    "There is no prompt 'Support Triage': names look like support/triage, in small letters."
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"There is no prompt {name!r:.90}: names look like support/triage, in small letters."
    if isinstance(pin, int):
        return "" if pin > 0 else f"There is no version {pin} of {name}: they count from 1."
    if not isinstance(pin, str) or not re.fullmatch(_PART, pin):
        return f"There is no label {pin!r:.90} for {name}: labels look like production."
    return ""


def question(url: str, key: str, pin: Pin, name: str, etag: str = "") -> Ask:
    """How to ask for a prompt; with `etag`, only for a newer one."""
    which = f"version={pin}" if isinstance(pin, int) else f"label={pin}"
    headers = {"Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    if etag:
        headers["If-None-Match"] = etag
    # Nothing to escape: what is asked for has passed `impossible`.
    return Ask(f"{url}/api/v1/prompts/{name}?{which}", headers)


def reading(reply: Reply | Exception, pin: Pin, name: str) -> Said:
    """What an answer means for the prompt that was asked for."""
    if isinstance(reply, Exception):
        return Failed(no_answer(reply), silent="Timeout" in type(reply).__name__, passing=True)
    if reply.status == 304:
        return Same()
    body = _json(reply)
    if reply.status == 200 and body is not None:
        return _fresh(body, reply, pin, name)
    if reply.status in (404, 410) and body is not None and _is_refusal(reply, body):
        return Gone(str(body["detail"]))
    return Failed(refusal(reply), waiting(reply), passing=passing(reply.status))


def passing(status: int) -> bool:
    """Whether the same question may be answered a moment later; 200 is a page of somebody's."""
    return status in (200, 408, 429) or status >= 500


def soon(tries: int, dice: float) -> float:
    """Seconds before a question is asked again for which somebody waits; `dice`: 0 to 1."""
    return min(0.4, 0.05 * 2 ** min(tries, 3)) * (0.5 + dice / 2)


def refusal(reply: Reply) -> str:
    """An answer that is of no use, in a sentence."""
    body = _json(reply)
    sentence = str(body["detail"]) if body and "detail" in body else ""
    return f"the hub answered {reply.status}. {sentence}".strip()


def no_answer(error: Exception) -> str:
    """The same where there was none: only the kind of error, whose text may hold what was sent."""
    return f"the hub did not answer ({type(error).__name__})"


def _is_refusal(reply: Reply, body: Mapping[str, Any]) -> bool:
    """Whether the hub itself says no; not a proxy, and not its router about a wrong address."""
    ours = reply.headers.get("content-type", "").startswith("application/problem+json")
    return ours and "detail" in body and body.get("title") != "NotFoundException"


def _fresh(body: Mapping[str, Any], reply: Reply, pin: Pin, name: str) -> Said:
    try:
        prompt = Prompt.owning(body)
        prompt.prepare()
    except TemplateError as error:
        return Failed(str(error))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failed(f"the hub's answer has another shape than expected ({error!r})")
    if isinstance(pin, int) and prompt.version != pin:
        return Failed(f"the hub answered with version {prompt.version} when asked for {pin}")
    return Fresh(prompt, reply.headers.get("etag", ""))


def _json(reply: Reply) -> Mapping[str, Any] | None:
    """The JSON object in the body; a web page of somebody in between is none."""
    if "json" not in reply.headers.get("content-type", ""):
        return None
    try:
        body: object = loads(reply.body)
    except ValueError:
        return None
    return cast("Mapping[str, Any]", body) if isinstance(body, dict) else None


def waiting(reply: Reply) -> float:
    """Seconds that the hub asks us to stay away."""
    try:
        return min(max(float(reply.headers.get("retry-after", "0")), 0.0), 300.0)
    except ValueError:
        return 0.0
