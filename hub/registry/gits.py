"""Git as a child process; nothing else starts one.

It inherits nothing, and may be started ahead: it loads while its input is being worked out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from git import Git
from git.exc import GitCommandNotFound

from hub.registry.git_terms import GitFailed

Command = tuple[str, ...]
_NOTHING = {"fast-import": b"done\n"}
"""What says that there is nothing to do, where the end of the input alone would be an error."""
_PATIENCE = 20.0


class Gits:
    """Those that work in one repository; `given` is put into their environment."""

    def __init__(self, path: Path, given: Mapping[str, str] | None = None) -> None:
        self._git = Git()
        self._path = path
        self._given = given or {}
        self._waiting: dict[Command, Any] = {}

    def run(self, command: Command, stdin: bytes, *, aside: bool = False) -> tuple[int, bytes, str]:
        """Exit code, output, and what it said besides; by one that waits for it, if there is.

        `aside`: it takes a processor only when nobody else wants it.
        """
        child = self._waiting.pop(command, None) or self._start(command, aside=aside)
        process = child.proc  # Popen, inside GitPython's wrapper
        try:
            out, said = process.communicate(stdin)
        except BaseException:
            process.kill()
            raise
        return process.returncode, out, said.decode("utf-8", "replace")

    def start_ahead(self, *commands: Command) -> None:
        """Have them loaded and waiting for their input; what cannot start, `run` will report."""
        for command in commands:
            if command not in self._waiting:
                with contextlib.suppress(GitFailed):
                    self._waiting[command] = self._start(command)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def dismiss(self) -> None:
        """End those that nothing was given to. Killed, fast-import would leave its empty pack."""
        while self._waiting:
            command, child = self._waiting.popitem()
            try:
                child.proc.communicate(_NOTHING.get(command[0], b""), timeout=_PATIENCE)
            except (OSError, subprocess.TimeoutExpired):
                child.proc.kill()
                child.proc.communicate()

    def _start(self, command: Command, *, aside: bool = False) -> Any:
        whole = [*_clean_git(self._given), f"--git-dir={self._path}", *command]
        if aside and (nice := shutil.which("nice")):
            whole = [nice, "-n", "19", *whole]
        try:
            # GitPython asks for an open file, and hands what it gets to Popen, which takes PIPE.
            return self._git.execute(whole, istream=cast("Any", subprocess.PIPE), as_process=True)
        except (GitCommandNotFound, OSError) as error:
            raise GitFailed(command[0], -1, str(error)) from error


async def stream(
    words: Command, *, settings: Sequence[tuple[str, str]] = (),
    given: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:  # fmt: skip
    """A git whose input and output go on while we do other things. It has a group of its own, so
    that what it starts can be ended with it. `settings` and `given` (its environment) are ours.
    """
    told = [word for pair in settings for word in ("-c", "=".join(pair))]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *_clean_git(given or {}), *told, *words, stdin=pipe, stdout=pipe, stderr=pipe,
        start_new_session=True, limit=1 << 18,
    )  # fmt: skip


async def outbound(
    words: Command, *, settings: Sequence[tuple[str, str]] = (), given: Mapping[str, str],
    memory: int, seconds: int, largest: int,
) -> asyncio.subprocess.Process:  # fmt: skip
    """A git that talks to another machine, in a group of its own.

    What it is `given` may be secret, so it goes into its environment past every command line. Its
    bounds (bytes, seconds of a processor, bytes of a file) hold for all that it starts.
    """
    _, _, *clean, git = _clean_git({})
    env = dict(pair.split("=", 1) for pair in clean) | dict(given)
    told = [word for pair in settings for word in ("-c", "=".join(pair))]
    bounds = f"ulimit -v {memory >> 10}; ulimit -t {seconds}; ulimit -f {largest >> 9}"
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f'{bounds}; exec "$@"', "sh", git, *told, *words, env=env,
        stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True,
    )  # fmt: skip


def _clean_git(given: Mapping[str, str]) -> list[str]:
    """Start git with nothing inherited: a stray GIT_DIR or hook setting must not reach it.

    Memory is kept rather than given back: fast-import frees and asks for a zlib's worth per
    object, and glibc would give it to the kernel and fetch it again each time (6 ms in a batch).
    """
    git = shutil.which("git") or "/usr/bin/git"
    return [
        "/usr/bin/env", "-i", f"PATH={Path(git).parent}:{os.defpath}", "LC_ALL=C",
        "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
        "GIT_OPTIONAL_LOCKS=0", "MALLOC_TRIM_THRESHOLD_=134217728", "MALLOC_TOP_PAD_=4194304",
        *("=".join(pair) for pair in given.items()), git,
    ]  # fmt: skip
