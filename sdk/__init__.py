"""Prompt Hub's SDK: the accepted version of a prompt, at run time.

    import sdk

    sdk.configure("https://prompts.example.org", key="ph_…")     # or PROMPTHUB_URL, PROMPTHUB_KEY
    prompt = sdk.get_prompt("support/triage")
    client.chat.completions.create(**prompt.request(caller_name="john", transcript=text))

The first read of a prompt asks the hub; every later one is two dictionary look-ups. New releases
arrive in the background, and the program goes on with what it has when the hub is away.
"""

from __future__ import annotations

import os
import threading

from sdk.client import Default, Hub
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

__all__ = [
    "Hub",
    "InvalidVariable",
    "MissingVariables",
    "Prompt",
    "PromptHubError",
    "PromptNotFound",
    "PromptUnavailable",
    "TemplateError",
    "VariableError",
    "aget_prompt",
    "close",
    "configure",
    "get_prompt",
]

_hub: Hub | None = None
_lock = threading.Lock()


def configure(
    url: str | None = None, key: str | None = None, *, refresh: float = 5.0, boot_wait: float = 1.0
) -> Hub:
    """Set the hub that `get_prompt` reads from; what is not given comes from the environment.

    Args:
        url: the hub's address; default `PROMPTHUB_URL`.
        key: an API key with scope `read`; default `PROMPTHUB_KEY`.
        refresh: seconds between two looks for new versions.
        boot_wait: seconds that a first read may wait for the hub.

    Raises:
        PromptHubError: no address was given anywhere.
    """
    global _hub
    url = url or os.environ.get("PROMPTHUB_URL", "")
    key = os.environ.get("PROMPTHUB_KEY", "") if key is None else key
    if not url:
        raise PromptHubError("Say where the hub is: sdk.configure(url=…), or set PROMPTHUB_URL.")
    hub = Hub(url, key, refresh=refresh, boot_wait=boot_wait)
    old, _hub = _hub, hub
    if old is not None:
        old.close()
    return hub


def _default() -> Hub:
    """The hub of the environment, made by the first of several threads."""
    with _lock:
        return _hub or configure()


def get_prompt(
    name: str, label: str = "production", version: int | None = None, default: Default = None
) -> Prompt:
    """The prompt as released under `label`, or exactly `version`; see `Hub.get_prompt`."""
    hub = _hub or _default()
    try:  # one call less than by the hub's own method, which is half of a warm read
        return hub.keeper.rows[label if version is None else version][name]
    except KeyError:
        return hub.get_prompt(name, label, version, default)


async def aget_prompt(
    name: str, label: str = "production", version: int | None = None, default: Default = None
) -> Prompt:
    """`get_prompt` for event loops; awaits only on the first read of a prompt."""
    return await (_hub or _default()).aget_prompt(name, label, version, default)


def close(timeout: float = 0.0) -> None:
    """Stop the background work of the default hub; what was read can still be read."""
    if _hub is not None:
        _hub.close(timeout)
