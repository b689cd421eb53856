"""Prompts for a running program: read from memory, kept fresh behind its back.

    reader ──► table: pin → name → Prompt          two dictionary look-ups, nothing else
                 ▲
    updater ─────┘ asks for every known prompt again each `refresh` seconds, replaces what changed

Only a first read of a prompt waits, for `boot_wait` seconds at the most; whatever then goes wrong
with the hub, readers get what was there. All waiting for the network is done by daemon threads, so
threads, event loops and the end of the program are never held up.
"""

from __future__ import annotations

import os
import random
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from queue import SimpleQueue
from time import monotonic

from sdk.errors import PromptNotFound, PromptUnavailable
from sdk.flow import Failed, Fresh, Gone, Pin, Reply, Said, question, reading
from sdk.prompt import Prompt
from sdk.transport import Transport

Default = Prompt | str | Callable[[], "Prompt | str"] | None
Key = tuple[Pin, str]

WORKERS = 8
REMEMBER_MISS_S = 5.0
LONGEST_WAIT_S = 30.0
STALE_AFTER = 2
"""Rounds without any answer after which prompts say `stale`."""


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
            boot_wait: seconds that a first read may wait for the hub.
        """
        self._url = url.rstrip("/")
        self._key = key
        self._refresh = refresh
        self._boot_wait = boot_wait
        self._table: dict[Pin, dict[str, Prompt]] = {}
        self._etags: dict[Key, str] = {}
        self._missing: dict[Key, tuple[Said, float]] = {}
        self._failures = 0
        self._closed = False
        self._begin()
        _hubs.add(self)

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
            default: used when the hub has no such prompt, or never answered: a `Prompt`, a text
                (one user message), or a function that makes either, called only then.

        Raises:
            PromptNotFound: the hub has no such prompt, version or label.
            PromptUnavailable: the hub cannot be reached, and nothing was kept from before.
        """
        try:
            return self._table[version or label][name]
        except KeyError:
            pass
        pin = version or label
        job = self._job((pin, name))
        if not job.done():
            try:
                job.result(self._boot_wait)
            except TookTooLong:
                return _settle(self._slow(), (pin, name), default)
        return _settle(job.result(), (pin, name), default)

    async def aget_prompt(
        self,
        name: str,
        label: str = "production",
        version: int | None = None,
        default: Default = None,
    ) -> Prompt:
        """`get_prompt` for event loops; it awaits only when the prompt was never read before."""
        try:
            return self._table[version or label][name]
        except KeyError:
            pass
        import asyncio  # 30 ms to import, and a program without an event loop never needs it

        pin = version or label
        job = asyncio.wrap_future(self._job((pin, name)))
        # Shielded: a caller who gives up leaves the others their answer.
        done, _ = await asyncio.wait({asyncio.shield(job)}, timeout=self._boot_wait)
        said = done.pop().result() if done else self._slow()
        return _settle(said, (pin, name), default)

    def close(self, timeout: float = 1.0) -> None:
        """Stop looking for new versions; what was read can still be read."""
        self._closed = True
        self._wake.set()
        if self._updater is not None and self._updater is not threading.current_thread():
            self._updater.join(timeout)
        for _ in self._workers:
            self._jobs.put(None)

    # ── behind the readers' backs ───────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        """Everything that a forked child cannot share with its parent."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._jobs: SimpleQueue[tuple[Key, Future[Said]] | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._updater: threading.Thread | None = None
        self._under_way: dict[Key, Future[Said]] = {}
        self._transport = Transport(self._url)
        self._kept: dict[Pin, dict[str, Prompt]] | None = None

    def _after_fork(self) -> None:
        """In the child: the table is put aside, so that the first read starts the updater anew.

        That way reads need not ask which process they are in.
        """
        kept = self._table if self._kept is None else self._kept
        self._begin()
        self._table, self._kept = {}, kept

    def _job(self, key: Key) -> Future[Said]:
        """The answer to come for this prompt; one request however many callers wait for it."""
        with self._lock:
            if self._kept is not None:
                self._table, self._kept = self._kept, None
            self._start()
            prompt = self._table.get(key[0], {}).get(key[1])
            said = Fresh(prompt, "") if prompt else self._remembered(key)
            if said is not None:
                job: Future[Said] = Future()
                job.set_result(said)
                return job
            return self._send(key)

    def _remembered(self, key: Key) -> Said | None:
        """What we were told a moment ago; asking again at once would only load the hub."""
        said, until = self._missing.get(key, (None, 0.0))
        return said if said is not None and (monotonic() < until or self._closed) else None

    def _send(self, key: Key) -> Future[Said]:
        """Hand the question to a worker; the lock is held."""
        if key not in self._under_way:
            job = self._under_way[key] = Future[Said]()
            self._jobs.put((key, job))
            if len(self._workers) < min(WORKERS, len(self._under_way)):
                self._workers.append(self._thread(self._work, "prompthub-worker"))
        return self._under_way[key]

    def _start(self) -> None:
        if self._updater is None and not self._closed:
            self._updater = self._thread(self._update, "prompthub-updater")

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        jobs, transport = self._jobs, self._transport
        while (one := jobs.get()) is not None:
            key, job = one
            ask = question(self._url, self._key, *key, self._etags.get(key, ""))
            try:
                reply: Reply | Exception = transport.get(ask)
            except Exception as error:
                reply = error
            said = self._keep(key, reading(reply, *key))
            with self._lock:
                self._under_way.pop(key, None)
            job.set_result(said)

    def _keep(self, key: Key, said: Said) -> Said:
        """Put an answer into the table; a failure changes nothing that is there."""
        pin, name = key
        with self._lock:
            if isinstance(said, Fresh):
                self._etags[key] = said.etag
                self._missing.pop(key, None)
                self._put(pin, name, said.prompt.with_source("cache"))
            elif isinstance(said, Gone):
                self._etags.pop(key, None)
                self._put(pin, name, None)
                self._missing[key] = (said, monotonic() + REMEMBER_MISS_S)
            elif isinstance(said, Failed):
                self._missing[key] = (said, monotonic() + max(said.wait, self._pause()))
        return said

    def _put(self, pin: Pin, name: str, prompt: Prompt | None) -> None:
        """Replace the row whole: a reader sees the old one or the new one."""
        row = {key: one for key, one in self._table.get(pin, {}).items() if key != name}
        if prompt is not None:
            row[name] = prompt
        self._table = {**self._table, pin: row}

    def _update(self) -> None:
        wake = self._wake
        while not wake.wait(self._pause()):
            with self._lock:
                keys = [(pin, name) for pin, row in self._table.items() for name in row]
                keys += [key for key in self._missing if key not in keys]
                # A version is immutable; only labels can move.
                jobs = [self._send(key) for key in keys if isinstance(key[0], str)]
            answers = [job.result() for job in jobs]
            self._note([isinstance(said, Failed) for said in answers])

    def _pause(self) -> float:
        """Seconds until the next look, longer while the hub is away, never the same for two."""
        wait = self._refresh * 2 ** min(self._failures, 6) if self._failures else self._refresh
        most = max(LONGEST_WAIT_S, self._refresh)
        return min(wait, most) * random.uniform(0.8, 1.2)  # noqa: S311

    def _note(self, failed: list[bool]) -> None:
        """Count rounds in which nothing was answered, and have prompts say so."""
        was = self._failures
        self._failures = was + 1 if failed and all(failed) else 0
        if (was >= STALE_AFTER) == (self._failures >= STALE_AFTER):
            return
        source = "stale" if self._failures >= STALE_AFTER else "cache"
        with self._lock:
            self._table = {
                pin: {name: prompt.with_source(source) for name, prompt in row.items()}
                for pin, row in self._table.items()
            }

    def _slow(self) -> Failed:
        return Failed(f"the hub did not answer within {self._boot_wait:g} s")


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
        f"{name} ({which}) is not at hand: {why}; nothing was kept from before, and no default "
        "was given."
    )


def _from_text(name: str, text: str) -> Prompt:
    document = {"template": "jinja", "messages": [{"role": "user", "content": text}]}
    return Prompt.from_record({"name": name, "version": 0, "document": document}, "default")


_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


def _after_fork() -> None:
    for hub in list(_hubs):
        hub._after_fork()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
