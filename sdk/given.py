"""What a program says when it makes a `Hub`, checked and put in order."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable

from sdk.errors import PromptHubError
from sdk.prompt import Prompt
from sdk.wire import Who

MOST_LABELS, MOST_NAMES = 20, 200
_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_LABEL = re.compile(_PART, re.ASCII)
_NAME = re.compile(rf"{_PART}(?:/{_PART})*(?:/\*)?", re.ASCII)


class Secret:
    """A key, or a function that says which one it is now; shown by nothing."""

    __slots__ = ("_key",)

    def __init__(self, key: str | Callable[[], str]) -> None:
        self._key = key

    def __call__(self) -> str:
        return (self._key() if callable(self._key) else self._key).strip()

    def __repr__(self) -> str:
        return "<a key>"


def address(url: str) -> str:
    scheme, mark, rest = url.strip().partition("://")
    place = rest.partition("/")[0]
    if scheme not in ("http", "https") or not mark or not place:
        raise PromptHubError("The hub's address looks like https://prompts.example.org.")
    if "@" in place or "?" in rest or "#" in rest:
        raise PromptHubError("Give the key as key=… or PROMPTHUB_KEY, never within the address.")
    return f"{scheme}://{rest.rstrip('/')}"


def caller(
    url: str, labels: Iterable[str], names: Iterable[str] | None, app: str, environment: str
) -> Who:
    """Who asks, and for what.

    Raises:
        PromptHubError: a label or a name can be none.
    """
    followed = _sorted(labels, "labels", MOST_LABELS, _LABEL)
    wanted = None if names is None else _sorted(names, "names", MOST_NAMES, _NAME)
    program = os.path.basename(sys.argv[0] if sys.argv else "")
    app = app or ("python" if program in ("", "-c", "-m") else program)
    return Who(url, followed, wanted, app, environment, os.urandom(8).hex())


def _sorted(given: Iterable[str], what: str, most: int, form: re.Pattern[str]) -> tuple[str, ...]:
    """In one order, so that bytes that the hub made once serve every program."""
    if isinstance(given, str):
        given = [given]
    found = tuple(sorted(set(given)))
    if not found or len(found) > most:
        raise PromptHubError(f"`{what}` must be 1 to {most}.")
    for one in found:
        if not form.fullmatch(one):
            raise PromptHubError(f"`{what}`: {one!r:.90} cannot be one.")
    return found


def from_text(name: str, text: str) -> Prompt:
    """A program's own text as a prompt."""
    document = {"template": "jinja", "messages": [{"role": "user", "content": text}]}
    return Prompt.from_record({"name": name, "version": 0, "document": document}, "default")
