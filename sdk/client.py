"""Prompts for a running program: read from memory, kept fresh behind its back.

    reader ──► rows: pin → name → Prompt           two dictionary look-ups, nothing else
                 ▲
    keeper ──────┘ asks for every known prompt again each `refresh` seconds, replaces what changed

Only a first read of a prompt waits, for `boot_wait` seconds at the most; whatever then goes wrong
with the hub, readers get what was there.
"""

from __future__ import annotations

from collections.abc import Callable

from sdk.answer import Answer
from sdk.errors import PromptHubError, PromptNotFound, PromptUnavailable
from sdk.flow import Failed, Fresh, Gone, Said, impossible
from sdk.keeper import Keeper, Key
from sdk.prompt import Prompt

Default = Prompt | str | Callable[[], "Prompt | str"] | None


class Hub:
    """One hub, one key, one table of prompts; safe to share between threads and event loops."""

    def __init__(
        self, url: str, key: str = "", *, refresh: float = 5.0, boot_wait: float = 1.0
    ) -> None:
        """Never waits and never raises for the network.

        Args:
            url: the hub's address, `https://prompts.example.org`.
            key: an API key with scope `read`.
            refresh: seconds between two looks for new versions.
            boot_wait: seconds that first reads may wait for a hub that does not answer.

        Raises:
            PromptHubError: the address or a number cannot be meant.
        """
        self._url = _address(url)
        if not refresh > 0 or not boot_wait >= 0:
            raise PromptHubError("`refresh` must be more than 0 seconds, `boot_wait` 0 or more.")
        self.keeper = Keeper(self._url, key.strip(), refresh, boot_wait)

    def __repr__(self) -> str:
        return f"<Hub {self._url}>"

    def get_prompt(
        self,
        name: str,
        label: str = "production",
        version: int | None = None,
        default: Default = None,
    ) -> Prompt:
        """The prompt as it is released under `label`, or exactly `version`.

        Args:
            default: used when the hub has no such prompt, or does not answer and nothing was kept:
                a `Prompt`, a text (one user message), or a function that makes either, called
                only then.

        Raises:
            PromptNotFound: the hub has no such prompt, version or label.
            PromptUnavailable: the hub cannot be reached, and nothing was kept from before.
        """
        pin = label if version is None else version
        try:
            return self.keeper.rows[pin][name]
        except KeyError:
            pass
        said = self._ask((pin, name))
        if isinstance(said, Answer):
            said = said.said or said.wait(self.keeper.patience()) or self._slow()
        return _settle(said, (pin, name), default)

    async def aget_prompt(
        self,
        name: str,
        label: str = "production",
        version: int | None = None,
        default: Default = None,
    ) -> Prompt:
        """`get_prompt` for event loops; it awaits only when the prompt was never read before."""
        pin = label if version is None else version
        try:
            return self.keeper.rows[pin][name]
        except KeyError:
            pass
        said = self._ask((pin, name))
        if isinstance(said, Answer):
            said = said.said or await said.arrive(self.keeper.patience()) or self._slow()
        return _settle(said, (pin, name), default)

    def close(self, timeout: float = 0.0) -> None:
        """Stop looking for new versions; what was read can still be read.

        Args:
            timeout: seconds to wait for requests under way; they end on their own otherwise.
        """
        self.keeper.close(timeout)

    def _ask(self, key: Key) -> Answer | Said:
        sentence = impossible(*key)
        return Gone(sentence) if sentence else self.keeper.ask(key)

    def _slow(self) -> Failed:
        return Failed(f"the hub did not answer within {self.keeper.boot_wait:g} s")


def _address(url: str) -> str:
    scheme, mark, rest = url.strip().partition("://")
    place = rest.partition("/")[0]
    if scheme not in ("http", "https") or not mark or not place:
        raise PromptHubError("The hub's address looks like https://prompts.example.org.")
    if "@" in place or "?" in rest or "#" in rest:
        raise PromptHubError("Give the key as key=… or PROMPTHUB_KEY, never within the address.")
    return f"{scheme}://{rest.rstrip('/')}"


def _settle(said: Said, key: Key, default: Default) -> Prompt:
    """Turn what was said into a prompt or the right error."""
    pin, name = key
    if isinstance(said, Fresh):
        return said.prompt
    if default is not None:
        made = default() if callable(default) else default
        return made if isinstance(made, Prompt) else _from_text(name, made)
    if isinstance(said, Gone):
        raise PromptNotFound(said.sentence)
    which = f"version {pin}" if isinstance(pin, int) else f"label {pin}"
    why = said.sentence if isinstance(said, Failed) else "the hub's answer could not be used"
    raise PromptUnavailable(
        f"{name} ({which}) is not at hand: {why.rstrip('.')}; nothing was kept from before, and "
        "no default was given."
    )


def _from_text(name: str, text: str) -> Prompt:
    document = {"template": "jinja", "messages": [{"role": "user", "content": text}]}
    return Prompt.from_record({"name": name, "version": 0, "document": document}, "default")
