"""Hubs and commands in processes of their own, forked off one that has loaded the product.

See `tests.mother`. What comes back behaves as `subprocess.Popen` does.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


class Forked:
    """A process that the mother forked."""

    def __init__(self, pid: int, words: Sequence[str]) -> None:
        self.pid, self.args = pid, words
        self.returncode: int | None = None
        self._over = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._over.wait(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def ended(self, code: int) -> None:
        self.returncode = code
        self._over.set()


class Mother:
    """One for each process of pytest; ends with it, and whoever still runs ends with her."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mother"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            cwd=ROOT, env=surroundings(),
        )  # fmt: skip
        self._born: queue.SimpleQueue[Forked] = queue.SimpleQueue()
        self._asking = threading.Lock()
        self._alive: dict[int, Forked] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        atexit.register(self._close)

    def run(
        self, program: str, *words: str, environment: dict[str, str], seconds: int = 0,
        constants: dict[str, float] | None = None, **where: str,
    ) -> Forked:  # fmt: skip
        """`where`: the files for what it prints, `out` and `err`. After `seconds` it is ended.

        `constants`: what has another value there, such as how long it waits for something.
        """
        asked: dict[str, Any] = {
            "program": program, "words": words, "environment": environment, "seconds": seconds,
            "folder": str(Path.cwd()), "constants": constants or {},
        }  # fmt: skip
        assert self._process.stdin
        with self._asking:
            self._process.stdin.write(json.dumps(asked | where).encode() + b"\n")
            self._process.stdin.flush()
            born = self._born.get(timeout=200)
        born.args = [program, *words]
        return born

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            what, pid, *code = line.split()
            if what == b"born":
                self._alive[int(pid)] = forked = Forked(int(pid), [])
                self._born.put(forked)
            else:
                self._alive.pop(int(pid)).ended(int(code[0]))

    def _close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
        self._listener.join(60)
        assert self._process.stdout
        self._process.stdout.close()


def surroundings(**more: str) -> dict[str, str]:
    """The environment without anything of ours, and `more`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PROMPTHUB_")}
    return kept | more


@cache
def mother() -> Mother:
    return Mother()
