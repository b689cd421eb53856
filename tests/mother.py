"""The mother of the commands: loads `prompthub` once, and forks for each that is typed.

What runs is the command itself, in a process of its own with its own environment; only that its
modules need not be loaded again, which takes longer than most commands. `python -m tests.mother`
reads one command as JSON per line and answers with its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from hub.cli import main


def serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            become(asked)
            main()
            return
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(asked: dict[str, Any]) -> None:
    """The process that the caller would have started."""
    for place, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        handle = os.open(path, flags, 0o600)
        os.dup2(handle, place)
        os.close(handle)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["-c", *asked["words"]]
    signal.alarm(60)  # what hangs is ended


if __name__ == "__main__":
    serve()
