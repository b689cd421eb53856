"""Prompt Hub's SDK: the accepted version of a prompt, at run time.

    import sdk

    sdk.configure("https://prompts.example.org", key="ph_…")     # or PROMPTHUB_URL, PROMPTHUB_KEY
    prompt = sdk.get_prompt("support/triage")
    client.chat.completions.create(**prompt.request(caller_name="john", transcript=text))

The first read of a prompt waits for the hub's document; every later one is two dictionary look-ups.
Releases arrive in the background within milliseconds, and the program goes on with what it has when
the hub is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sdk.client import Default, Hub
from sdk.environment import address_and_key, options
from sdk.errors import (
    InvalidVariable,
    MissingVariables,
    PromptHubError,
    PromptNotFound,
    PromptUnavailable,
    TemplateError,
    VariableError,
)
from sdk.prompt import Prompt
from sdk.shelf import Handle, Shelf
from sdk.states import Event, Status

__all__ = [
    "Event",
    "Handle",
    "Hub",
    "InvalidVariable",
    "MissingVariables",
    "Prompt",
    "PromptHubError",
    "PromptNotFound",
    "PromptUnavailable",
    "Status",
    "TemplateError",
    "VariableError",
    "aget_prompt",
    "close",
    "configure",
    "get_prompt",
    "prompt",
    "refresh",
    "status",
    "subscribe",
    "use",
    "wait_ready",
]

_hub: Hub | None = None
_lock = threading.Lock()
_nothing = Shelf(False, lambda pin, name: False)
_shelf = _nothing
"""The hub's, or an empty one as long as there is none: so a read need not ask which."""


def configure(
    url: str | None = None, key: str | Callable[[], str] | None = None, **more: Any
) -> Hub:
    """Set the hub that `get_prompt` reads from; what is not given comes from the environment.

    Args:
        url: the hub's address; default `PROMPTHUB_URL`.
        key: an API key with scope `read`; default `PROMPTHUB_KEY`.
        more: as for `Hub`; `snapshot`, `bundled`, `app` and `environment` may be given as
            `PROMPTHUB_SNAPSHOT` (`off` for none), `PROMPTHUB_BUNDLED`, … too.

    Raises:
        PromptHubError: no address was given anywhere.
    """
    given_url, given_key = address_and_key()
    url = url or given_url
    key = given_key if key is None else key
    if not url:
        raise PromptHubError("Say where the hub is: sdk.configure(url=…), or set PROMPTHUB_URL.")
    hub = Hub(url, key, **{**options(), **more})
    if (old := use(hub)) is not None:
        old.close()
    return hub


def use(hub: Hub | None) -> Hub | None:
    """Have `get_prompt` read from this hub, or from none yet; returns the one of before."""
    global _hub, _shelf
    old, _hub = _hub, hub
    _shelf = _nothing if hub is None else hub.shelf
    return old


def _default() -> Hub:
    """The hub of the environment, made by the first of several threads."""
    with _lock:
        return _hub or configure()


def get_prompt(
    name: str,
    label: str = "production",
    version: int | None = None,
    default: Default = None,
    key: object = None,
) -> Prompt:
    """The prompt as released under `label`, or exactly `version`; see `Hub.get_prompt`."""
    try:  # one call less than by the hub's own method, which is half of a warm read
        prompt = _shelf.rows[label if version is None else version][name]
    except KeyError:
        return (_hub or _default()).get_prompt(name, label, version, default, key)
    if key is not None:
        prompt = prompt.for_key(key)
    next(prompt.tally)
    return prompt


async def aget_prompt(
    name: str,
    label: str = "production",
    version: int | None = None,
    default: Default = None,
    key: object = None,
) -> Prompt:
    """`get_prompt` for event loops; awaits only on the first read of a prompt."""
    return await (_hub or _default()).aget_prompt(name, label, version, default, key=key)


def prompt(name: str, label: str = "production", default: Default = None) -> Handle:
    """A handle, whose `current` is the version of now; see `Hub.prompt`."""
    return (_hub or _default()).prompt(name, label, default)


def status() -> Status:
    """How the connection to the hub is doing."""
    return (_hub or _default()).status()


def wait_ready(timeout: float = 5.0) -> bool:
    """Wait until the hub itself has said what there is; whether it has."""
    return (_hub or _default()).wait_ready(timeout)


def refresh(timeout: float = 5.0) -> bool:
    """Look for news now; whether the hub answered in time."""
    return (_hub or _default()).refresh(timeout)


def subscribe(listener: Callable[[Event], object]) -> Callable[[], None]:
    """Have `listener` called after every change; returns how to stop."""
    return (_hub or _default()).subscribe(listener)


def close(timeout: float = 0.0) -> None:
    """Stop the background work of the default hub; what was read can still be read."""
    if _hub is not None:
        _hub.close(timeout)
