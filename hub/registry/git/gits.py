"""Git as a child process; nothing else starts one.

It inherits nothing. One that is kept loads while its input is being worked out, and stays for more.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from git import Git
from git.exc import GitCommandNotFound

from hub.registry.git.children import Child, start
from hub.registry.git.git_terms import GitFailed

Command = tuple[str, ...]
_LAST_WORD = {"fast-import": b"done\n"}
"""What says that there is no more to do, where the end of the input alone would be an error."""
_PATIENCE = 20.0
MOST_MEMORY, MOST_SECONDS = 512 << 20, 20
"""Bytes of its own, without the packs that it maps, and seconds of a processor: for a git that
lists what others made. Folders within folders can stand for more files than there are atoms."""


class TooMuch(GitFailed):
    """It prints more than any honest content would have it print."""


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

    def heard(self, command: Command, most: int) -> bytes:
        """What it prints, without input, where others had a hand in it: `most` bytes of that, and
        so much memory and time of a processor, since git compares all before it prints a word.

        Raises:
            TooMuch: it goes on.
            GitFailed: it ended badly.
        """
        child = self._start(command)
        process = child.proc
        _bound(process.pid)
        process.stdin.close()
        process.stdin = None  # for `communicate`
        out = process.stdout.read(most + 1)
        if len(out) > most:
            process.kill()
        _, said = process.communicate()  # a git that reads says a line or two
        complaint = said.decode("utf-8", "replace").strip()[-2000:]
        if len(out) > most or process.returncode < 0 or "ut of memory" in complaint:
            raise TooMuch(command[0], process.returncode, f"it takes too much: {complaint}")
        if process.returncode:
            raise GitFailed(command[0], process.returncode, complaint)
        return out

    def open(self, command: Command) -> Kept:
        """One of the caller's own, to be killed."""
        return Kept(command, self._start(command))

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

    def dismiss(self) -> bool:
        """End those that are kept; what they were told has been done. Whether all ended well."""
        ended = [kept.end() for kept in self._kept.values()]
        self._kept.clear()
        return all(ended)

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
        self.ask(script)
        return [self.line().decode("ascii", "replace") for _ in range(lines)]

    def ask(self, data: bytes) -> None:
        """Hand it something that it answers, by `line` and `part`.

        Raises:
            GitFailed: it ended instead; the same holds for those.
        """
        try:
            self._child.proc.stdin.write(data)
            self._child.proc.stdin.flush()
        except OSError:
            raise self._failed() from None

    def line(self) -> bytes:
        """The next line of its answer, without its end."""
        found: bytes = self._child.proc.stdout.readline()
        if not found.endswith(b"\n"):
            raise self._failed()
        return found[:-1]

    def part(self, size: int) -> bytes:
        """So many bytes of its answer."""
        found: bytes = self._child.proc.stdout.read(size)
        if len(found) != size:
            raise self._failed()
        return found

    def _failed(self) -> GitFailed:
        process = self._child.proc
        try:
            _, said = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        said = said.decode("utf-8", "replace").strip()[-2000:]
        return GitFailed(self._command[0], process.returncode, said)

    def end(self) -> bool:
        """Let it go, and whether it went well. Killed, fast-import would leave its empty pack."""
        try:
            last = _LAST_WORD.get(self._command[0], b"")
            self._child.proc.communicate(last, timeout=_PATIENCE)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.kill()
        return self._child.proc.returncode == 0

    def kill(self) -> None:
        self._child.proc.kill()
        self._child.proc.communicate()


def _bound(pid: int) -> None:
    if sys.platform != "linux":  # elsewhere only what it prints is bounded
        return
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        resource.prlimit(pid, resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))


async def stream(
    words: Command, *, settings: Sequence[tuple[str, str]] = (),
    given: Mapping[str, str] | None = None,
) -> Child:  # fmt: skip
    """A git whose input and output go on while we do other things. `settings` and `given` (its
    environment) are ours."""
    told = [word for pair in settings for word in ("-c", "=".join(pair))]
    return await start([*_clean_git(given or {}), *told, *words])


async def outbound(
    words: Command, *, settings: Sequence[tuple[str, str]] = (), given: Mapping[str, str],
    memory: int, seconds: int, largest: int,
) -> Child:  # fmt: skip
    """A git that talks to another machine.

    What it is `given` may be secret, so it goes into its environment past every command line. Its
    bounds (bytes, seconds of a processor, bytes of a file) hold for all that it starts.
    """
    _, _, *clean, git = _clean_git({})
    env = dict(pair.split("=", 1) for pair in clean) | dict(given)
    told = [word for pair in settings for word in ("-c", "=".join(pair))]
    bounds = f"ulimit -v {memory >> 10}; ulimit -t {seconds}; ulimit -f {largest >> 9}"
    whole = ["/bin/sh", "-c", f'{bounds}; exec "$@"', "sh", git, *told, *words]
    return await start(whole, env=env, fed=False)


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
