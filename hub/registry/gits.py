"""Git as a child process; nothing else starts one.

It inherits nothing. One that is kept loads while its input is being worked out, and stays for more.
"""

from __future__ import annotations

import asyncio
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
_LAST_WORD = {"fast-import": b"done\n"}
"""What says that there is no more to do, where the end of the input alone would be an error."""
_PATIENCE = 20.0


class Gits:
    """Those that work in one repository; `given` is put into their environment."""

    def __init__(self, path: Path, given: Mapping[str, str] | None = None) -> None:
        self._git = Git()
        self._path = path
        self._given = given or {}
        self._kept: dict[Command, Kept] = {}

    def run(self, command: Command, stdin: bytes, *, aside: bool = False) -> tuple[int, bytes, str]:
        """Exit code, output, and what it said besides.

        `aside`: it takes a processor only when nobody else wants it.
        """
        child = self._start(command, aside=aside)
        process = child.proc  # Popen, inside GitPython's wrapper
        try:
            out, said = process.communicate(stdin)
        except BaseException:
            process.kill()
            raise
        return process.returncode, out, said.decode("utf-8", "replace")

    def check(self, command: Command, stdin: bytes, *, aside: bool = False) -> bytes:
        """What it printed.

        Raises:
            GitFailed: it did not end well.
        """
        code, out, said = self.run(command, stdin, aside=aside)
        if code:
            raise GitFailed(command[0], code, said.strip()[-2000:])
        return out

    def keep(self, command: Command) -> Kept:
        """One that waits to be told, again and again; started if there is none."""
        if command not in self._kept:
            self._kept[command] = Kept(command, self._start(command))
        return self._kept[command]

    def kept(self, command: Command) -> Kept | None:
        return self._kept.get(command)

    def forget(self, command: Command) -> None:
        """It is gone, or shall be: end it without a last word."""
        if kept := self._kept.pop(command, None):
            kept.kill()

    def dismiss(self) -> None:
        """End those that are kept; what they were told has been done."""
        while self._kept:
            self._kept.popitem()[1].end()

    def _start(self, command: Command, *, aside: bool = False) -> Any:
        whole = [*_clean_git(self._given), f"--git-dir={self._path}", *command]
        if aside and (nice := shutil.which("nice")):
            whole = [nice, "-n", "19", *whole]
        try:
            # GitPython asks for an open file, and hands what it gets to Popen, which takes PIPE.
            return self._git.execute(whole, istream=cast("Any", subprocess.PIPE), as_process=True)
        except (GitCommandNotFound, OSError) as error:
            raise GitFailed(command[0], -1, str(error)) from error


class Kept:
    """A git that is told one thing after another and says in lines what came of it.

    Starting one costs as much as what it does for a few saves.
    """

    def __init__(self, command: Command, child: Any) -> None:
        self._command, self._child = command, child

    def tell(self, script: bytes, lines: int) -> list[str]:
        """Hand it the script, and return so many lines of what it prints; blocks.

        Raises:
            GitFailed: it ended instead, for the reason given.
        """
        process = self._child.proc
        try:
            process.stdin.write(script)
            process.stdin.flush()
            said = [process.stdout.readline() for _ in range(lines)]
        except BrokenPipeError:
            said = [b""]
        except BaseException:
            self.kill()
            raise
        if not all(line.endswith(b"\n") for line in said):
            raise self._failed()
        return [line[:-1].decode("ascii", "replace") for line in said]

    def _failed(self) -> GitFailed:
        process = self._child.proc
        try:
            _, said = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        said = said.decode("utf-8", "replace").strip()[-2000:]
        return GitFailed(self._command[0], process.returncode, said)

    def end(self) -> None:
        """Let it go. Killed, fast-import would leave its empty pack."""
        try:
            last = _LAST_WORD.get(self._command[0], b"")
            self._child.proc.communicate(last, timeout=_PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self.kill()

    def kill(self) -> None:
        self._child.proc.kill()
        self._child.proc.communicate()


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
