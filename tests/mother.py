"""The mother of hubs and commands: loads the product once, and forks for each that is asked for.

What runs is the command itself, in a process of its own with its own environment; only that its
modules need not be loaded again, which takes longer than most commands. `python -m tests.mother`
reads one command as JSON per line; it says `born PID` when it runs and `dead PID CODE` when it
ended. When nothing more can come, those that still run are killed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
from contextlib import suppress
from typing import Any

import uvicorn.main

from hub import web
from hub.cli import main
from tests.patience import be_patient
from tests.serving import one_app

WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
PROGRAMS = {"prompthub": main, "uvicorn": uvicorn.main.main}


def serve() -> None:
    wake, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    alive: set[int] = set()
    asked = b""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            bury(alive)
        if 0 not in ready:
            continue
        if not (more := os.read(0, 1 << 16)):
            break
        *lines, asked = (asked + more).split(b"\n")
        for line in lines:
            alive.add(bear(json.loads(line), wake, wakes))
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def bear(asked: dict[str, Any], *ours: int) -> int:
    if pid := os.fork():
        print("born", pid, flush=True)
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for handle in ours:
        os.close(handle)
    become(asked)
    for name, value in asked["constants"].items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)
    PROGRAMS[asked["program"]]()
    sys.exit()


def bury(alive: set[int]) -> None:
    """Say who ended; those that are still there were not meant."""
    for pid in list(alive):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            alive.discard(pid)
            print("dead", pid, os.waitstatus_to_exitcode(status), flush=True)


def become(asked: dict[str, Any]) -> None:
    """The process that the caller would have started; a hub prints where its tests do."""
    for place, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked.get("out"), WRITE),
        (2, asked.get("err"), WRITE),
    ):
        handle = os.open(path, flags, 0o600) if path else os.dup(2)
        os.dup2(handle, place)
        os.close(handle)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["-c", *asked["words"]]
    signal.alarm(asked["seconds"])  # what hangs is ended


if __name__ == "__main__":
    # What loads only when an app is put together or has its first request, and what it draws.
    one_app()
    pages = web.engine().engine
    for name in pages.list_templates():
        pages.get_template(name)
    importlib.import_module("uvicorn.protocols.http.httptools_impl")
    importlib.import_module("uvloop")
    be_patient()
    gc.freeze()
    serve()
