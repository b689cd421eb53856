"""A child process whose pipes the event loop reads and writes.

As `asyncio.create_subprocess_exec`, but for how it starts: uvloop forks, which copies what maps the
hub's memory, stops everybody for 20 ms in a process of 400 MB, and has each page that is written
afterwards copied, too. `Popen` starts it by vfork, in 1 ms whatever the hub holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from asyncio import StreamReader, StreamReaderProtocol, StreamWriter
from collections.abc import Mapping, Sequence
from typing import IO

LIMIT = 1 << 18
"""Bytes that are kept of what nobody has read yet."""


class Child:
    """It leads a group of its own, so that what it starts can be ended with it."""

    stdin: StreamWriter | None = None

    def __init__(self, words: Sequence[str], env: Mapping[str, str] | None, *, fed: bool) -> None:
        self._ended = asyncio.get_running_loop().create_future()
        self._pipes: list[asyncio.BaseTransport] = []
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(  # noqa: S603
            words, env=env, stdin=pipe if fed else subprocess.DEVNULL, stdout=pipe, stderr=pipe,
            bufsize=0, start_new_session=True,
        )  # fmt: skip
        self.pid = self._process.pid
        self.stdout, self.stderr = StreamReader(limit=LIMIT), StreamReader(limit=LIMIT)

    @property
    def returncode(self) -> int | None:
        """None while it works."""
        return self._process.poll()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        await asyncio.shield(self._ended)
        return self._process.wait()

    def kill(self) -> None:
        """It and all of its group."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """No more is read of it or written to it."""
        for one in self._pipes:
            one.close()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch(loop)
        await self._listen(loop, self.stdout, self._process.stdout)
        await self._listen(loop, self.stderr, self._process.stderr)
        if self._process.stdin is not None:
            transport, protocol = await loop.connect_write_pipe(
                lambda: StreamReaderProtocol(StreamReader()), self._process.stdin
            )
            self._pipes.append(transport)
            self.stdin = StreamWriter(transport, protocol, None, loop)

    async def _listen(
        self, loop: asyncio.AbstractEventLoop, reader: StreamReader, pipe: IO[bytes] | None
    ) -> None:
        transport, _ = await loop.connect_read_pipe(lambda: StreamReaderProtocol(reader), pipe)
        self._pipes.append(transport)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            handle = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # no Linux, or a very old one: a thread waits for it
            waiting = loop.run_in_executor(None, self._process.wait)
            waiting.add_done_callback(lambda _: self._note_end())
            return

        def ended() -> None:
            loop.remove_reader(handle)
            os.close(handle)
            self._note_end()

        loop.add_reader(handle, ended)

    def _note_end(self) -> None:
        self._process.wait()
        if not self._ended.done():
            self._ended.set_result(None)


async def start(
    words: Sequence[str], *, env: Mapping[str, str] | None = None, fed: bool = True
) -> Child:
    """Start it; `fed`: something will be written to it.

    Raises:
        OSError: it cannot be started.
    """
    child = Child(words, env, fed=fed)
    try:
        await child.connect()
    except BaseException:
        child.kill()
        child.close()
        raise
    return child
