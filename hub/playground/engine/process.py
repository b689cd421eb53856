"""The parent's side: start the engine's child when first needed, watch it, start it again.

Imports no torch. The child knows nothing of the hub's secrets: its environment is written here,
word by word, and it ends by itself when the pipe to its standard input closes, however this
process died.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from hub.errors import Unavailable
from hub.playground.engine.child import (
    AGAIN,
    OFF,
    READY,
    STARTING,
    Listen,
    State,
    command,
    environment,
    next_line,
)

START_SECONDS = 60
BEAT_SECONDS = 2.0
MISSES = 5
"""Beats in a row without an answer, 5 s each, after which the child counts as stuck."""
STUCK_SECONDS = 600.0
"""One step of the models takes this long only if it never ends."""
TRIES = 4
"""Deaths within a minute after which we stop starting it, until someone asks again."""


class Engine:
    """One child process. `address()` is all a caller needs."""

    def __init__(
        self,
        folder: Path,
        models: Sequence[Path] = (),
        *,
        threads: int | None = None,
        budget: int | None = None,
        environment: Mapping[str, str] | None = None,
        listen: Listen | None = None,
    ) -> None:
        self._folder = folder
        self._models = [path.absolute() for path in models]
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._budget = budget
        self._given = dict(environment or {})
        self._listen_at = listen
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None
        self._deaths: deque[float] = deque(maxlen=TRIES)
        self._socket = ""
        self._http: httpx.AsyncClient | None = None
        self._stopping = False
        self._answered = 0.0
        """When it was last asked, of the times that it answered."""
        self.state = OFF
        self.said: deque[str] = deque(maxlen=60)
        """The last lines the child wrote to stderr, for the operator."""

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.returncode is None else None

    async def address(self) -> str:
        """Path of the Unix socket, the child being up; starts it if it is not.

        Raises:
            Unavailable: it does not start; the sentence says what it said.
        """
        await self.start()
        return self._socket

    async def start(self) -> None:
        came = time.monotonic()
        async with self._lock:
            if await self._alive(came):
                return
            self._stopping = False
            self.state = AGAIN if self.state.name == "restarting" else STARTING
            try:
                await self._spawn()
                await self._until_ready()
            except (OSError, TimeoutError, Unavailable) as error:
                await self._kill()
                self.state = State("failed", self._why(str(error)))
                raise Unavailable(self.state.sentence) from error
            self.state = READY
            child = self._child
            assert child is not None
            self._tasks = [*self._tasks, asyncio.create_task(self._watch(child)),
                           asyncio.create_task(self._beat(child))]  # fmt: skip

    async def stop(self) -> None:
        """End the child and forget its socket."""
        self._stopping = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._kill()
        if self._socket:
            shutil.rmtree(Path(self._socket).parent, ignore_errors=True)
        self.state = OFF

    async def health(self) -> dict[str, Any]:
        """What the child says of itself; empty when it is off or does not answer."""
        if self._http is None:
            return {}
        try:
            told = (await self._http.get("/health", timeout=5)).json()
        except (httpx.HTTPError, ValueError):
            return {}
        # On a port it may be somebody else who answers.
        return told if self._child is not None and told.get("pid") == self._child.pid else {}

    def client(self, timeout: float | None = None) -> httpx.AsyncClient:
        """An HTTP client on the socket; call `address()` first."""
        if self._listen_at is not None:
            bearer = {"Authorization": f"Bearer {self._listen_at.token}"}
            return httpx.AsyncClient(
                base_url=self._listen_at.url, timeout=timeout, headers=bearer, trust_env=False
            )
        # No certificates are read for it, which would take 40 ms of the event loop.
        transport = httpx.AsyncHTTPTransport(uds=self._socket, verify=False)
        return httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=timeout)

    async def _alive(self, since: float) -> bool:
        """Whether the child answers: that it was killed shows here before its exit is noticed.

        Of callers that came together one asks; `since`: what was asked later is good enough.
        """
        child = self._child
        if child is None or child.returncode is not None or self._http is None:
            return False
        if self._answered > since:
            return True
        begun = time.monotonic()
        try:
            await self._http.get("/health", timeout=5)
            self._answered = begun
        except httpx.TimeoutException:
            return True  # busy, or stuck; the heartbeat decides which
        except httpx.HTTPError:
            await child.wait()
            return False
        return True

    async def _spawn(self) -> None:
        if self._socket:
            shutil.rmtree(Path(self._socket).parent, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        # A Unix socket's path may hold some 100 bytes; the data folder's may be longer.
        self._socket = str(Path(tempfile.mkdtemp(prefix="prompthub-engine-")) / "s")
        if self._http is not None:
            await self._http.aclose()
        # One client for all heartbeats: making one takes tens of milliseconds.
        self._http = self.client()
        self._child = await asyncio.create_subprocess_exec(
            *command(
                self._models, threads=self._threads, budget=self._budget, path=self._socket,
                listen=self._listen_at,
            ),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, cwd=self._folder,
            env=environment(self._folder, self._threads) | self._given,
        )  # fmt: skip
        if self._listen_at is not None and self._child.stdin is not None:
            # Not among the arguments or in the environment, where others could read it.
            self._child.stdin.write(self._listen_at.token.encode() + b"\n")
        self._tasks = [task for task in self._tasks if not task.done()]
        self._listening = asyncio.create_task(self._listen(self._child))

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._child is not None
            if self._child.returncode is not None:
                raise Unavailable("it ended at once")
            if await self.health():
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"no answer within {START_SECONDS} seconds")

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        assert child.stderr is not None
        while line := await next_line(child.stderr):
            self.said.append(line)

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        """When the child dies, start another; a row of deaths means something is wrong for good."""
        code = await child.wait()
        if self._stopping or child is not self._child:
            return
        self._deaths.append(time.monotonic())
        if len(self._deaths) == TRIES and self._deaths[-1] - self._deaths[0] < 60:
            self._deaths.clear()
            self.state = State(
                "failed", self._why(f"it ended {TRIES} times in a minute, last with {code}")
            )
            return
        self.state = AGAIN
        with contextlib.suppress(Unavailable):
            await self.start()

    async def _beat(self, child: asyncio.subprocess.Process) -> None:
        """A child that no longer answers is killed; `_watch` starts the next one."""
        misses = 0
        while child.returncode is None:
            await asyncio.sleep(BEAT_SECONDS)
            told = await self.health()
            misses = 0 if told else misses + 1
            stuck = told.get("stuck", 0) > STUCK_SECONDS
            if (misses >= MISSES or stuck) and child.returncode is None:
                child.kill()
                return

    async def _kill(self) -> None:
        http, self._http, self._answered = self._http, None, 0.0
        if http is not None:
            await http.aclose()
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()
        if child.stdin is not None:
            child.stdin.close()
        if self._listening is not None:  # its pipe is closed when its end was read
            await asyncio.wait({self._listening}, timeout=1)
            self._listening.cancel()

    def _why(self, reason: str) -> str:
        last = f" It said: {self.said[-1]}" if self.said else ""
        return f"The local engine does not start: {reason}.{last} Remote connections still work."
