"""Prompts for a running program: read from memory, kept in step with the hub behind its back.

    reader ──► rows: pin → name → Prompt        two dictionary look-ups and a counter, nothing else
                 ▲
    Feed ────────┤  the hub's stream; polls when there is none     what was released
    Keeper ──────┘  one request per prompt                         versions by number, old hubs

Only a read of something that is not in the table goes further (`sdk.finding`), and waits for
`boot_wait` seconds at the most; whatever then goes wrong with the hub, readers get what was there.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from time import monotonic, sleep
from typing import Literal

from sdk.bundle import Bundle
from sdk.disk import Disk
from sdk.errands import warn
from sdk.errors import PromptHubError, PromptNotFound, PromptUnavailable
from sdk.feed import Feed
from sdk.finding import Finding, Wait
from sdk.flow import Failed, Fresh, Gone, Pin, Said
from sdk.given import Secret, address, caller, from_text
from sdk.keeper import Keeper
from sdk.prompt import Prompt
from sdk.shelf import Handle, Shelf
from sdk.states import Event, Status, Timing
from sdk.upkeep import Upkeep

Default = Prompt | str | Callable[[], "Prompt | str"] | None
Path = str | os.PathLike[str]


class Hub:
    """One hub, one key, one table of prompts; safe to share between threads and event loops."""

    def __init__(
        self, url: str, key: str | Callable[[], str] = "", *,
        labels: Iterable[str] = ("production",), names: Iterable[str] | None = None,
        refresh: float = 5.0, boot_wait: float = 1.0, stream: bool = True,
        snapshot: Path | None = "auto", bundled: Path | None = None,
        max_stale: float | None = None,
        on_stale: Literal["serve", "bundled", "raise"] = "serve",
        on_change: Callable[[Event], object] | None = None, telemetry: bool = True,
        app: str = "", environment: str = "", timing: Timing | None = None,
    ) -> None:  # fmt: skip
        """Never waits and never raises for the network.

        Args:
            url: the hub's address, `https://prompts.example.org`.
            key: an API key with scope `read`, or a function that says which one it is now.
            labels: labels that are followed; others are asked for one by one.
            names: prompts that are followed, `support/reply` or `support/*`; default all.
            refresh: seconds between two looks for new versions while there is no stream.
            boot_wait: seconds that first reads may wait for a hub that does not answer.
            snapshot: folder for the last known prompts, `auto` for the user's cache, None for none.
            bundled: lock file that came with the program: a path, or `package:file`.
            stream: whether to be told of changes as they happen.
            max_stale: seconds of silence after which prompts are too old, by `on_stale`.
            on_stale: serve them all the same, those of the lock file, or raise (a lock file does
                not stand in then, and a read's own `default` does).
            on_change: called with an `Event`, in a thread of its own, as by `subscribe`.
            telemetry: whether to tell the hub which versions are in use.
            app: the program's name, for the hub's people.
            environment: where it runs, for the same.

        Raises:
            PromptHubError: the address or a number cannot be meant.
        """
        self._url = address(url)
        if not refresh > 0 or not boot_wait >= 0:
            raise PromptHubError("`refresh` must be more than 0 seconds, `boot_wait` 0 or more.")
        if on_stale not in ("serve", "bundled", "raise"):
            raise PromptHubError("`on_stale` is serve, bundled or raise.")
        who = caller(self._url, labels, names, app, environment)
        timing = timing or Timing()
        secret = Secret(key)
        self.shelf = Shelf(telemetry, who.covers)
        self.feed = Feed(
            who, secret, self.shelf, refresh=refresh, streams=stream, timing=timing,
            heard=self._heard, tell=self._tell,
        )  # fmt: skip
        self.keeper = Keeper(self._url, secret, refresh, boot_wait, self.shelf)
        disk = Disk(os.fspath(snapshot), who, secret(), warn) if snapshot else None
        bundle = Bundle(bundled)
        self._finding = Finding(
            who, self.shelf, self.feed, self.keeper, disk, bundle, boot_wait, timing.miss
        )
        self._upkeep = Upkeep(
            who, secret, self.shelf, self.feed, self._finding, disk, timing, max_stale, on_stale,
            self.status,
        )  # fmt: skip
        self._listeners: list[Callable[[Event], object]] = [on_change] if on_change else []
        self.boot_wait = boot_wait
        _hubs.add(self)

    def __repr__(self) -> str:
        return f"<Hub {self._url}>"

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    def get_prompt(
        self,
        name: str,
        label: str = "production",
        version: int | None = None,
        default: Default = None,
        key: object = None,  # not by keyword alone, which would make every call slower
    ) -> Prompt:
        """The prompt as it is released under `label`, or exactly `version`.

        Args:
            default: used when the hub has no such prompt, or does not answer and nothing was kept:
                a `Prompt`, a text (one user message), or a function that makes either, called
                only then.
            key: whom this is for, a user's id say: it decides which version they get while a
                release is gradual.

        Raises:
            PromptNotFound: the hub has no such prompt, version or label.
            PromptUnavailable: the hub cannot be reached, and nothing was kept from before.
        """
        pin = label if version is None else version
        try:
            prompt = self.shelf.rows[pin][name]
        except KeyError:
            said = self._finding.find(pin, name)
            while isinstance(said, Wait):
                said = self._finding.after(said, said.answer.wait(said.patience), pin, name)
            prompt = self._settle(said, pin, name, default)
        if key is not None:
            prompt = prompt.for_key(key)
        next(prompt.tally)
        return prompt

    async def aget_prompt(
        self,
        name: str,
        label: str = "production",
        version: int | None = None,
        default: Default = None,
        key: object = None,  # not by keyword alone, which would make every call slower
    ) -> Prompt:
        """`get_prompt` for event loops; it awaits only when the prompt was never read before."""
        pin = label if version is None else version
        try:
            prompt = self.shelf.rows[pin][name]
        except KeyError:
            said = self._finding.find(pin, name)
            while isinstance(said, Wait):
                said = self._finding.after(said, await said.answer.arrive(said.patience), pin, name)
            prompt = self._settle(said, pin, name, default)
        if key is not None:
            prompt = prompt.for_key(key)
        next(prompt.tally)
        return prompt

    def prompt(self, name: str, label: str = "production", default: Default = None) -> Handle:
        """A handle: `handle.current` is the version of now, at the price of an attribute."""
        handle = Handle(
            name, label, lambda name, label: self.get_prompt(name, label, None, default)
        )
        self.shelf.hold(handle)
        return handle

    def _settle(self, said: Said, pin: Pin, name: str, default: Default) -> Prompt:
        """Turn what was said into a prompt or the right error.

        The errors hide what came before them: that a dictionary had no such key helps nobody.
        """
        if isinstance(said, Fresh):
            return said.prompt
        if (found := self._finding.bundled(pin, name)) is not None:
            return found
        if default is not None:
            made = default() if callable(default) else default
            self._upkeep.default(name, pin)
            return made if isinstance(made, Prompt) else from_text(name, made)
        if isinstance(said, Gone):
            raise PromptNotFound(said.sentence) from None
        which = f"version {pin}" if isinstance(pin, int) else f"label {pin}"
        why = said.sentence if isinstance(said, Failed) else "the hub's answer could not be used"
        raise PromptUnavailable(
            f"{name} ({which}) is not at hand: {why.rstrip('.')}; {self._finding.looked()}, and "
            "no default was given."
        ) from None

    # ── living with it ──────────────────────────────────────────────────────────────────────────

    def status(self) -> Status:
        """How the connection is doing."""
        feed, shelf = self.feed, self.shelf
        return Status(
            feed.state, shelf.source, feed.table.epoch, feed.table.revision,
            len(shelf.table.pointers), max(0.0, monotonic() - feed.life.heard), feed.life.stale,
            feed.error, feed.one_by_one,
        )  # fmt: skip

    def wait_ready(self, timeout: float = 5.0) -> bool:
        """Wait until the hub itself has said what there is; whether it has."""
        self._finding.begin()
        ends = monotonic() + timeout
        feed = self.feed
        while not (feed.confirmed or feed.one_by_one or feed.closed):
            left = ends - monotonic()
            if left <= 0:
                break
            if feed.first.wait(left) is not None:  # it failed, so there will be another try
                sleep(min(0.01, left))
        return feed.confirmed or feed.one_by_one

    def refresh(self, timeout: float = 5.0) -> bool:
        """Look for news now; whether the hub answered in time."""
        self._finding.begin()
        said = self.feed.ask_now().wait(timeout)
        return said is not None and not isinstance(said, Failed)

    def subscribe(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Have `listener` called after every change, in a thread of its own; returns how to stop.

        A listener that raises or hangs holds up other listeners alone.
        """
        self._listeners.append(listener)
        self._finding.begin()

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def close(self, timeout: float = 0.0) -> None:
        """Stop looking for new versions; what was read can still be read.

        Args:
            timeout: seconds to wait for requests under way; they end on their own otherwise.
        """
        ends = monotonic() + timeout
        self._upkeep.last(timeout)
        self.feed.close(max(0.0, ends - monotonic()))
        self.keeper.close(max(0.0, ends - monotonic()))

    def _heard(self) -> None:
        self._finding.heard()
        self._upkeep.heard()

    def _tell(self, event: Event) -> None:
        if event.state == "refused" and self.feed.one_by_one:
            self._finding.one_by_one()
        if event.kind == "changed":
            self._upkeep.changed(event.places)
        for listener in list(self._listeners):
            self.feed.listeners.add(lambda tell=listener: tell(event))

    def after_fork(self) -> None:
        """In the child: its own threads and sockets, begun by its first read."""
        self.shelf.after_fork()
        self.feed.begin()
        self.keeper.begin()
        self._finding.after_fork()
        self._upkeep.begin()


_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


def _after_fork() -> None:
    for hub in list(_hubs):
        hub.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
